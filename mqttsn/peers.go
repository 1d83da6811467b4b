package mqttsn

import (
	"hash/maphash"
	"iter"
)

// hashed keys the tables of peers, so that nobody can choose addresses or
// identifiers that collide.
var hashed = maphash.MakeSeed()

// peers are those of an endpoint by where they are. The table holds hashes of
// the origins, because the peers have these already; the rare one whose place
// is taken by another origin's is apart. The zero value is empty.
type peers struct {
	table map[uint64]*peer
	apart map[origin]*peer
}

func placeOf(at origin) uint64 { return maphash.Comparable(hashed, at) }

func (x *peers) len() int { return len(x.table) + len(x.apart) }

// get is the peer of that origin, nil when there is none.
func (x *peers) get(at origin) *peer { return x.getAt(placeOf(at), at) }

func (x *peers) getAt(place uint64, at origin) *peer {
	if p := x.table[place]; p != nil && p.at() == at {
		return p
	}
	return x.apart[at]
}

// put adds a peer whose origin has none.
func (x *peers) put(p *peer) { x.putAt(placeOf(p.at()), p) }

func (x *peers) putAt(place uint64, p *peer) {
	switch {
	case x.table == nil:
		x.table = map[uint64]*peer{place: p}
	case x.table[place] == nil:
		x.table[place] = p
	case x.apart == nil:
		x.apart = map[origin]*peer{p.at(): p}
	default:
		x.apart[p.at()] = p
	}
}

// remove takes the peer of an origin out.
func (x *peers) remove(at origin) { x.removeAt(placeOf(at), at) }

func (x *peers) removeAt(place uint64, at origin) {
	if p := x.table[place]; p != nil && p.at() == at {
		delete(x.table, place)
	} else {
		delete(x.apart, at)
	}
}

// all are the peers, in no order.
func (x *peers) all() iter.Seq[*peer] {
	return func(yield func(*peer) bool) {
		for _, p := range x.table {
			if !yield(p) {
				return
			}
		}
		for _, p := range x.apart {
			if !yield(p) {
				return
			}
		}
	}
}
