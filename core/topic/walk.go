package topic

import "slices"

// A walk is one pass of a name over the trie. It visits a node at most once for
// each level of the name, whatever the number of '#'.
type walk[V comparable] struct {
	trie *trie[V]
	name string
	dst  []V

	// The '#' that were entered below another '#': the first few, and the rest.
	few  [8]*node[V]
	n    int
	more []*node[V]
}

// match appends the values of the filters that match name. With dollar false a
// name that begins with '$' is hidden from leading wildcards.
func (t *trie[V]) match(dst []V, name string, dollar bool) []V {
	n := &t.root
	wild := dollar || !hidden(name)
	if n.kids.Load() == 0 && (!wild || n.plus.Load() == nil && n.hash.Load() == nil) {
		return dst
	}
	w := walk[V]{trie: t, name: name, dst: dst}
	if wild {
		w.from(n, first(name), false)
		return w.dst
	}
	end := levelEnd(name, 0)
	if k := t.child(n, name[:end]); k != nil {
		w.from(k, end+1, false)
	}
	return w.dst
}

// from goes on below n with the level at pos. below says that a '#' was passed
// on the way to n.
func (w *walk[V]) from(n *node[V], pos int, below bool) {
	for {
		if h := n.hash.Load(); h != nil {
			w.hash(h, pos, below)
		}
		if pos > len(w.name) {
			w.emit(n)
			return
		}
		plus := n.plus.Load()
		literal := n.kids.Load() != 0
		if plus == nil && !literal {
			return
		}
		end := levelEnd(w.name, pos)
		var k *node[V]
		if literal {
			k = w.trie.child(n, w.name[pos:end])
		}
		switch {
		case plus == nil && k == nil:
			return
		case k == nil:
			k = plus
		case plus != nil:
			w.from(plus, end+1, below)
		}
		n, pos = k, end+1
	}
}

// hash enters a node '#' with the levels from pos on for it to take. When it is
// entered again, which only a '#' above can bring about, that is at a later
// level, so the first visit has found everything.
func (w *walk[V]) hash(h *node[V], pos int, below bool) {
	if below && w.again(h) {
		return
	}
	w.emit(h)
	for pos <= len(w.name) && (h.kids.Load() != 0 || h.plus.Load() != nil) {
		end := levelEnd(w.name, pos)
		if plus := h.plus.Load(); plus != nil {
			w.from(plus, end+1, true)
		}
		if h.kids.Load() != 0 {
			if k := w.trie.child(h, w.name[pos:end]); k != nil {
				w.from(k, end+1, true)
			}
		}
		pos = end + 1
	}
}

func (w *walk[V]) emit(n *node[V]) {
	if l := n.vals.Load(); l != nil {
		w.dst = l.appendTo(w.dst)
	}
}

// again remembers h and says whether it was known.
func (w *walk[V]) again(h *node[V]) bool {
	if slices.Contains(w.few[:w.n], h) || slices.Contains(w.more, h) {
		return true
	}
	if w.n < len(w.few) {
		w.few[w.n] = h
		w.n++
	} else {
		w.more = append(w.more, h)
	}
	return false
}
