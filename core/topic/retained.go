package topic

import (
	"sync"

	"github.com/entrepot/entrepot/core/ordered"
)

// Retained maps names to one value each, in byte order of the names. The zero
// value is empty and ready; all methods are safe for concurrent use. Its memory
// beyond names and values is about 40 bytes an entry.
type Retained[V any] struct {
	mu   sync.RWMutex
	tree ordered.Map[V] // guarded by mu
}

// An Item is a name and its value. The name shares memory with its neighbours:
// clone it to keep it for long.
type Item[V any] struct {
	Name  string
	Value V
}

// Set stores v and returns what it takes the place of.
func (r *Retained[V]) Set(name string, v V) (old V, had bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tree.Set(name, v)
}

// Update changes the value of name as fn decides, with nothing in between; keep
// false deletes it. fn must be quick and must not call r.
func (r *Retained[V]) Update(name string, fn func(old V, had bool) (v V, keep bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.tree.At(name)
	var old V
	if at != nil {
		old = *at
	}
	v, keep := fn(old, at != nil)
	switch {
	case keep && at != nil:
		*at = v
	case keep:
		r.tree.Set(name, v)
	case at != nil:
		r.tree.Delete(name)
	}
}

// Get returns the value of name.
func (r *Retained[V]) Get(name string) (v V, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if at := r.tree.At(name); at != nil {
		return *at, true
	}
	return v, false
}

// Delete removes name and returns the value that it had.
func (r *Retained[V]) Delete(name string) (old V, had bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tree.Delete(name)
}

// Len is the number of names.
func (r *Retained[V]) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.tree.Len()
}
