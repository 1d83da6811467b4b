package ordered

import (
	"slices"
	"strings"
)

// A change is what became of a set: the value that was there, and if the page
// was split, its new right sibling and the key between the two.
type change[V Keyed] struct {
	old     V
	had     bool
	between string
	right   *page[V]
}

// set puts v, whose key is key, below p.
func (p *page[V]) set(key string, v V) (c change[V]) {
	if p.leaf() {
		return p.setLeaf(key, v)
	}
	i := p.upper(key)
	c = p.inner.kids[i].set(key, v)
	if c.right == nil {
		return c
	}
	p.adopt(i, c.between, c.right)
	c.between, c.right = "", nil
	if len(p.inner.kids) > pageMax {
		c.between, c.right = p.splitInner()
	}
	return c
}

// adopt makes right the child after child i.
func (p *page[V]) adopt(i int, between string, right *page[V]) {
	p.inner.names = slices.Insert(p.inner.names, i, between)
	p.inner.kids = slices.Insert(p.inner.kids, i+1, right)
	p.noteKey(i, between)
}

func (p *page[V]) setLeaf(key string, v V) (c change[V]) {
	i, found := p.find(key)
	switch {
	case found:
		c.old, c.had, p.vals[i] = p.vals[i], true, v
	case len(p.vals) < pageMax:
		p.add(i, key, v)
	case i == len(p.vals) && (p.next == nil || int(p.rising) == i): // ascending keys fill their pages
		c.right = &page[V]{next: p.next}
		c.right.add(0, key, v)
		p.next, p.rising, c.between = c.right, 0, strings.Clone(key)
	default:
		cut := len(p.vals) / 2
		if i > 0 && i < len(p.vals) && int(p.rising) == i { // what is above is not of those that ascend
			cut = i
		}
		c.between, c.right = p.splitLeaf(cut)
		if i > cut {
			c.right.add(i-cut, key, v)
		} else {
			p.add(i, key, v)
		}
	}
	return c
}

// add puts v to index i.
func (p *page[V]) add(i int, key string, v V) {
	if n := len(p.vals); n == cap(p.vals) {
		p.vals = append(make([]V, 0, p.room(n)), p.vals...)
	}
	p.vals = slices.Insert(p.vals, i, v)
	p.noteKey(i, key)
	p.rising = uint8(i + 1)
}

// splitLeaf gives what is from cut on to a new page.
func (p *page[V]) splitLeaf(cut int) (string, *page[V]) {
	right := &page[V]{vals: slices.Clone(p.vals[cut:]), next: p.next}
	p.vals, p.heads, p.next, p.rising = slices.Clone(p.vals[:cut]), heads{}, right, 0
	p.settle()
	right.settle()
	return strings.Clone(right.key(0)), right
}

func (p *page[V]) splitInner() (string, *page[V]) {
	x := p.inner
	cut := len(x.kids) / 2
	between := x.names[cut-1]
	right := &page[V]{inner: &branch[V]{names: slices.Clone(x.names[cut:]), kids: slices.Clone(x.kids[cut:])}}
	x.names, x.kids, p.heads = slices.Clone(x.names[:cut-1]), slices.Clone(x.kids[:cut]), heads{}
	p.settle()
	right.settle()
	return between, right
}

// delete removes key below p.
func (p *page[V]) delete(key string) (old V, had bool) {
	if p.leaf() {
		i, found := p.find(key)
		if found {
			old, had = p.vals[i], true
			p.drop(i, i+1)
		}
		return old, had
	}
	i := p.upper(key)
	if old, had = p.inner.kids[i].delete(key); had {
		p.even(i)
	}
	return old, had
}

// cut removes the keys from (inclusive) to (exclusive) that are in the leaf
// where from belongs, and returns how many they were.
func (p *page[V]) cut(from, to string) int {
	if p.leaf() {
		i, j := p.lower(from), p.lower(to)
		p.drop(i, j)
		return j - i
	}
	i := p.upper(from)
	n := p.inner.kids[i].cut(from, to)
	p.even(i)
	return n
}

// drop removes the values from i to j of a leaf.
func (p *page[V]) drop(i, j int) {
	p.heads.remove(i, j)
	p.vals = slices.Delete(p.vals, i, j)
}

// even joins child i with a sibling if it has become too small.
func (p *page[V]) even(i int) {
	if p.inner.kids[i].len() < pageMin {
		p.join(max(i-1, 0))
	}
}

// join merges the children i and i+1, or evens them out if they are too much
// for one page.
func (p *page[V]) join(i int) {
	x := p.inner
	l, r := x.kids[i], x.kids[i+1]
	if l.leaf() {
		l.vals, l.next = slices.Concat(l.vals, r.vals), r.next
	} else {
		l.inner.names = slices.Concat(l.inner.names, x.names[i:i+1], r.inner.names)
		l.inner.kids = slices.Concat(l.inner.kids, r.inner.kids)
	}
	p.heads.remove(i, i+1)
	x.names = slices.Delete(x.names, i, i+1)
	x.kids = slices.Delete(x.kids, i+1, i+2)
	if l.len() <= pageMax {
		l.settle()
		return
	}
	between, right := "", (*page[V])(nil)
	if l.leaf() {
		between, right = l.splitLeaf(len(l.vals) / 2)
	} else {
		between, right = l.splitInner()
	}
	p.adopt(i, between, right)
}
