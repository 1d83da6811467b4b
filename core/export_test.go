package core

import (
	"maps"
	"slices"
	"time"
)

// Filter is the text that a membership was subscribed with.
func (c *Consumer) Filter() string { return c.filter }

// Waiting is how many turns wait for the store, and what the last one holds.
func (r *Router) Waiting() (turns, marks, changes int) {
	c := r.commit
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.waiting[len(c.waiting)-1]
	return len(c.waiting), len(last.marks), len(last.changes)
}

// Alarms is the number of timers that are set.
func (r *Router) Alarms() int { return r.timers.pending() }

func (r *Router) inboxOf(client string) *Queue {
	for _, ns := range r.allNamespaces() {
		ns.mu.Lock()
		st := ns.sessions.get(sessionKey{Anonymous.User, client})
		ns.mu.Unlock()
		if st != nil {
			if st.inbox == nil {
				break
			}
			return st.inbox
		}
	}
	return new(Queue)
}

// InMemory is how many messages the own queue of an anonymous client's session
// has in memory, and InQueue all that it holds.
func (r *Router) InMemory(client string) int {
	q := r.inboxOf(client)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.paged != nil {
		return q.count - q.paged.count
	}
	return q.count
}

// Resident is how many messages of it are in memory, wherever, and their bytes.
func (r *Router) Resident(client string) (n int, bytes int64) {
	return r.inboxOf(client).resident()
}

// ResidentIn is Resident for a named queue or a group of the default namespace.
func (r *Router) ResidentIn(name string) (n int, bytes int64) {
	ns := r.namespace("")
	ns.mu.Lock()
	q := ns.queues[name]
	for _, g := range ns.groups {
		if g.spec.Name == name {
			q = g
		}
	}
	ns.mu.Unlock()
	return q.resident()
}

func (q *Queue) resident() (n int, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for seq := q.head; seq < q.tail; seq++ {
		if e := q.entry(seq); e != nil && e.m != nil {
			n++
			bytes += int64(e.m.Size())
		}
	}
	return n, bytes
}

// InQueue is what counts for its limits.
func (r *Router) InQueue(client string) (messages int, bytes int64) {
	q := r.inboxOf(client)
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count, q.bytes
}

// InGroups is how many messages the groups of every namespace hold.
func (r *Router) InGroups() (n int) {
	for _, ns := range r.allNamespaces() {
		ns.mu.Lock()
		groups := slices.Collect(maps.Values(ns.groups))
		ns.mu.Unlock()
		for _, q := range groups {
			n += q.info().Waiting
		}
	}
	return n
}

// Groups is the number of groups in every namespace.
func (r *Router) Groups() (n int) {
	for _, ns := range r.allNamespaces() {
		ns.mu.Lock()
		n += len(ns.groups)
		ns.mu.Unlock()
	}
	return n
}

// KeptDecisions is how many places a session has for decisions about topics that
// it publishes to, and that it receives.
func KeptDecisions(s *Session) (n [2]int) {
	if x := s.extra; x != nil && x.may != nil {
		n[0] = len(x.may.slots)
	}
	if s.inbox == nil {
		return n
	}
	if k := s.inbox.rights; k != nil {
		n[1] = len(k.slots)
	}
	return n
}

// Totals are what a quota counts of the queues of a namespace.
func (r *Router) Totals(namespace string) (messages, bytes int64) {
	x := &r.namespace(namespace).totals
	return x.messages.Load(), x.bytes.Load()
}

// What stays of a session that is away.
const (
	RestMessages = restMessages
	RestBytes    = restBytes
)

// SmallPages makes everything about reading back small, so that little is
// enough to meet it.
func SmallPages(o Options, window int) Options {
	o.Limits.WindowMessages = window
	o.paging = paging{burst: 1, span: 4, slice: 3, every: 5, rest: 2}
	return o
}

// NewClockOf starts a clock by the wall clock that is given.
func NewClockOf(wall func() time.Time) *Clock { return newClock(wall) }

// SetWall makes the wall clock step by a time.
func (c *Clock) SetWall(step time.Duration) {
	c.wall = func() time.Time { return time.Now().Add(step) }
}
