package topic

// Scan appends to dst the items whose names filter matches, in byte order of
// the names and above after, and looks at no more than budget names (at least
// one). Unless done, the next call goes on with after set to next. Names that
// come or go between two slices may be seen or not; all others are seen once.
// The filter may be wide; '$' has the meaning of [MQTT-4.7.2-1].
func (r *Retained[V]) Scan(dst []Item[V], filter, after string, budget int) (items []Item[V], next string, done bool) {
	q := newSeeker(filter)
	r.mu.RLock()
	defer r.mu.RUnlock()
	c := cursor[V]{tree: &r.tree}
	if !c.resume(q, after) {
		return dst, "", true
	}
	for n := 0; ; n++ {
		it := c.item()
		if it == nil {
			return dst, "", true
		}
		if n > 0 && n >= budget {
			return dst, next, false
		}
		next = it.Name
		switch q.look(it.Name) {
		case lookMatch:
			dst = append(dst, *it)
			c.step()
		case lookStep:
			c.step()
		case lookSeek:
			c.seek(view(q.target))
		case lookDone:
			return dst, "", true
		}
	}
}

// resume moves to the first name above after that may match, and says whether
// there may be one.
func (c *cursor[V]) resume(q *seeker, after string) bool {
	if after < q.prefix {
		c.seek(q.prefix)
		return true
	}
	switch q.look(after) { // the name that the last slice ended with
	case lookDone:
		return after == ""
	case lookSeek:
		if target := view(q.target); target > after {
			c.seek(target)
			return true
		}
	}
	if c.seek(after); c.leaf != nil && c.item().Name == after {
		c.step()
	}
	return true
}

// A cursor is a place in a tree that does not change meanwhile.
type cursor[V any] struct {
	tree *tree[V]
	leaf *page[V]
	i    int
}

// item is the item at the cursor, nil at the end.
func (c *cursor[V]) item() *Item[V] {
	if c.leaf == nil {
		return nil
	}
	return &c.leaf.items[c.i]
}

func (c *cursor[V]) step() {
	c.i++
	c.settle()
}

// settle moves from past the end of a leaf to the next.
func (c *cursor[V]) settle() {
	for c.leaf != nil && c.i >= len(c.leaf.items) {
		c.leaf, c.i = c.leaf.next, 0
	}
}

// seek moves to the first item not below name, which is ahead of the cursor.
func (c *cursor[V]) seek(name string) {
	for near := 0; c.leaf != nil && near < 2; near++ { // often the next is close
		if last := len(c.leaf.items) - 1; c.leaf.items[last].Name >= name {
			c.i = c.leaf.at(name)
			return
		}
		c.leaf = c.leaf.next
	}
	c.leaf, c.i = c.tree.seek(name)
	c.settle()
}
