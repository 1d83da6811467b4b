package core

import (
	"hash/maphash"
	"iter"
)

// filters are the subscriptions of one session, or the bindings of one queue, by
// their texts. Most have one or a few: those are one chain, in the order of their
// coming. More are many chains, by a hash. The zero value is empty, and so is nil
// to those who read or remove.
type filters struct {
	first *binding     // the chain, by binding.next; nil when there is a table
	many  *manyFilters // nil: the chain holds them
}

// manyFilters is a table of chains, a power of two, of two filters each in the
// mean at most.
type manyFilters struct {
	chains []*binding
	n      int
}

const (
	fewFilters = 8  // how long a chain without a table may be
	leastTable = 16 // chains
)

// filterSeed keys the hash, so that no client can choose filters that collide.
var filterSeed = maphash.MakeSeed()

func (m *manyFilters) chain(text string) **binding {
	return &m.chains[maphash.String(filterSeed, text)&uint64(len(m.chains)-1)]
}

// grow makes room for one more.
func (m *manyFilters) grow() {
	if m.n++; m.n <= 2*len(m.chains) {
		return
	}
	old := m.chains
	m.chains = make([]*binding, 2*len(old))
	for _, b := range old {
		for b != nil {
			next, at := b.next, m.chain(b.sub.Filter)
			b.next, *at, b = *at, b, next
		}
	}
}

// chain is where the filter of that text is, or would be.
func (f *filters) chain(text string) **binding {
	if f.many != nil {
		return f.many.chain(text)
	}
	return &f.first
}

func (f *filters) get(text string) *binding {
	if f == nil {
		return nil
	}
	for b := *f.chain(text); b != nil; b = b.next {
		if b.sub.Filter == text {
			return b
		}
	}
	return nil
}

// put takes a binding in, in the place of the one that has its text.
func (f *filters) put(b *binding) {
	n, at := 0, f.chain(b.sub.Filter)
	for ; *at != nil; at = &(*at).next {
		if old := *at; old.sub.Filter == b.sub.Filter {
			b.next, old.next = old.next, nil
			*at = b
			return
		}
		n++
	}
	switch {
	case f.many == nil && n < fewFilters:
		*at = b
		return
	case f.many == nil:
		f.many = &manyFilters{chains: make([]*binding, leastTable), n: n}
		for x := f.first; x != nil; {
			next, to := x.next, f.many.chain(x.sub.Filter)
			x.next, *to, x = *to, x, next
		}
		f.first = nil
	}
	f.many.grow()
	at = f.many.chain(b.sub.Filter)
	b.next, *at = *at, b
}

// remove takes the one of that text out.
func (f *filters) remove(text string) {
	if f == nil {
		return
	}
	for at := f.chain(text); *at != nil; at = &(*at).next {
		b := *at
		if b.sub.Filter != text {
			continue
		}
		*at, b.next = b.next, nil
		if f.many != nil {
			if f.many.n--; f.many.n == 0 {
				f.many = nil
			}
		}
		return
	}
}

func (f *filters) len() (n int) {
	if f == nil {
		return 0
	}
	if f.many != nil {
		return f.many.n
	}
	for b := f.first; b != nil; b = b.next {
		n++
	}
	return n
}

// all walks them. What it yields may be removed meanwhile, and nothing else.
func (f *filters) all() iter.Seq[*binding] {
	return func(yield func(*binding) bool) {
		if f == nil {
			return
		}
		chains := []*binding{f.first}
		if f.many != nil {
			chains = f.many.chains
		}
		for _, b := range chains {
			for b != nil {
				next := b.next
				if !yield(b) {
					return
				}
				b = next
			}
		}
	}
}
