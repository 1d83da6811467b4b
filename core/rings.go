package core

import (
	"math/bits"
	"unsafe"
)

const (
	smallRing = 8       // entries of the smallest ring, where a queue begins
	ringSizes = 8       // sizes that are kept, each twice the one before: 1,024 entries at the most
	keptRings = 1 << 20 // bytes of all that a turn keeps
)

// rings are those of queues that became empty, for the next: an idle queue
// holds none, and one that fills and drains all the time makes none.
type rings struct {
	free  [ringSizes][][]entry
	bytes int
}

// sizeOf is the index of a length in free; ringSizes or above: it is not kept.
func sizeOf(n int) int { return bits.Len(uint(n)/smallRing) - 1 }

func ringBytes(n int) int { return n * int(unsafe.Sizeof(entry{})) }

// take returns a ring of n entries, whose places may say that they are settled.
// n is a power of two, smallRing at least.
func (r *rings) take(n int) []entry {
	if ring := r.kept(sizeOf(n)); ring != nil {
		return ring
	}
	return make([]entry, n)
}

// begin returns a ring for a queue that was empty: as large as its last one, if
// there is such a one.
func (r *rings) begin(size uint8) []entry {
	if ring := r.kept(int(size)); ring != nil {
		return ring
	}
	return r.take(smallRing)
}

func (r *rings) kept(size int) []entry {
	if size >= ringSizes || len(r.free[size]) == 0 {
		return nil
	}
	last := len(r.free[size]) - 1
	ring := r.free[size][last]
	r.free[size] = r.free[size][:last]
	r.bytes -= ringBytes(len(ring))
	return ring
}

// give takes a ring back, which refers to nothing any more.
func (r *rings) give(ring []entry) {
	n := len(ring)
	size := sizeOf(n)
	if n < smallRing || size >= ringSizes || r.bytes+ringBytes(n) > keptRings {
		return
	}
	r.bytes += ringBytes(n)
	r.free[size] = append(r.free[size], ring)
}
