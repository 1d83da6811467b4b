package listen

import "testing"

// A loop reads as much of a connection as holds so many messages, and more again
// when they are larger.
func TestAPortionFollowsTheSizeOfMessages(t *testing.T) {
	p := portion{bytes: inputSize}
	for _, c := range []struct {
		n, routed int
		full      bool
		want      int
	}{
		{inputSize, 4096, true, inputSize / 8},
		{inputSize / 8, portionMessages, true, inputSize / 8},
		{1000, 20, false, inputSize / 8}, // there was no more
		{inputSize / 8, portionMessages / 2, true, inputSize / 4},
		{inputSize / 4, 4, true, inputSize / 2},
		{inputSize / 2, 1, true, inputSize},
		{inputSize, 1, true, inputSize},
		{inputSize, inputSize / 2, true, leastPortion},
	} {
		p.routed = c.routed
		if p.fed(c.n, c.full); p.bytes != c.want {
			t.Fatalf("%d bytes after %d messages in %d bytes, want %d", p.bytes, c.routed, c.n, c.want)
		}
	}
}
