package topic

import "slices"

// A list is the values of one filter in the order of their insertion. Unless it
// is big, it never changes once published; appending shares the array behind
// it, which readers of the shorter list do not look at.
type list[V comparable] struct {
	vals []V
	one  [1]V    // the array behind vals when there is a single value
	big  *big[V] // holds all values when there are many; changes in place
}

const (
	bigMin = 512 // a list longer than this becomes big
	bigMax = 128 // a big list shorter than this becomes a plain one
)

func single[V comparable](v V) *list[V] {
	l := &list[V]{one: [1]V{v}}
	l.vals = l.one[:]
	return l
}

// appendTo appends the values to dst; it is safe beside a writer.
func (l *list[V]) appendTo(dst []V) []V {
	if l.big != nil {
		return l.big.appendTo(dst)
	}
	return append(dst, l.vals...)
}

// with is l and v after it; l may be nil.
func (l *list[V]) with(v V) *list[V] {
	switch {
	case l == nil:
		return single(v)
	case l.big != nil:
		l.big.add(v)
		return l
	case len(l.vals) == bigMin:
		return &list[V]{big: newBig(append(slices.Clone(l.vals), v))}
	}
	return &list[V]{vals: append(l.vals, v)}
}

// without is l less one v, nil if nothing is left.
func (l *list[V]) without(v V) (rest *list[V], found bool) {
	if l == nil {
		return nil, false
	}
	if l.big != nil {
		return l.shrunk(v)
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

// shrunk is without for a big list.
func (l *list[V]) shrunk(v V) (*list[V], bool) {
	if !l.big.remove(v) {
		return l, false
	}
	if l.big.size >= bigMax {
		return l, true
	}
	return &list[V]{vals: l.big.appendTo(nil)}, true
}

// replaced is l with one old changed to v, at the same place.
func (l *list[V]) replaced(old, v V) (*list[V], bool) {
	if l == nil {
		return nil, false
	}
	if l.big != nil {
		return l, l.big.replace(old, v)
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
