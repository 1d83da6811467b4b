package topic

import "slices"

// A list is the values of one filter in the order of their insertion. Unless it
// is big, it never changes once published; appending shares the array behind
// it, which readers of the shorter list do not look at.
type list[V comparable] struct {
	one  V        // the value, when there is a single one
	more *many[V] // all of them, when there are more; nil: one alone
}

// many is two values or more.
type many[V comparable] struct {
	vals []V
	big  *big[V] // holds all values when there are many; changes in place
}

const (
	bigMin = 512 // a list longer than this becomes big
	bigMax = 128 // a big list shorter than this becomes a plain one
)

func single[V comparable](v V) *list[V] { return &list[V]{one: v} }

// several is a list of two values or more, or a big one.
func several[V comparable](m many[V]) *list[V] {
	x := &struct {
		list[V]
		many many[V]
	}{many: m}
	x.more = &x.many
	return &x.list
}

// listed is a list of the values, which are not changed any more.
func listed[V comparable](vals []V) *list[V] {
	if len(vals) == 1 {
		return single(vals[0])
	}
	return several(many[V]{vals: vals})
}

// appendTo appends the values to dst; it is safe beside a writer.
func (l *list[V]) appendTo(dst []V) []V {
	switch {
	case l.more == nil:
		return append(dst, l.one)
	case l.more.big != nil:
		return l.more.big.appendTo(dst)
	}
	return append(dst, l.more.vals...)
}

// with is l and v after it; l may be nil.
func (l *list[V]) with(v V) *list[V] {
	switch {
	case l == nil:
		return single(v)
	case l.more == nil:
		return listed([]V{l.one, v})
	case l.more.big != nil:
		l.more.big.add(v)
		return l
	case len(l.more.vals) == bigMin:
		return several(many[V]{big: newBig(append(slices.Clone(l.more.vals), v))})
	}
	return listed(append(l.more.vals, v))
}

// without is l less one v, nil if nothing is left.
func (l *list[V]) without(v V) (rest *list[V], found bool) {
	switch {
	case l == nil || l.more == nil && l.one != v:
		return l, false
	case l.more == nil:
		return nil, true
	case l.more.big != nil:
		return l.shrunk(v)
	}
	old := l.more.vals
	i := slices.Index(old, v)
	if i < 0 {
		return l, false
	}
	vals := make([]V, 0, len(old)-1)
	return listed(append(append(vals, old[:i]...), old[i+1:]...)), true
}

// shrunk is without for a big list.
func (l *list[V]) shrunk(v V) (*list[V], bool) {
	big := l.more.big
	if !big.remove(v) {
		return l, false
	}
	if big.size >= bigMax {
		return l, true
	}
	return listed(big.appendTo(nil)), true
}

// replaced is l with one old changed to v, at the same place.
func (l *list[V]) replaced(old, v V) (*list[V], bool) {
	switch {
	case l == nil || l.more == nil && l.one != old:
		return l, false
	case l.more == nil:
		return single(v), true
	case l.more.big != nil:
		return l, l.more.big.replace(old, v)
	}
	i := slices.Index(l.more.vals, old)
	if i < 0 {
		return l, false
	}
	vals := slices.Clone(l.more.vals)
	vals[i] = v
	return listed(vals), true
}
