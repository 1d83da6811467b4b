package topic

import (
	"iter"
	"slices"
	"sync/atomic"
)

// IndexOptions chooses how an Index matches.
type IndexOptions struct {
	// Dollar true: '$' has no meaning, as in a topic exchange that AMQP
	// declared. False: a filter that begins with a wildcard never matches a name
	// that begins with '$' [MQTT-4.7.2-1].
	Dollar bool
}

// An Index maps filters to values; a filter may have several. Filters must have
// passed CheckFilter or CheckWideFilter and, if wide, Normalize; the empty
// filter matches the empty name alone. All methods are safe for concurrent use,
// and reading never waits for writing.
type Index[V comparable] struct {
	options IndexOptions // immutable
	exact   [exactShards]exactShard[V]
	wild    trie[V]
	gen     generations
	pairs   atomic.Int64
}

// NewIndex makes an empty index.
func NewIndex[V comparable](o IndexOptions) *Index[V] {
	return &Index[V]{options: o}
}

// Add puts v behind the values that filter has. The same value may be added
// more than once.
func (x *Index[V]) Add(filter string, v V) {
	x.change(filter, func(s *exactShard[V], tag uint32) bool {
		if s != nil {
			s.add(tag, filter, v)
		} else {
			x.wild.add(filter, v)
		}
		return true
	})
	x.pairs.Add(1)
}

// Remove takes one v of filter away and says whether there was one. Once
// it returns, no match begun later finds it.
func (x *Index[V]) Remove(filter string, v V) bool {
	found := x.change(filter, func(s *exactShard[V], tag uint32) bool {
		if s != nil {
			return s.remove(tag, filter, v)
		}
		return x.wild.remove(filter, v)
	})
	if found {
		x.pairs.Add(-1)
	}
	return found
}

// Replace changes one old of filter to v, in its place: every match finds
// exactly one of the two. It says whether there was one.
func (x *Index[V]) Replace(filter string, old, v V) bool {
	return x.change(filter, func(s *exactShard[V], tag uint32) bool {
		if s != nil {
			return s.replace(tag, filter, old, v)
		}
		return x.wild.replace(filter, old, v)
	})
}

// change runs fn under the lock of the filter's shard (nil: the trie's), then
// counts the change where matches that it may alter look.
func (x *Index[V]) change(filter string, fn func(s *exactShard[V], tag uint32) bool) bool {
	if IsFilter(filter) {
		x.wild.mu.Lock()
		defer x.wild.mu.Unlock()
		done := fn(nil, 0)
		if done && leadingWildcard(filter) {
			x.gen.wild.Add(1)
		} else if done {
			x.gen.levels[hashOf(firstLevel(filter))%64].Add(1)
		}
		return done
	}
	h := hashOf(filter)
	s := &x.exact[h>>58]
	s.mu.Lock()
	defer s.mu.Unlock()
	done := fn(s, tagOf(h))
	if done {
		x.gen.exact[h>>32%256].Add(1)
	}
	return done
}

func firstLevel(s string) string { return s[:levelEnd(s, 0)] }

// Match appends to dst the values of all filters that match name, each
// (filter, value) once: those of the filter that equals name first, in order of
// insertion. It allocates nothing but dst's growth. The stamp serves Current.
func (x *Index[V]) Match(dst []V, name string) ([]V, Stamp) {
	h := hashOf(name)
	stamp := x.gen.stamp(h, hashOf(firstLevel(name)))
	if e := x.exact[h>>58].find(tagOf(h), name); e != nil {
		if l := e.vals.Load(); l != nil {
			dst = l.appendTo(dst)
		}
	}
	return x.wild.match(dst, name, x.options.Dollar), stamp
}

// Current says whether a match with this stamp would give the same values now.
// It may say no without need, never yes wrongly.
func (x *Index[V]) Current(s Stamp) bool { return x.gen.current(s) }

// Len is the number of (filter, value) pairs.
func (x *Index[V]) Len() int { return int(x.pairs.Load()) }

// Filters walks the (filter, value) pairs in no particular order. Pairs that
// come or go meanwhile may be seen or not.
func (x *Index[V]) Filters() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for i := range x.exact {
			t := x.exact[i].table.Load()
			for e := range t.entries() {
				if !yieldAll(e.name, e.vals.Load(), yield) {
					return
				}
			}
		}
		if !x.wild.root.walkWild(yield) {
			return
		}
		for i := range x.wild.edges {
			for n := range x.wild.edges[i].Load().entries() {
				if !yieldAll(n.filter(), n.vals.Load(), yield) || !n.walkWild(yield) {
					return
				}
			}
		}
	}
}

// entries walks the entries of a table, which may be nil.
func (t *table[E]) entries() iter.Seq[*E] {
	return func(yield func(*E) bool) {
		if t == nil {
			return
		}
		for i := range t.slots {
			if e := t.slots[i].entry.Load(); e != nil && !yield(e) {
				return
			}
		}
	}
}

// walkWild yields what is below n by wildcards alone.
func (n *node[V]) walkWild(yield func(string, V) bool) bool {
	for _, k := range []*node[V]{n.plus.Load(), n.hash.Load()} {
		if k != nil && (!yieldAll(k.filter(), k.vals.Load(), yield) || !k.walkWild(yield)) {
			return false
		}
	}
	return true
}

// filter writes out the filter that ends at n.
func (n *node[V]) filter() string {
	size := -1
	for p := n; p.parent != nil; p = p.parent {
		size += len(p.level) + 1
	}
	text := make([]byte, 0, max(size, 0))
	var path []*node[V]
	for p := n; p.parent != nil; p = p.parent {
		path = append(path, p)
	}
	for _, p := range slices.Backward(path) {
		if len(path) > 0 && p != path[len(path)-1] {
			text = append(text, '/')
		}
		text = append(text, p.level...)
	}
	return string(text)
}

func yieldAll[V comparable](filter string, l *list[V], yield func(string, V) bool) bool {
	if l == nil {
		return true
	}
	for _, v := range l.appendTo(nil) {
		if !yield(filter, v) {
			return false
		}
	}
	return true
}
