package topic

import (
	"sync"

	"github.com/entrepot/entrepot/core/ordered"
)

// Retained holds values that know their names, one a name, in byte order of the
// names. The zero value is empty and ready; all methods are safe for concurrent
// use. Its memory beyond the values is about 14 to 22 bytes an entry.
type Retained[V ordered.Keyed] struct {
	mu   sync.RWMutex
	tree ordered.Map[V] // guarded by mu
}

// Set puts a value at its name and returns what it takes the place of.
func (r *Retained[V]) Set(v V) (old V, had bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tree.Set(v)
}

// Update changes the value of name as fn decides, with nothing in between; keep
// false deletes it, and what is kept has that name. fn must be quick and must not
// call r.
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
		r.tree.Set(v)
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
