package topic

import (
	"sync"
	"sync/atomic"
)

// exactShards is how many tables hold the filters without wildcards; each has
// its own lock for writers and its own generation.
const exactShards = 64

// An exact is a filter without wildcards and its values.
type exact[V comparable] struct {
	name string
	vals atomic.Pointer[list[V]] // nil once it was taken out
}

type exactShard[V comparable] struct {
	mu    sync.Mutex // for writers
	table atomic.Pointer[table[exact[V]]]
}

// find looks name up; it is safe beside a writer.
func (s *exactShard[V]) find(tag uint32, name string) *exact[V] {
	t := s.table.Load()
	if t == nil {
		return nil
	}
	mask := uint32(len(t.slots) - 1)
	for i := tag; ; i++ {
		slot := &t.slots[i&mask]
		switch slot.tag.Load() {
		case 0:
			return nil
		case tag:
			if e := slot.entry.Load(); e != nil && e.name == name {
				return e
			}
		}
	}
}

func (s *exactShard[V]) add(tag uint32, name string, v V) {
	if e := s.find(tag, name); e != nil {
		e.vals.Store(e.vals.Load().with(v))
		return
	}
	e := &exact[V]{name: name}
	e.vals.Store(single(v))
	old := s.table.Load()
	if t := old.put(tag, e); t != old {
		s.table.Store(t)
	}
}

func (s *exactShard[V]) remove(tag uint32, name string, v V) bool {
	e := s.find(tag, name)
	if e == nil {
		return false
	}
	rest, found := e.vals.Load().without(v)
	if !found {
		return false
	}
	e.vals.Store(rest)
	if rest == nil {
		old := s.table.Load()
		if t := old.drop(tag, e); t != old {
			s.table.Store(t)
		}
	}
	return true
}

func (s *exactShard[V]) replace(tag uint32, name string, old, v V) bool {
	e := s.find(tag, name)
	if e == nil {
		return false
	}
	l, found := e.vals.Load().replaced(old, v)
	if found {
		e.vals.Store(l)
	}
	return found
}
