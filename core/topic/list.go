package topic

import "slices"

// A list is the values of one filter in the order of their insertion. It never
// changes once published; appending shares the array behind it, which readers
// of the shorter list do not look at.
type list[V comparable] struct {
	vals []V
	one  [1]V // the array behind vals when there is a single value
}

func single[V comparable](v V) *list[V] {
	l := &list[V]{one: [1]V{v}}
	l.vals = l.one[:]
	return l
}

// with is l and v after it; l may be nil.
func (l *list[V]) with(v V) *list[V] {
	if l == nil || len(l.vals) == 0 {
		return single(v)
	}
	return &list[V]{vals: append(l.vals, v)}
}

// without is l less its first v, nil if nothing is left.
func (l *list[V]) without(v V) (rest *list[V], found bool) {
	if l == nil {
		return nil, false
	}
	i := slices.Index(l.vals, v)
	switch {
	case i < 0:
		return l, false
	case len(l.vals) == 1:
		return nil, true
	case len(l.vals) == 2:
		return single(l.vals[1-i]), true
	}
	vals := make([]V, 0, len(l.vals)-1)
	return &list[V]{vals: append(append(vals, l.vals[:i]...), l.vals[i+1:]...)}, true
}

// replaced is l with its first old changed to v, at the same place.
func (l *list[V]) replaced(old, v V) (*list[V], bool) {
	if l == nil {
		return nil, false
	}
	i := slices.Index(l.vals, old)
	if i < 0 {
		return l, false
	}
	if len(l.vals) == 1 {
		return single(v), true
	}
	n := &list[V]{vals: slices.Clone(l.vals)}
	n.vals[i] = v
	return n, true
}
