package adaptertest

import (
	"bytes"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/entrepot/entrepot/core"
)

// Store is a core.Store in memory. It outlives the routers of one test, and
// fails when it is told to.
type Store struct {
	mu     sync.Mutex
	m      map[string][]byte
	err    error
	writes int
}

var _ core.Store = (*Store)(nil)

// NewStore makes an empty store.
func NewStore() *Store { return &Store{m: map[string][]byte{}} }

// Fail makes every write from now on return err; nil ends that.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Writes counts the calls of Write that succeeded.
func (s *Store) Writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// Write applies the batches.
func (s *Store) Write(batches []*core.Batch, _ bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.writes++
	for _, b := range batches {
		for kind, r := range b.All() {
			switch kind {
			case core.OpSet:
				s.m[string(r.Key)] = bytes.Clone(r.Value)
			case core.OpDelete:
				delete(s.m, string(r.Key))
			case core.OpDeleteRange:
				for k := range s.m {
					if k >= string(r.Key) && k < string(r.Value) {
						delete(s.m, k)
					}
				}
			}
		}
	}
	return nil
}

// Get reads one value.
func (s *Store) Get(key []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.m[string(key)]), nil
}

// Scan walks a snapshot.
func (s *Store) Scan(from, to []byte) iter.Seq2[core.Record, error] {
	s.mu.Lock()
	var all []core.Record
	for k, v := range s.m {
		if k >= string(from) && k < string(to) {
			all = append(all, core.Record{Key: []byte(k), Value: v})
		}
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b core.Record) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return func(yield func(core.Record, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Close does nothing, so that another router may load the store.
func (s *Store) Close() error { return nil }
