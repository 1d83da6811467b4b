package core

import "slices"

// recordKinds names the records of the store for people.
var recordKinds = map[byte]string{
	keySession: "session", keySubscription: "subscription", keyWalk: "retained walk", keySeen: "remembered identifier",
	keyQueue: "queue", keyBinding: "binding", keyEntry: "queue entry", keyMessage: "message", keySegment: "summary of a queue", keyClearing: "removal", keyRetained: "retained message",
	keyDelayed: "delayed message", keyNote: "note of a protocol", keyClock: "note of the clock",
}

// orphans are the records of a start that referred to something which was not
// there: what a crash left of a deletion that had reached the store in part.
type orphans struct {
	found map[byte]*orphan
}

type orphan struct {
	n     int
	first string
}

func (o *orphans) add(kind byte, what string) {
	if o.found == nil {
		o.found = map[byte]*orphan{}
	}
	x := o.found[kind]
	if x == nil {
		x = &orphan{first: what}
		o.found[kind] = x
	}
	x.n++
}

// orphan removes a record and notes it. key is without its kind.
func (l *loading) orphan(kind byte, key []byte, what string) {
	l.orphans.add(kind, what)
	l.t.delete(slices.Concat([]byte{kind}, key))
}

// report logs one line for each kind.
func (o *orphans) report(r *Router) {
	for kind, x := range o.found {
		r.orphans += uint64(x.n)
		r.log.Warn("store.orphans", "kind", recordKinds[kind], "count", x.n, "first", x.first,
			"note", "these records referred to something that is not in the store; they were removed")
	}
}
