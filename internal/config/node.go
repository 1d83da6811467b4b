package config

import "strconv"

type kind uint8

const (
	kindNull kind = iota
	kindScalar
	kindMap
	kindList
)

// An origin tells where a value was written: a place in the file, a variable or a flag.
type origin struct {
	file         string // the file, or "environment", or "--set"
	line, column int    // 1-based; 0 if the file has no lines
	text         string // the whole argument, where file is no file
}

// A node is one value of the tree that file, environment and flags are merged into.
type node struct {
	kind     kind
	text     string // of a scalar
	quoted   bool   // the scalar was quoted in the file
	expanded bool   // a variable was put into the scalar
	written  string // what the scalar was before
	at       origin
	keys     []*entry // of a map, in their order
	items    []*node  // of a list
}

// An entry is one key of a map.
type entry struct {
	key   string
	at    origin
	value *node
}

func newMap(at origin) *node { return &node{kind: kindMap, at: at} }

func newScalar(text string, at origin) *node { return &node{kind: kindScalar, text: text, at: at} }

// child returns the value of a key, nil if the map does not have it.
func (n *node) child(key string) *node {
	if n == nil {
		return nil
	}
	for _, e := range n.keys {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// find returns the value that a path such as rules[1].from leads to, or the nearest that was written on the way there;
// nil if not even its first step was.
func (n *node) find(path string) (found *node) {
	for _, step := range splitKey(path) {
		next := n.child(step)
		if i, err := strconv.Atoi(step); n != nil && n.kind == kindList && err == nil && i >= 0 && i < len(n.items) {
			next = n.items[i]
		}
		if next == nil {
			return found
		}
		n, found = next, next
	}
	return found
}

// follow goes along a path of keys; nil if it ends before.
func (n *node) follow(path []string) *node {
	for _, key := range path {
		n = n.child(key)
	}
	return n
}

// set gives a key a value, in place if it is there already.
func (n *node) set(key string, value *node) {
	for _, e := range n.keys {
		if e.key == key {
			e.value, e.at = value, value.at
			return
		}
	}
	n.keys = append(n.keys, &entry{key: key, at: value.at, value: value})
}

// put descends along path, making maps and list elements where there are none, and sets the last step.
// It returns false if the path leads through a scalar or past the end of a list.
func (n *node) put(path []string, value *node) bool {
	if len(path) == 0 {
		*n = *value
		return true
	}
	if n.kind == kindNull {
		n.kind, n.at = kindMap, value.at
		if _, err := strconv.Atoi(path[0]); err == nil {
			n.kind = kindList
		}
	}
	switch n.kind {
	case kindMap:
		next := n.child(path[0])
		if next == nil {
			next = &node{at: value.at}
			n.set(path[0], next)
		}
		return next.put(path[1:], value)
	case kindList:
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i > len(n.items) {
			return false
		}
		if i == len(n.items) {
			n.items = append(n.items, &node{at: value.at})
		}
		return n.items[i].put(path[1:], value)
	default:
		return false
	}
}
