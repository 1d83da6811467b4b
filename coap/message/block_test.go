package message

import "testing"

func TestBlockValueRoundTrips(t *testing.T) {
	t.Parallel()
	for _, b := range []Block{{}, {1, true, 6}, {MaxBlockNum, true, 7}, {16, false, 0}} {
		if got := ParseBlock(AppendUint(nil, b.Value())); got != b {
			t.Errorf("%v: %v", b, got)
		}
	}
}

func TestBlockOfRFC7959FigureTwo(t *testing.T) {
	t.Parallel()
	b := ParseBlock([]byte{0x1b}) // 1/1/128
	if b.String() != "1/1/128" || b.Size() != 128 || b.Offset() != 128 {
		t.Fatalf("%v size %d offset %d", b, b.Size(), b.Offset())
	}
}

func TestSZXForIsTheLargestThatFits(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]uint8{0: 0, 16: 0, 31: 0, 32: 1, 1023: 5, 1024: 6, 9000: 6} {
		if got := SZXFor(size); got != want {
			t.Errorf("%d: %d, want %d", size, got, want)
		}
	}
}
