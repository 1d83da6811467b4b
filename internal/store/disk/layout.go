package disk

import (
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/entrepot/entrepot/core"
)

// layout says which records share a table. A queue grows at its end, so a table
// that holds nothing but what was added to it overlaps none of the older ones,
// and pebble lets it sink as it is. One that holds records of another kind too,
// or of two queues, spans all that lies between them; to sink, it is merged with
// that and written anew. So a table ends where the kind ends, and what was added
// to a long queue has tables of its own. Short ones share theirs: a table for
// each would cost more.
type layout struct {
	mu      sync.Mutex
	last    place         // Guarded by mu.
	run     int           // Guarded by mu: how many went to last
	counts  map[place]int // Guarded by mu: of the busiest, too low by what the others had
	counted int           // Guarded by mu: since they were halved
}

// place is where a queue's records lie: the kind and the queue.
type place [9]byte

const (
	placeKey   = 17 // length of a key that has a place: kind, queue, number
	busiest    = 64
	halvedEach = 32 << 10 // records: fewer than a memtable holds
	longQueue  = 1 << 10  // of these
)

// wrote counts the record of a key.
func (l *layout) wrote(key []byte) {
	if len(key) != placeKey {
		return
	}
	if p := place(key); l.run == 0 || p != l.last {
		l.count()
		l.last = p
	}
	l.run++
}

// count adds the run to its place. Where that has no counter, and there is none
// left, all pay alike until one is free or the run is used up: who has more than
// a share of what is written keeps one.
func (l *layout) count() {
	if l.run == 0 {
		return
	}
	if l.counts == nil {
		l.counts = make(map[place]int, busiest)
	}
	l.counted += l.run
	if _, known := l.counts[l.last]; !known && len(l.counts) == busiest {
		pay := l.run
		for _, n := range l.counts {
			pay = min(pay, n)
		}
		l.run -= pay
		l.reduce(func(n int) int { return n - pay })
	}
	if l.run > 0 {
		l.counts[l.last] += l.run
	}
	if l.counted >= halvedEach {
		l.counted = 0
		l.reduce(func(n int) int { return n / 2 })
	}
	l.run = 0
}

func (l *layout) reduce(to func(int) int) {
	for p, n := range l.counts {
		if n = to(n); n <= 0 {
			delete(l.counts, p)
		} else {
			l.counts[p] = n
		}
	}
}

// policy tells pebble where a table that begins at start ends at the latest.
func (l *layout) policy(start []byte) (p pebble.SpanPolicy, end []byte, err error) {
	if start[0] == 0xff { // no record of ours
		return p, nil, nil
	}
	end = []byte{start[0] + 1}
	if len(start) < len(place{}) {
		return p, end, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count()
	for at, n := range l.counts {
		if n < longQueue {
			continue
		}
		switch from := at[:]; {
		case string(start[:len(at)]) == string(from):
			return p, after(at), nil
		case string(from) > string(start) && string(from) < string(end):
			end = slices.Clone(from)
		}
	}
	return p, end, nil
}

// after is where the place ends.
func after(at place) []byte {
	for i := len(at) - 1; i > 0; i-- {
		if at[i]++; at[i] != 0 {
			return at[:]
		}
	}
	return []byte{at[0] + 1}
}

// gather adds the batches to b.
func (l *layout) gather(b *pebble.Batch, batches []*core.Batch) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, from := range batches {
		for kind, rec := range from.All() {
			var err error
			switch kind {
			case core.OpSet:
				l.wrote(rec.Key)
				err = b.Set(rec.Key, rec.Value, nil)
			case core.OpDelete:
				err = b.Delete(rec.Key, nil)
			case core.OpDeleteRange:
				if string(rec.Key) < string(rec.Value) { // pebble is not asked to delete nothing
					err = b.DeleteRange(rec.Key, rec.Value, nil)
				}
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
