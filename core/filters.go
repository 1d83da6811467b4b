package core

import "iter"

// filters are the subscriptions of one session by their texts. Most sessions
// have one or a few: those are a chain, in the order of their coming, and a map
// is made for more. The zero value is empty.
type filters struct {
	first *binding            // the chain, by binding.next; nil when there is a map
	many  map[string]*binding // nil: the chain holds them
}

// fewFilters is how long a chain may be.
const fewFilters = 8

func (f *filters) get(text string) *binding {
	if f.many != nil {
		return f.many[text]
	}
	for b := f.first; b != nil; b = b.next {
		if b.sub.Filter == text {
			return b
		}
	}
	return nil
}

// put takes a binding in, in the place of the one that has its text.
func (f *filters) put(b *binding) {
	n, at := 0, &f.first
	for ; f.many == nil && *at != nil; at = &(*at).next {
		if old := *at; old.sub.Filter == b.sub.Filter {
			b.next, old.next = old.next, nil
			*at = b
			return
		}
		n++
	}
	if f.many == nil && n < fewFilters {
		*at = b
		return
	}
	if f.many == nil {
		f.many = make(map[string]*binding, n+1)
		for x := f.first; x != nil; {
			f.many[x.sub.Filter] = x
			x, x.next = x.next, nil
		}
		f.first = nil
	}
	f.many[b.sub.Filter] = b
}

// remove takes the one of that text out.
func (f *filters) remove(text string) {
	if f.many != nil {
		if delete(f.many, text); len(f.many) == 0 {
			f.many = nil
		}
		return
	}
	for at := &f.first; *at != nil; at = &(*at).next {
		if b := *at; b.sub.Filter == text {
			*at, b.next = b.next, nil
			return
		}
	}
}

func (f *filters) len() (n int) {
	for b := f.first; b != nil; b = b.next {
		n++
	}
	return n + len(f.many)
}

// all walks them. What it yields may be removed meanwhile, and nothing else.
func (f *filters) all() iter.Seq[*binding] {
	return func(yield func(*binding) bool) {
		for b := f.first; b != nil; {
			next := b.next
			if !yield(b) {
				return
			}
			b = next
		}
		for _, b := range f.many {
			if !yield(b) {
				return
			}
		}
	}
}
