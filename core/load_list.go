package core

import (
	"cmp"
	"iter"
	"slices"
)

// byID is a map from identities. It is a list in their order, since records come
// in it too: what is looked up is most often next to what was looked up last.
type byID[V comparable] struct {
	list     []identified[V]
	at       int  // of the last look-up
	shuffled bool // what was put was not always the highest
}

type identified[V comparable] struct {
	id uint64
	v  V // the zero value once it was removed
}

// put adds one that never was there.
func (x *byID[V]) put(id uint64, v V) {
	x.shuffled = x.shuffled || len(x.list) > 0 && id < x.list[len(x.list)-1].id
	x.list = append(x.list, identified[V]{id, v})
}

// get returns the zero value when it is not there.
func (x *byID[V]) get(id uint64) (v V) {
	if i, found := x.find(id); found {
		return x.list[i].v
	}
	return v
}

func (x *byID[V]) remove(id uint64) {
	if i, found := x.find(id); found {
		var none V
		x.list[i].v = none
	}
}

func (x *byID[V]) find(id uint64) (int, bool) {
	if x.shuffled {
		slices.SortStableFunc(x.list, byIdentity)
		x.shuffled = false
	}
	for i := x.at; i < min(x.at+3, len(x.list)); i++ {
		if x.list[i].id == id {
			x.at = i
			return i, true
		}
	}
	i, found := slices.BinarySearchFunc(x.list, id, func(e identified[V], id uint64) int { return cmp.Compare(e.id, id) })
	if found {
		x.at = i
	}
	return i, found
}

func byIdentity[V comparable](a, b identified[V]) int { return cmp.Compare(a.id, b.id) }

// all walks them, in order if nothing was shuffled since the last look-up.
func (x *byID[V]) all() iter.Seq[V] {
	return func(yield func(V) bool) {
		var none V
		for i := range x.list {
			if v := x.list[i].v; v != none && !yield(v) {
				return
			}
		}
	}
}
