package core

import (
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// tally is what a turn has counted and not added yet: counters that go up with
// each message are shared by all loops, so each is touched once for many.
type tally struct {
	used  uint64 // a bit for each slot
	slots [64]counted
}

type counted struct {
	to *atomic.Uint64
	n  uint64
}

// Count adds n to a counter when the loop writes, or at the end of the turn. A
// gauge goes down by the complement.
func (t *Turn) Count(to *atomic.Uint64, n uint64) {
	i := uintptr(unsafe.Pointer(to)) / unsafe.Sizeof(*to) % 64 // any spread will do
	s := &t.tally.slots[i]
	if s.to == to {
		s.n += n
		t.tally.used |= 1 << i
		return
	}
	if s.n != 0 {
		s.to.Add(s.n)
	}
	s.to, s.n = to, n
	t.tally.used |= 1 << i
}

// Counted adds what was counted, so that nobody is told of what is not in the
// metrics.
func (t *Turn) Counted() {
	for used := t.tally.used; used != 0; used &= used - 1 {
		s := &t.tally.slots[bits.TrailingZeros64(used)]
		s.to.Add(s.n)
		s.n = 0
	}
	t.tally.used = 0
}
