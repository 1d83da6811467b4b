package ordered

import (
	"sort"
	"strings"
)

// A page is one node of the tree: a leaf, or an inner page with one child more
// than keys. Key i is above all of child i and not above any of child i+1.
type page[V Keyed] struct {
	prefix string     // all keys begin with it
	heads  heads      // what follows in each
	vals   []V        // of a leaf: its keys are theirs
	next   *page[V]   // of a leaf: the one after it
	inner  *branch[V] // of an inner page; nil: a leaf
	rising uint8      // of a leaf: behind where the last value was added; 0: a split came since
}

// branch is what an inner page has: keys of its own, which keep nobody's value.
type branch[V Keyed] struct {
	names []string
	kids  []*page[V]
}

// pageMax bounds the values or children of a page; with fewer than pageMin it
// is joined with a sibling. A page gets room for pageStep more at a time.
const (
	pageMax  = 64
	pageMin  = 20
	pageStep = 16
)

func (p *page[V]) leaf() bool { return p.inner == nil }

// len is what pageMax bounds.
func (p *page[V]) len() int {
	if p.leaf() {
		return len(p.vals)
	}
	return len(p.inner.kids)
}

func (p *page[V]) key(i int) string {
	if p.leaf() {
		return p.vals[i].Key()
	}
	return p.inner.names[i]
}

// lower is the index of the first key not below key.
func (p *page[V]) lower(key string) int {
	if !strings.HasPrefix(key, p.prefix) {
		if key < p.prefix {
			return 0
		}
		return p.heads.len()
	}
	lo, hi := p.heads.lower(key[len(p.prefix):])
	if lo == hi {
		return lo
	}
	return lo + sort.Search(hi-lo, func(i int) bool { return p.key(lo+i) >= key })
}

// upper is the index of the first key above key.
func (p *page[V]) upper(key string) int {
	i, found := p.find(key)
	if found {
		i++
	}
	return i
}

// find is the index of key, if it is there.
func (p *page[V]) find(key string) (int, bool) {
	i := p.lower(key)
	return i, i < p.heads.len() && p.key(i) == key
}

// down is the leaf that holds key, if any does.
func (p *page[V]) down(key string) *page[V] {
	for !p.leaf() {
		p = p.inner.kids[p.upper(key)]
	}
	return p
}

// room is for how many values a page that is full of its own n gets room: one
// that fills slowly is not to have room for as much again, but where keys ascend
// it fills soon.
func (p *page[V]) room(n int) int {
	if n > 0 && int(p.rising) == n {
		return pageMax
	}
	return (n/pageStep + 1) * pageStep
}

// noteKey gives key, which is that of index i by now, its head.
func (p *page[V]) noteKey(i int, key string) {
	if p.heads.len() == 0 || !strings.HasPrefix(key, p.prefix) {
		p.settle()
		return
	}
	if !p.heads.insert(i, key[len(p.prefix):], p.room(p.heads.len())) && p.heads.width < headsMost {
		p.settle()
	}
}

// settle computes prefix and heads anew.
func (p *page[V]) settle() {
	n := len(p.vals)
	if !p.leaf() {
		n = len(p.inner.names)
	}
	if n == 0 {
		p.prefix, p.heads.of = "", p.heads.of[:0]
		return
	}
	first := p.key(0)
	skip := common(first, p.key(n-1))
	if same := first[:skip]; same != p.prefix {
		p.prefix = strings.Clone(same)
	}
	alike, last := 0, first[skip:]
	for i := 1; i < n; i++ {
		rest := p.key(i)[skip:]
		alike, last = max(alike, common(last, rest)), rest
	}
	w := min(alike/8+1, headsMost)
	if size := n * w; cap(p.heads.of) < size || w < p.heads.width {
		p.heads.of = make([]uint64, size, max(size, cap(p.vals)*w))
	}
	p.heads.width, p.heads.of = w, p.heads.of[:n*w]
	for i := range n {
		p.heads.put(i, p.key(i)[skip:])
	}
}
