package topic

import "slices"

// A tree is a B+ tree of names: all items are in the leaves, which are linked.
// It is not safe for concurrent use.
type tree[V any] struct {
	root *page[V]
	size int
}

// page is one node of the tree.
type page[V any] struct {
	items []Item[V] // of a leaf
	next  *page[V]  // of a leaf

	kids []*page[V] // of an inner page
	keys []string   // keys[i] is not above any name in kids[i+1], and above all before
}

// pageMax bounds the items or children of a page; below pageMin it is joined
// with a sibling.
const (
	pageMax = 64
	pageMin = 20
)

func (p *page[V]) leaf() bool { return p.kids == nil }

func (p *page[V]) len() int {
	if p.leaf() {
		return len(p.items)
	}
	return len(p.kids)
}

// at is the index of the first item not below name.
func (p *page[V]) at(name string) int {
	lo, hi := 0, len(p.items)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if p.items[mid].Name < name {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// kid is the index of the child that holds name.
func (p *page[V]) kid(name string) int {
	lo, hi := 0, len(p.keys)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if p.keys[mid] <= name {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// seek is the leaf and index of the first item not below name; the index may be
// one past the leaf's last.
func (t *tree[V]) seek(name string) (*page[V], int) {
	p := t.root
	if p == nil {
		return nil, 0
	}
	for !p.leaf() {
		p = p.kids[p.kid(name)]
	}
	return p, p.at(name)
}

// get is the item of a name, nil if there is none.
func (t *tree[V]) get(name string) *Item[V] {
	p, i := t.seek(name)
	if p == nil || i == len(p.items) || p.items[i].Name != name {
		return nil
	}
	return &p.items[i]
}

// insert adds an item whose name is not there.
func (t *tree[V]) insert(it Item[V]) {
	if t.root == nil {
		t.root = &page[V]{}
	}
	if key, right := t.root.insert(it); right != nil {
		t.root = &page[V]{kids: []*page[V]{t.root, right}, keys: []string{key}}
	}
	t.size++
}

// insert returns the new right sibling, and its lowest name, if p was split.
func (p *page[V]) insert(it Item[V]) (string, *page[V]) {
	if p.leaf() {
		i := p.at(it.Name)
		p.items = slices.Insert(p.items, i, it)
		if len(p.items) <= pageMax {
			return "", nil
		}
		return p.splitLeaf(i)
	}
	i := p.kid(it.Name)
	key, right := p.kids[i].insert(it)
	if right == nil {
		return "", nil
	}
	p.kids = slices.Insert(p.kids, i+1, right)
	p.keys = slices.Insert(p.keys, i, key)
	if len(p.kids) <= pageMax {
		return "", nil
	}
	return p.splitInner()
}

// splitLeaf cuts in the middle, or at the end if that is where names arrive, so
// that names in ascending order fill their pages.
func (p *page[V]) splitLeaf(inserted int) (string, *page[V]) {
	cut := len(p.items) / 2
	if inserted == len(p.items)-1 && p.next == nil {
		cut = inserted
	}
	right := &page[V]{items: slices.Clone(p.items[cut:]), next: p.next}
	clear(p.items[cut:])
	p.items, p.next = slices.Clip(slices.Clone(p.items[:cut])), right
	return right.items[0].Name, right
}

func (p *page[V]) splitInner() (string, *page[V]) {
	cut := len(p.kids) / 2
	key := p.keys[cut-1]
	right := &page[V]{kids: slices.Clone(p.kids[cut:]), keys: slices.Clone(p.keys[cut:])}
	p.kids, p.keys = slices.Clone(p.kids[:cut]), slices.Clone(p.keys[:cut-1])
	return key, right
}

// remove takes the item of a name away, if it is there.
func (t *tree[V]) remove(name string) bool {
	if t.root == nil || !t.root.remove(name) {
		return false
	}
	t.size--
	switch {
	case t.size == 0:
		t.root = nil
	case len(t.root.kids) == 1:
		t.root = t.root.kids[0]
	}
	return true
}

func (p *page[V]) remove(name string) bool {
	if p.leaf() {
		i := p.at(name)
		if i == len(p.items) || p.items[i].Name != name {
			return false
		}
		p.items = slices.Delete(p.items, i, i+1)
		return true
	}
	i := p.kid(name)
	if !p.kids[i].remove(name) {
		return false
	}
	if p.kids[i].len() < pageMin {
		p.join(max(i-1, 0))
	}
	return true
}

// join merges the children i and i+1, or evens them out if they are too much
// for one page.
func (p *page[V]) join(i int) {
	l, r := p.kids[i], p.kids[i+1]
	if l.leaf() {
		l.items, l.next = append(l.items, r.items...), r.next
	} else {
		l.keys = append(append(l.keys, p.keys[i]), r.keys...)
		l.kids = append(l.kids, r.kids...)
	}
	if l.len() <= pageMax {
		p.kids = slices.Delete(p.kids, i+1, i+2)
		p.keys = slices.Delete(p.keys, i, i+1)
		return
	}
	if l.leaf() {
		p.keys[i], p.kids[i+1] = l.splitLeaf(0)
	} else {
		p.keys[i], p.kids[i+1] = l.splitInner()
	}
}
