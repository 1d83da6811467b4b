package ordered

// Keyed is a value that knows its key, which is the same as long as the value is
// in a map.
type Keyed interface{ Key() string }

// A Map is an ordered map. The zero value is empty and ready. It is not safe
// for concurrent use; reading beside reading is. Beyond its value an entry takes
// about 14 bytes, and 8 more for each 8 that neighbours begin with alike.
type Map[V Keyed] struct {
	root *page[V]
	size int
}

// Len is the number of keys.
func (m *Map[V]) Len() int { return m.size }

// At returns where the value of key is, nil if there is none. It is good until
// the next change of the map. What is put there has the same key.
func (m *Map[V]) At(key string) *V {
	if m.root == nil {
		return nil
	}
	p := m.root.down(key)
	if i, ok := p.find(key); ok {
		return &p.vals[i]
	}
	return nil
}

// Set puts a value at its key and returns what it takes the place of.
func (m *Map[V]) Set(v V) (old V, had bool) {
	if m.root == nil {
		m.root = &page[V]{}
	}
	c := m.root.set(v.Key(), v)
	if c.right != nil {
		root := &page[V]{inner: &branch[V]{kids: []*page[V]{m.root}}}
		root.adopt(0, c.between, c.right)
		m.root = root
	}
	if !c.had {
		m.size++
	}
	return c.old, c.had
}

// Delete removes key and returns the value that it had.
func (m *Map[V]) Delete(key string) (old V, had bool) {
	if m.root == nil {
		return old, false
	}
	if old, had = m.root.delete(key); had {
		m.shrink(1)
	}
	return old, had
}

// DeleteRange removes the keys from (inclusive) to (exclusive) and returns how
// many they were.
func (m *Map[V]) DeleteRange(from, to string) int {
	before := m.size
	for {
		c := m.Seek(from)
		if !c.Valid() || c.Key() >= to {
			return before - m.size
		}
		m.shrink(m.root.cut(c.Key(), to))
	}
}

// shrink counts n keys less, and takes away a root that holds nothing.
func (m *Map[V]) shrink(n int) {
	m.size -= n
	switch {
	case m.size == 0:
		m.root = nil
	case m.root.len() == 1 && !m.root.leaf():
		m.root = m.root.inner.kids[0]
	}
}

// A Cursor is a place in a map that does not change meanwhile.
type Cursor[V Keyed] struct {
	m    *Map[V]
	leaf *page[V]
	i    int
}

// Seek returns a cursor at the first key not below key.
func (m *Map[V]) Seek(key string) Cursor[V] {
	c := Cursor[V]{m: m}
	c.seek(key)
	return c
}

// Valid says whether the cursor is at a key: Key, Value and the moves may be
// called.
func (c *Cursor[V]) Valid() bool { return c.leaf != nil }

// Key is the key at the cursor, as its value has it.
func (c *Cursor[V]) Key() string { return c.leaf.vals[c.i].Key() }

// Value is the value at the cursor.
func (c *Cursor[V]) Value() V { return c.leaf.vals[c.i] }

// Below is the values from the cursor on that its page holds and whose keys are
// below key. They are good until the next change of the map, and not to be
// changed.
func (c *Cursor[V]) Below(key string) []V { return c.leaf.vals[c.i:max(c.i, c.leaf.lower(key))] }

// Skip moves on by n keys, at most as many as its page holds from there on.
func (c *Cursor[V]) Skip(n int) {
	c.i += n
	c.settle()
}

// Next moves to the next key.
func (c *Cursor[V]) Next() {
	c.i++
	c.settle()
}

// Forward moves to the first key not below key, which is not behind the cursor.
func (c *Cursor[V]) Forward(key string) {
	for range 2 { // often it is close
		if c.i = c.leaf.lower(key); c.i < len(c.leaf.vals) {
			return
		}
		if c.leaf, c.i = c.leaf.next, 0; c.leaf == nil {
			return
		}
	}
	c.seek(key)
}

func (c *Cursor[V]) seek(key string) {
	if c.m.root == nil {
		return
	}
	c.leaf = c.m.root.down(key)
	c.i = c.leaf.lower(key)
	c.settle()
}

// settle moves from past the end of a leaf to the next.
func (c *Cursor[V]) settle() {
	if c.i == len(c.leaf.vals) {
		c.leaf, c.i = c.leaf.next, 0
	}
}
