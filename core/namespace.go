package core

import (
	"sync"
	"sync/atomic"

	"github.com/entrepot/entrepot/core/topic"
)

// Namespace is one tenant: its topics, retained messages, sessions and queues.
// Nothing of another namespace can be addressed from it.
type Namespace struct {
	// Immutable.
	r        *Router
	name     string
	index    *topic.Index[*binding]
	retained *topic.Retained[packed]

	delayedAlarm *alarm // for delayed messages
	sweepAlarm   *alarm // for retained messages that expire

	revision      atomic.Uint64 // of retained writes
	retainedBytes atomic.Int64
	system        atomic.Int64 // retained messages of the gateway itself
	bounds        atomic.Pointer[Limits]
	quota         atomic.Pointer[Quotas]
	links         atomic.Pointer[[]*link] // imports of others; nil: none
	totals        totals
	pace          sharedPace
	online        census
	refused       [limitCount]atomic.Uint64
	delayed       schedule
	kept          owned // sessions that outlive their connections
	retainers     owned // retained messages

	// Guarded by mu.
	mu       sync.Mutex
	sessions sessions
	queues   map[string]*Queue
	groups   map[groupKey]*Queue
}

// binding joins a filter to a queue: what the index holds.
type binding struct {
	queue *Queue
	sub   Subscription
	ids   *[]uint32     // {sub.ID}, nil without one; shared by every message
	free  atomic.Uint32 // the mark of its queue under which all that it matches may be read; 0: none
	next  *binding      // of the session's or the queue's, guarded by its mu (filters)
}

func newBinding(q *Queue, sub Subscription) *binding {
	b := &binding{queue: q, sub: sub}
	if sub.ID != 0 {
		b.ids = &[]uint32{sub.ID}
	}
	return b
}

type groupKey struct{ group, filter string }

func (r *Router) namespace(name string) *Namespace {
	name = named(name)
	r.mu.RLock()
	ns := r.namespaces[name]
	r.mu.RUnlock()
	if ns != nil {
		return ns
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if ns = r.namespaces[name]; ns == nil {
		ns = &Namespace{
			r: r, name: name,
			index:    topic.NewIndex[*binding](topic.IndexOptions{}),
			retained: new(topic.Retained[packed]),
			queues:   map[string]*Queue{},
			groups:   map[groupKey]*Queue{},
		}
		ns.delayedAlarm = newAlarm(ns.publishDue)
		ns.sweepAlarm = newAlarm(ns.startSweep)
		ns.settle()
		q := ns.quota.Load()
		ns.totals.on.Store(q.QueueMessages > 0 || q.QueueBytes > 0)
		r.namespaces[name] = ns
	}
	return ns
}

// fewSessions is how many sessions are copied while ns.mu is held.
const fewSessions = 256

// walkSessions calls fn with each session, without ns.mu, which every attachment
// waits for: it is given back after a few. Sessions that come or go meanwhile may
// be seen or not.
func (ns *Namespace) walkSessions(fn func(st *session)) {
	few := make([]*session, 0, fewSessions)
	show := func() {
		ns.mu.Unlock()
		for _, st := range few {
			fn(st)
		}
		few = few[:0]
		ns.mu.Lock()
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for st := range ns.sessions.all() {
		if few = append(few, st); len(few) == fewSessions {
			show()
		}
	}
	show()
}

// Sessions is how many there are. It takes the locks that every connection needs,
// for a moment each.
func (r *Router) Sessions() (n int) {
	for _, ns := range r.allNamespaces() {
		ns.mu.Lock()
		n += ns.sessions.len()
		ns.mu.Unlock()
	}
	return n
}

func (r *Router) allNamespaces() []*Namespace {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]*Namespace, 0, len(r.namespaces))
	for _, ns := range r.namespaces {
		all = append(all, ns)
	}
	return all
}
