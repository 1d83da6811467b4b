package core

import (
	"strings"
	"time"
)

// sweepPause is how long the sweeps over the retained messages of a namespace
// are apart, at least.
const sweepPause = time.Minute

// sweepSlice bounds how many names one turn of a sweep visits.
const sweepSlice = 4096

// sweep removes retained messages whose time is over, in slices. Until then
// they are skipped wherever they are found.
type sweep struct {
	after string
	next  Time // the earliest end of those that stay; 0: none
}

// expiresLater notes a retained message with an expiry: a sweep follows it.
func (ns *Namespace) expiresLater(now, at Time) {
	ns.r.timers.sooner(ns.sweepAlarm, max(at, now.After(sweepPause)))
}

func (ns *Namespace) startSweep(t *Turn) { ns.sweepOn(t, &sweep{}) }

func (ns *Namespace) sweepOn(t *Turn, w *sweep) {
	items, next, done := ns.retained.Scan(nil, "#", w.after, sweepSlice)
	var m Message
	for i := range items {
		items[i].unpack(&m)
		switch {
		case m.Expires == 0:
		case m.Expired(t.Now):
			ns.removeExpired(t, strings.Clone(items[i].Key()))
		case w.next == 0 || m.Expires < w.next:
			w.next = m.Expires
		}
	}
	switch w.after = next; {
	case !done:
		ns.r.timers.soon(func(t *Turn) { ns.sweepOn(t, w) })
	case w.next != 0:
		ns.expiresLater(t.Now, w.next)
	}
}

func (ns *Namespace) removeExpired(t *Turn, name string) {
	ns.retained.Update(name, func(p packed, had bool) (packed, bool) {
		var old Message
		if !had {
			return p, had
		}
		owner := p.unpack(&old)
		if !old.Expired(t.Now) {
			return p, had // replaced meanwhile
		}
		ns.released(&old, owner)
		t.changed(change{kind: retainedChange, ns: ns, text: name})
		return packed{}, false
	})
}
