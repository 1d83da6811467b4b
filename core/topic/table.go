package topic

import (
	"hash/maphash"
	"sync/atomic"
)

// A table is an open-addressing hash table that one writer changes in place
// beside readers that never lock. A slot goes from empty to used and never
// back, so a probe that meets an empty slot has seen everything; deleting
// leaves the tag without an entry. When too many slots are used, the writer
// builds another table, and readers finish in the old one.
type table[E any] struct {
	slots []slot[E] // a power of two, at most three quarters used
	used  int       // owned by the writer: slots with a tag
	live  int       // owned by the writer: slots with an entry
}

type slot[E any] struct {
	tag   atomic.Uint32 // 0: never used
	entry atomic.Pointer[E]
}

const smallTable = 4

// seed keys every hash of this process, so that nobody outside can choose
// topics that collide.
var seed = maphash.MakeSeed()

func hashOf(s string) uint64 { return maphash.String(seed, s) }

// tagOf is the part of a hash that a slot keeps; it alone places the entry, so
// a table grows without asking the entries.
func tagOf(h uint64) uint32 { return max(uint32(h), 1) }

// put adds an entry that is not there yet. It returns the table to publish,
// which is another one when t was nil or full.
func (t *table[E]) put(tag uint32, e *E) *table[E] {
	if t == nil || (t.used+1)*4 > len(t.slots)*3 {
		t = t.rebuilt(1)
	}
	mask := uint32(len(t.slots) - 1)
	for i := tag; ; i++ {
		s := &t.slots[i&mask]
		old := s.tag.Load()
		if old != 0 && s.entry.Load() != nil {
			continue
		}
		s.entry.Store(e) // before the tag, so that a tag that is met has its entry
		s.tag.Store(tag)
		t.live++
		if old == 0 {
			t.used++
		}
		return t
	}
}

// slotOf finds the slot of an entry that is there.
func (t *table[E]) slotOf(tag uint32, e *E) *slot[E] {
	mask := uint32(len(t.slots) - 1)
	for i := tag; ; i++ {
		if s := &t.slots[i&mask]; s.entry.Load() == e {
			return s
		}
	}
}

// drop removes an entry that is there and returns the table to publish: a
// smaller one when most of it is unused, nil when it is empty.
func (t *table[E]) drop(tag uint32, e *E) *table[E] {
	t.slotOf(tag, e).entry.Store(nil)
	t.live--
	switch {
	case t.live == 0:
		return nil
	case t.sparse():
		return t.rebuilt(0)
	}
	return t
}

// sparse tells that most of it is unused.
func (t *table[E]) sparse() bool { return len(t.slots) > smallTable && t.live*8 < len(t.slots) }

// withRoom returns a table that more entries can be put into without growth: t
// or a copy of it.
func (t *table[E]) withRoom(more int) *table[E] {
	used := more
	if t != nil {
		used += t.used
	}
	if t != nil && used*4 <= len(t.slots)*3 {
		return t
	}
	size := smallTable
	for used*4 > size*3 {
		size *= 2
	}
	return t.copied(size)
}

// rebuilt copies t into a table with room for the entries and some more.
func (t *table[E]) rebuilt(more int) *table[E] {
	live := more
	if t != nil {
		live += t.live
	}
	size := smallTable
	for live*2 > size { // half full at most, so that growth is paid for
		size *= 2
	}
	return t.copied(size)
}

// copied copies t, which may be nil, into a table of that many slots.
func (t *table[E]) copied(size int) *table[E] {
	n := &table[E]{slots: make([]slot[E], size)}
	if t == nil {
		return n
	}
	for i := range t.slots {
		if e := t.slots[i].entry.Load(); e != nil {
			n.place(t.slots[i].tag.Load(), e)
		}
	}
	return n
}

// place is put without growth.
func (t *table[E]) place(tag uint32, e *E) {
	mask := uint32(len(t.slots) - 1)
	i := tag
	for t.slots[i&mask].tag.Load() != 0 {
		i++
	}
	t.slots[i&mask].entry.Store(e)
	t.slots[i&mask].tag.Store(tag)
	t.used++
	t.live++
}
