package core_test

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/entrepot/entrepot/core"
)

// mapStore is a store for core's own tests; write can be made to fail.
type mapStore struct {
	mu     sync.Mutex
	m      map[string]string
	writes int // calls of Write
	err    error
	deaf   atomic.Bool               // messages cannot be read
	hold   chan struct{}             // when set, Write waits for a value
	seen   func(m map[string]string) // when set, is shown what each Write leaves
}

func newMapStore() *mapStore { return &mapStore{m: map[string]string{}} }

func (s *mapStore) Write(batches []*core.Batch, _ bool) error {
	s.mu.Lock()
	hold := s.hold
	s.mu.Unlock()
	if hold != nil {
		<-hold
	}
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
				if kind, what, err := core.CheckRecord(r); err != nil { // whatever is written can be read
					panic(fmt.Sprintf("the record of a %s (%s, key %q): %v", kind, what, r.Key, err))
				}
				s.m[string(r.Key)] = string(r.Value)
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
	if s.seen != nil {
		s.seen(s.m)
	}
	return nil
}

func (s *mapStore) watch(f func(m map[string]string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = f
}

// crashed is a copy of what is stored at this moment.
func (s *mapStore) crashed() *mapStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &mapStore{m: maps.Clone(s.m)}
}

func (s *mapStore) Get(key []byte) ([]byte, error) {
	if key[0] == 'm' && s.deaf.Load() {
		return nil, errors.New("it cannot be read now")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.m[string(key)]; ok {
		return []byte(v), nil
	}
	return nil, nil
}

func (s *mapStore) Scan(from, to []byte) iter.Seq2[core.Record, error] {
	s.mu.Lock()
	var keys []string
	for k := range s.m {
		if k >= string(from) && k < string(to) {
			keys = append(keys, k)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(keys, strings.Compare)
	return func(yield func(core.Record, error) bool) {
		for _, k := range keys {
			v, _ := s.Get([]byte(k))
			if !yield(core.Record{Key: []byte(k), Value: v}, nil) {
				return
			}
		}
	}
}

func (s *mapStore) Close() error { return nil }

func (s *mapStore) count(kind byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for k := range s.m {
		if k[0] == kind {
			n++
		}
	}
	return n
}
