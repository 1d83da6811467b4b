package topic

import (
	"slices"
	"sync/atomic"
)

// big is a list of many values, cut into blocks so that taking one away costs a
// block and not the list. One writer changes it beside readers: a value never
// moves from block to block, so a reader finds each that stays exactly once.
type big[V comparable] struct {
	blocks atomic.Pointer[[]*block[V]]

	// Owned by the writer.
	size  int
	where map[V]*block[V] // a block that holds the value; not complete if it was added twice
}

// A block is up to blockMax values that follow each other.
type block[V comparable] struct {
	vals atomic.Pointer[[]V] // published as a list is: appending shares the array
}

const blockMax = 256

func newBig[V comparable](vals []V) *big[V] {
	b := &big[V]{where: make(map[V]*block[V], len(vals))}
	b.blocks.Store(new([]*block[V]))
	for _, v := range vals {
		b.add(v)
	}
	return b
}

func (b *big[V]) appendTo(dst []V) []V {
	for _, k := range *b.blocks.Load() {
		dst = append(dst, *k.vals.Load()...)
	}
	return dst
}

func (b *big[V]) add(v V) {
	k := b.last()
	vals := append(*k.vals.Load(), v)
	k.vals.Store(&vals)
	b.where[v] = k
	b.size++
}

// last is the block for the next value.
func (b *big[V]) last() *block[V] {
	all := *b.blocks.Load()
	if n := len(all); n > 0 && len(*all[n-1].vals.Load()) < blockMax {
		return all[n-1]
	}
	k := new(block[V])
	k.vals.Store(new([]V))
	all = append(all, k)
	b.blocks.Store(&all)
	return k
}

// find is the block that holds v and where in it.
func (b *big[V]) find(v V) (*block[V], int) {
	if k := b.where[v]; k != nil {
		return k, slices.Index(*k.vals.Load(), v)
	}
	for _, k := range *b.blocks.Load() {
		if i := slices.Index(*k.vals.Load(), v); i >= 0 {
			return k, i
		}
	}
	return nil, -1
}

func (b *big[V]) remove(v V) bool {
	k, i := b.find(v)
	if k == nil {
		return false
	}
	old := *k.vals.Load()
	vals := make([]V, 0, max(len(old)-1, 1))
	vals = append(append(vals, old[:i]...), old[i+1:]...)
	k.vals.Store(&vals)
	if !slices.Contains(vals, v) {
		delete(b.where, v)
	}
	if b.size--; len(vals) == 0 {
		all := slices.DeleteFunc(slices.Clone(*b.blocks.Load()), func(x *block[V]) bool { return x == k })
		b.blocks.Store(&all)
	}
	return true
}

func (b *big[V]) replace(old, v V) bool {
	k, i := b.find(old)
	if k == nil {
		return false
	}
	vals := slices.Clone(*k.vals.Load())
	vals[i] = v
	k.vals.Store(&vals)
	if !slices.Contains(vals, old) {
		delete(b.where, old)
	}
	b.where[v] = k
	return true
}
