package core

import (
	"hash/maphash"
	"iter"
)

// sessionKey names a session in its namespace.
type sessionKey struct{ user, client string }

// sessions are those of a namespace by their keys. The table holds hashes of
// the keys, because the sessions have these already; the rare session whose
// place is taken by another key's is apart. The zero value is empty. Guarded
// by Namespace.mu.
type sessions struct {
	table map[uint64]*session
	apart map[sessionKey]*session
}

// placeOf is keyed, so that no client can choose identifiers that collide.
func placeOf(k sessionKey) uint64 { return maphash.Comparable(filterSeed, k) }

func (x *sessions) len() int { return len(x.table) + len(x.apart) }

// get is the session of that key, nil when there is none.
func (x *sessions) get(k sessionKey) *session { return x.getAt(placeOf(k), k) }

func (x *sessions) getAt(at uint64, k sessionKey) *session {
	if st := x.table[at]; st != nil && st.client == k.client && st.key() == k {
		return st
	}
	return x.apart[k]
}

// put adds a session whose key has none.
func (x *sessions) put(st *session) {
	k := st.key()
	x.putAt(placeOf(k), k, st)
}

func (x *sessions) putAt(at uint64, k sessionKey, st *session) {
	switch {
	case x.table == nil:
		x.table = map[uint64]*session{at: st}
	case x.table[at] == nil:
		x.table[at] = st
	case x.apart == nil:
		x.apart = map[sessionKey]*session{k: st}
	default:
		x.apart[k] = st
	}
}

// remove takes the session of a key out.
func (x *sessions) remove(k sessionKey) { x.removeAt(placeOf(k), k) }

func (x *sessions) removeAt(at uint64, k sessionKey) {
	if st := x.table[at]; st != nil && st.key() == k {
		delete(x.table, at)
	} else {
		delete(x.apart, k)
	}
}

// all are the sessions, in no order.
func (x *sessions) all() iter.Seq[*session] {
	return func(yield func(*session) bool) {
		for _, st := range x.table {
			if !yield(st) {
				return
			}
		}
		for _, st := range x.apart {
			if !yield(st) {
				return
			}
		}
	}
}
