package listen

import (
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

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

// greedy makes so much output each time that it is woken, and wants to be woken
// again.
type greedy struct {
	link
	noStream
	bytes, woken int
}

func (g *greedy) attend(uint32) {
	g.woken++
	g.loop.made += g.bytes
	g.again()
}

func (g *greedy) expire(core.Time) {}

// Who has a lot to be sent is woken once in a pass; who has little, some times.
func TestAPassEndsWhenItHasMadeMuch(t *testing.T) {
	for bytes, want := range map[int]int{100: wakeRounds, adapters.OutputSoft/2 + 1: 2, adapters.OutputSoft: 1} {
		l := new(loop)
		g := &greedy{bytes: bytes}
		g.loop, g.own = l, g
		g.again()
		for pass := range 3 {
			l.made = 0
			if l.wakeDirty(); g.woken != want*(pass+1) || len(l.dirty) != 1 {
				t.Errorf("%d bytes: woken %d times after pass %d, want %d each; %d wait", bytes, g.woken, pass, want, len(l.dirty))
			}
		}
	}
}
