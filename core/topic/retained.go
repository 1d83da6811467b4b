package topic

import "sync"

// Retained maps names to one value each, in byte order of the names. The zero
// value is empty and ready; all methods are safe for concurrent use. Its memory
// beyond names and values is about 40 bytes an entry.
type Retained[V any] struct {
	mu   sync.RWMutex
	tree tree[V] // guarded by mu
}

// An Item is a name and its value.
type Item[V any] struct {
	Name  string
	Value V
}

// Set stores v and returns what it takes the place of.
func (r *Retained[V]) Set(name string, v V) (old V, had bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if it := r.tree.get(name); it != nil {
		old, it.Value = it.Value, v
		return old, true
	}
	r.tree.insert(Item[V]{name, v})
	return old, false
}

// Update changes the value of name as fn decides, with nothing in between; keep
// false deletes it. fn must be quick and must not call r.
func (r *Retained[V]) Update(name string, fn func(old V, had bool) (v V, keep bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var old V
	it := r.tree.get(name)
	if it != nil {
		old = it.Value
	}
	v, keep := fn(old, it != nil)
	switch {
	case keep && it != nil:
		it.Value = v
	case keep:
		r.tree.insert(Item[V]{name, v})
	case it != nil:
		r.tree.remove(name)
	}
}

// Get returns the value of name.
func (r *Retained[V]) Get(name string) (v V, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if it := r.tree.get(name); it != nil {
		return it.Value, true
	}
	return v, false
}

// Delete removes name and returns the value that it had.
func (r *Retained[V]) Delete(name string) (old V, had bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if it := r.tree.get(name); it != nil {
		old = it.Value
		return old, r.tree.remove(name)
	}
	return old, false
}

// Len is the number of names.
func (r *Retained[V]) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.tree.size
}
