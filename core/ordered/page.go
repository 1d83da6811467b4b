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

// insert adds a key that is not there. If p was split, it returns the new right
// sibling and the key between the two.
func (p *page[V]) insert(key string, v V) (string, *page[V]) {
	if p.leaf() {
		i := p.lower(key)
		p.keys.insert(i, key)
		p.vals = slices.Insert(p.vals, i, v)
		if len(p.vals) <= pageMax {
			return "", nil
		}
		if p.next == nil && i == len(p.vals)-1 {
			return p.splitLeaf(i) // ascending keys fill their pages
		}
		return p.splitLeaf(len(p.vals) / 2)
	}
	i := p.upper(key)
	between, right := p.kids[i].insert(key, v)
	if right == nil {
		return "", nil
	}
	p.keys.insert(i, between)
	p.kids = slices.Insert(p.kids, i+1, right)
	if len(p.kids) <= pageMax {
		return "", nil
	}
	return p.splitInner()
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

// cut removes the keys from (inclusive) to (exclusive) that are in the leaf
// where from belongs, and returns how many they were.
func (p *page[V]) cut(from, to string) int {
	if p.leaf() {
		i, j := p.lower(from), p.lower(to)
		p.remove(i, j)
		p.vals = slices.Delete(p.vals, i, j)
		return j - i
	}
	i := p.upper(from)
	n := p.kids[i].cut(from, to)
	if p.kids[i].len() < pageMin {
		p.join(max(i-1, 0))
	}
	return n
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
