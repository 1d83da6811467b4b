package core

import (
	"maps"
	"slices"
	"sync/atomic"
)

// totals are what all queues of a namespace hold together. They are counted
// from the first quota that asks for them: a queue adds what it holds when it is
// met next, and every change from then on.
type totals struct {
	on       atomic.Bool // never goes off again
	messages atomic.Int64
	bytes    atomic.Int64
}

// weigh begins to count, if the namespace has a quota that needs it.
func (ns *Namespace) weigh() {
	if q := ns.quota.Load(); q.QueueMessages == 0 && q.QueueBytes == 0 || ns.totals.on.Swap(true) {
		return
	}
	met := func(q *Queue) {
		q.mu.Lock()
		q.charge(0, 0)
		q.mu.Unlock()
	}
	ns.walkSessions(func(st *session) {
		st.mu.Lock()
		inbox := st.inbox
		st.mu.Unlock()
		if inbox != nil {
			met(inbox)
		}
	})
	ns.mu.Lock()
	queues := slices.AppendSeq(slices.Collect(maps.Values(ns.queues)), maps.Values(ns.groups))
	ns.mu.Unlock()
	for _, q := range queues {
		met(q)
	}
}

// charge counts messages in, or out. q.mu is held, or nobody else sees q.
func (q *Queue) charge(messages int, bytes int64) {
	q.count += messages
	q.bytes += bytes
	if x := &q.ns.totals; x.on.Load() {
		if !q.weighed {
			q.weighed = true
			messages, bytes = q.count, q.bytes
		}
		x.messages.Add(int64(messages))
		x.bytes.Add(bytes)
	}
}

// crowded tells which quota of the namespace the message would exceed.
func (ns *Namespace) crowded(m *Message) (Limit, bool) {
	if !ns.totals.on.Load() {
		return 0, false
	}
	q := ns.quota.Load()
	switch {
	case q.QueueMessages > 0 && ns.totals.messages.Load() >= int64(q.QueueMessages):
		return LimitQueueMessages, true
	case q.QueueBytes > 0 && ns.totals.bytes.Load()+int64(m.Size()) > q.QueueBytes:
		return LimitQueueBytes, true
	}
	return 0, false
}

// hasRoom tells whether the quotas of the namespace let so much more in.
func (ns *Namespace) hasRoom(messages int, bytes int64) bool {
	if !ns.totals.on.Load() {
		return true
	}
	q := ns.quota.Load()
	return (q.QueueMessages == 0 || ns.totals.messages.Load()+int64(messages) <= int64(q.QueueMessages)) &&
		(q.QueueBytes == 0 || ns.totals.bytes.Load()+bytes <= q.QueueBytes)
}

// swap drops the oldest that waits for a message of a namespace that is full:
// as much as the message brings and no more, so that a queue which others have
// crowded out keeps the rest of what it holds. q.mu is held.
func (q *Queue) swap(t *Turn, m *Message) bool {
	if q.overflow() != DropOldest {
		return false
	}
	for before := q.bytes; before-q.bytes < int64(m.Size()); {
		if !q.dropOldest(t) {
			return false
		}
	}
	return true
}
