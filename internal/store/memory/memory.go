// Package memory is the store that keeps nothing: an ordered map in memory
// behind core.Store, for `--data memory` and for tests.
package memory

import (
	"iter"
	"sync"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/ordered"
)

// record is what the store has at a key.
type record struct {
	key   string
	value []byte
}

// Key is where it lies in the map.
func (r record) Key() string { return r.key }

// Store is an ordered map in memory. It is safe for concurrent use.
type Store struct {
	mu     sync.RWMutex
	m      ordered.Map[record] // guarded by mu; values are never changed, only replaced
	closed bool                // guarded by mu
}

var _ core.Store = (*Store)(nil)

// New makes an empty store.
func New() *Store { return &Store{} }

// Volatile tells that nothing is gained by reading it back.
func (s *Store) Volatile() bool { return true }

// Write applies the batches. It fails only when the store is closed.
func (s *Store) Write(batches []*core.Batch, _ bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return core.ErrStoreClosed
	}
	for _, b := range batches {
		for kind, rec := range b.All() {
			switch kind {
			case core.OpSet:
				s.m.Set(record{string(rec.Key), append(make([]byte, 0, len(rec.Value)), rec.Value...)})
			case core.OpDelete:
				s.m.Delete(string(rec.Key))
			case core.OpDeleteRange:
				s.m.DeleteRange(string(rec.Key), string(rec.Value))
			}
		}
	}
	return nil
}

// Get returns a copy of the value of key, nil if there is none.
func (s *Store) Get(key []byte) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, core.ErrStoreClosed
	}
	if at := s.m.At(string(key)); at != nil {
		return append(make([]byte, 0, len(at.value)), at.value...), nil
	}
	return nil, nil
}

// scanSlice is how many records a scan takes under the lock at a time.
const scanSlice = 128

// Scan walks the keys from (inclusive) to (exclusive). It holds no lock while
// the caller looks at a record.
func (s *Store) Scan(from, to []byte) iter.Seq2[core.Record, error] {
	return func(yield func(core.Record, error) bool) {
		var recs []core.Record
		for at, more := string(from), true; more; {
			var err error
			if recs, at, more, err = s.slice(recs[:0], at, string(to)); err != nil {
				yield(core.Record{}, err)
				return
			}
			for _, rec := range recs {
				if !yield(rec, nil) {
					return
				}
			}
		}
	}
}

// slice appends copies of the next records, and says where to go on.
func (s *Store) slice(dst []core.Record, from, to string) (recs []core.Record, next string, more bool, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, "", false, core.ErrStoreClosed
	}
	c := s.m.Seek(from)
	for ; c.Valid() && c.Key() < to; c.Next() {
		if len(dst) == scanSlice {
			return dst, c.Key(), true, nil
		}
		dst = append(dst, core.Record{Key: []byte(c.Key()), Value: append([]byte{}, c.Value().value...)})
	}
	return dst, "", false, nil
}

// Close drops everything.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return core.ErrStoreClosed
	}
	s.closed, s.m = true, ordered.Map[record]{}
	return nil
}
