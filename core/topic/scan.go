package topic

import (
	"strings"

	"github.com/entrepot/entrepot/core/ordered"
)

// Scan appends to dst the values whose names filter matches, in byte order of
// the names and above after, and looks at no more than budget names (at least
// one). Unless done, the next call goes on with after set to next, which keeps no
// value alive. Names that come or go between two slices may be seen or not; all
// others are seen once. The filter may be wide; '$' has the meaning of
// [MQTT-4.7.2-1].
func (r *Retained[V]) Scan(dst []V, filter, after string, budget int) (values []V, next string, done bool) {
	q := newSeeker(filter)
	r.mu.RLock()
	defer r.mu.RUnlock()
	c, done := resume(&r.tree, &q, after)
	for n := 0; !done && c.Valid(); n++ {
		if n > 0 && n >= budget {
			return dst, strings.Clone(next), false
		}
		if q.inside != "" && n < budget { // what a page has of a subtree: no name is looked at
			if run := c.Below(view(q.past)); len(run) > 0 {
				take := min(len(run), budget-n)
				dst = append(dst, run[:take]...)
				next = run[take-1].Key()
				c.Skip(take)
				n += take - 1
				continue
			}
		}
		next = c.Key()
		switch q.look(next) {
		case lookMatch:
			dst = append(dst, c.Value())
			c.Next()
		case lookOne:
			dst = append(dst, c.Value())
			c.Forward(view(q.target))
		case lookStep:
			c.Next()
		case lookSeek:
			c.Forward(view(q.target))
		case lookDone:
			done = true
		}
	}
	return dst, "", true
}

// glance is how many names Nothing looks at before it gives up.
const glance = 4

// Nothing says whether filter matches no name at all. It looks at a few names
// and may say no without need, never yes wrongly.
func (r *Retained[V]) Nothing(filter string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.tree.Len() == 0 {
		return true
	}
	if !IsFilter(filter) {
		return r.tree.At(filter) == nil
	}
	q := newSeeker(filter)
	c := r.tree.Seek(q.prefix)
	for range glance {
		if !c.Valid() {
			return true
		}
		switch q.look(c.Key()) {
		case lookMatch, lookOne:
			return false
		case lookStep:
			c.Next()
		case lookSeek:
			c.Forward(view(q.target))
		case lookDone:
			return true
		}
	}
	return false
}

// resume is a cursor at the first name above after that may match, unless none
// can.
func resume[V ordered.Keyed](m *ordered.Map[V], q *seeker, after string) (c ordered.Cursor[V], done bool) {
	if after == "" || after < q.prefix {
		return m.Seek(q.prefix), false
	}
	switch q.look(after) { // the name that the last slice ended with
	case lookDone:
		return c, true
	case lookSeek, lookOne:
		return m.Seek(view(q.target)), false
	}
	if c = m.Seek(after); c.Valid() && c.Key() == after {
		c.Next()
	}
	return c, false
}
