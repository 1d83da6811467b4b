package topic

import (
	"sync"
	"sync/atomic"
)

// A trie holds the filters with wildcards, one node a level. The children of
// literal levels of all nodes are in the same few tables, found by (node,
// level); the wildcard children hang on the node. Readers never lock.
type trie[V comparable] struct {
	root  node[V]
	edges [edgeShards]atomic.Pointer[table[node[V]]]

	mu   sync.Mutex // for writers
	last uint32     // guarded by mu: the last id given to a node
}

const edgeShards = 64

// A node is one level of one or more filters.
type node[V comparable] struct {
	level  string   // immutable
	parent *node[V] // immutable; nil for the root
	id     uint32   // immutable; part of the hash of the node's edges

	kids atomic.Int32            // literal children
	vals atomic.Pointer[list[V]] // of the filter that ends here
	plus atomic.Pointer[node[V]] // the child '+'
	hash atomic.Pointer[node[V]] // the child '#'
}

// edgeHash spreads the edges with one label over the tables by their parent.
func edgeHash(label uint64, id uint32) uint64 {
	return label ^ uint64(id)*0x9E3779B97F4A7C15
}

// child finds the literal child; it is safe beside a writer.
func (t *trie[V]) child(n *node[V], level string) *node[V] {
	return t.childAt(edgeHash(hashOf(level), n.id), n, level)
}

// childAt is child with the hash of the edge.
func (t *trie[V]) childAt(h uint64, n *node[V], level string) *node[V] {
	tab := t.edges[h>>58].Load()
	if tab == nil {
		return nil
	}
	tag, mask := tagOf(h), uint32(len(tab.slots)-1)
	for i := tag; ; i++ {
		s := &tab.slots[i&mask]
		switch s.tag.Load() {
		case 0:
			return nil
		case tag:
			if k := s.entry.Load(); k != nil && k.parent == n && k.level == level {
				return k
			}
		}
	}
}

// down finds the child for one level of a filter.
func (t *trie[V]) down(n *node[V], level string) *node[V] {
	switch level {
	case "+":
		return n.plus.Load()
	case "#":
		return n.hash.Load()
	}
	return t.child(n, level)
}

// find walks to the node of a filter, nil if there is none.
func (t *trie[V]) find(filter string) *node[V] {
	n := &t.root
	for pos := 0; pos <= len(filter) && n != nil; {
		end := levelEnd(filter, pos)
		n = t.down(n, filter[pos:end])
		pos = end + 1
	}
	return n
}

func (t *trie[V]) add(filter string, v V) {
	n := &t.root
	for pos := 0; pos <= len(filter); {
		end := levelEnd(filter, pos)
		n, pos = t.reach(n, filter[pos:end]), end+1
	}
	n.vals.Store(n.vals.Load().with(v))
}

// reach finds the child for one level of a filter, or adds it. Its level is a
// part of the filter's text, which it keeps in memory: the node lives as long as
// some filter that begins like this one.
func (t *trie[V]) reach(n *node[V], level string) *node[V] {
	wild := n.wild(level)
	if wild != nil {
		k := wild.Load()
		if k == nil {
			k = t.newNode(n, level)
			wild.Store(k)
		}
		return k
	}
	h := edgeHash(hashOf(level), n.id)
	if n.kids.Load() > 0 {
		if k := t.childAt(h, n, level); k != nil {
			return k
		}
	}
	k := t.newNode(n, level)
	n.kids.Add(1) // first, for readers skip the table without it
	p := &t.edges[h>>58]
	old := p.Load()
	if tab := old.put(tagOf(h), k); tab != old {
		p.Store(tab)
	}
	return k
}

// wild is where the child for a wildcard is, nil if level is none.
func (n *node[V]) wild(level string) *atomic.Pointer[node[V]] {
	switch level {
	case "+":
		return &n.plus
	case "#":
		return &n.hash
	}
	return nil
}

func (t *trie[V]) newNode(parent *node[V], level string) *node[V] {
	t.last++
	return &node[V]{level: level, parent: parent, id: t.last}
}

func (t *trie[V]) remove(filter string, v V) bool {
	n := t.find(filter)
	if n == nil {
		return false
	}
	rest, found := n.vals.Load().without(v)
	if found {
		n.vals.Store(rest)
		t.prune(n)
	}
	return found
}

// prune takes n and its parents out while they lead nowhere.
func (t *trie[V]) prune(n *node[V]) {
	for n.parent != nil && n.vals.Load() == nil && n.plus.Load() == nil && n.hash.Load() == nil && n.kids.Load() == 0 {
		p := n.parent
		switch n.level {
		case "+":
			p.plus.Store(nil)
		case "#":
			p.hash.Store(nil)
		default:
			h := edgeHash(hashOf(n.level), p.id)
			at := &t.edges[h>>58]
			old := at.Load()
			if tab := old.drop(tagOf(h), n); tab != old {
				at.Store(tab)
			}
			p.kids.Add(-1)
		}
		n = p
	}
}

func (t *trie[V]) replace(filter string, old, v V) bool {
	n := t.find(filter)
	if n == nil {
		return false
	}
	l, found := n.vals.Load().replaced(old, v)
	if found {
		n.vals.Store(l)
	}
	return found
}
