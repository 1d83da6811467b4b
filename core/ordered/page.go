package ordered

import "slices"

// A page is one node of the tree: a leaf, or an inner page with one child more
// than keys. Key i is above all of child i and not above any of child i+1.
type page[V any] struct {
	keys
	vals []V        // of a leaf
	next *page[V]   // of a leaf: the one after it
	kids []*page[V] // of an inner page
}

// pageMax bounds the values or children of a page; with fewer than pageMin it
// is joined with a sibling.
const (
	pageMax = 64
	pageMin = 20
)

func (p *page[V]) leaf() bool { return p.kids == nil }

func (p *page[V]) len() int {
	if p.leaf() {
		return len(p.vals)
	}
	return len(p.kids)
}

// down is the leaf that holds key, if any does.
func (p *page[V]) down(key string) *page[V] {
	for !p.leaf() {
		p = p.kids[p.upper(key)]
	}
	return p
}

// A change is what became of a set: the value that was there, and if the page
// was split, its new right sibling and the key between the two.
type change[V any] struct {
	old     V
	had     bool
	between string
	right   *page[V]
}

// set gives key a value below p.
func (p *page[V]) set(key string, v V) (c change[V]) {
	if p.leaf() {
		return p.setLeaf(key, v)
	}
	i := p.upper(key)
	c = p.kids[i].set(key, v)
	if c.right == nil {
		return c
	}
	p.keys.insert(i, c.between)
	p.kids = slices.Insert(p.kids, i+1, c.right)
	c.between, c.right = "", nil
	if len(p.kids) > pageMax {
		c.between, c.right = p.splitInner()
	}
	return c
}

func (p *page[V]) setLeaf(key string, v V) (c change[V]) {
	i, found := p.find(key)
	if found {
		c.old, c.had, p.vals[i] = p.vals[i], true, v
		return c
	}
	p.keys.insert(i, key)
	p.vals = slices.Insert(p.vals, i, v)
	switch {
	case len(p.vals) <= pageMax:
	case p.next == nil && i == len(p.vals)-1:
		c.between, c.right = p.splitLeaf(i) // ascending keys fill their pages
	default:
		c.between, c.right = p.splitLeaf(len(p.vals) / 2)
	}
	return c
}

func (p *page[V]) splitLeaf(cut int) (string, *page[V]) {
	right := &page[V]{keys: p.split(cut), vals: slices.Clone(p.vals[cut:]), next: p.next}
	p.vals, p.next = slices.Clone(p.vals[:cut]), right
	return right.names[0], right
}

func (p *page[V]) splitInner() (string, *page[V]) {
	cut := len(p.kids) / 2
	right := &page[V]{keys: p.split(cut), kids: slices.Clone(p.kids[cut:])}
	p.kids = slices.Clone(p.kids[:cut])
	between := p.names[cut-1]
	p.remove(cut-1, cut)
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
	if old, had = p.kids[i].delete(key); had {
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
	n := p.kids[i].cut(from, to)
	p.even(i)
	return n
}

// drop removes the values from i to j of a leaf.
func (p *page[V]) drop(i, j int) {
	p.remove(i, j)
	p.vals = slices.Delete(p.vals, i, j)
}

// even joins child i with a sibling if it has become too small.
func (p *page[V]) even(i int) {
	if p.kids[i].len() < pageMin {
		p.join(max(i-1, 0))
	}
}

// join merges the children i and i+1, or evens them out if they are too much
// for one page.
func (p *page[V]) join(i int) {
	l, r := p.kids[i], p.kids[i+1]
	if l.leaf() {
		l.keys.join(r.names...)
		l.vals, l.next = append(l.vals, r.vals...), r.next
	} else {
		l.keys.join(append([]string{p.names[i]}, r.names...)...)
		l.kids = append(l.kids, r.kids...)
	}
	p.remove(i, i+1)
	p.kids = slices.Delete(p.kids, i+1, i+2)
	if l.len() <= pageMax {
		return
	}
	between, right := "", (*page[V])(nil)
	if l.leaf() {
		between, right = l.splitLeaf(len(l.vals) / 2)
	} else {
		between, right = l.splitInner()
	}
	p.keys.insert(i, between)
	p.kids = slices.Insert(p.kids, i+1, right)
}
