package core

import "github.com/entrepot/entrepot/core/topic"

// deleteQueue removes a queue from every map, the index and the store. With
// still, it decides under the locks that everybody needs who would use the
// queue: what was idle, or without consumers, may have found some meanwhile.
// waited is the number of messages that waited.
func (ns *Namespace) deleteQueue(t *Turn, q *Queue, still func() bool) (waited int, deleted bool) {
	ns.mu.Lock()
	q.mu.Lock()
	if q.gone || still != nil && !still() {
		q.mu.Unlock()
		ns.mu.Unlock()
		return 0, false
	}
	q.gone = true
	waited = q.waitingCount()
	bindings := q.bindings
	q.bindings = nil
	q.mu.Unlock()
	switch q.kind {
	case groupQueue:
		group, filter, _, _ := topic.SplitShare(q.spec.Name)
		if key := (groupKey{group, filter}); ns.groups[key] == q {
			delete(ns.groups, key)
		}
	case namedQueue:
		if ns.queues[q.spec.Name] == q {
			delete(ns.queues, q.spec.Name)
		}
	}
	ns.mu.Unlock()
	for b := range bindings.all() {
		ns.index.Remove(b.sub.Filter, b)
	}
	q.empty(t)
	if q.durable && q.kind != privateQueue {
		t.changed(change{kind: queueChange, q: q})
	}
	return waited, true
}

// unused tells that nobody consumes the queue. q.mu is held.
func (q *Queue) unused() bool { return len(q.consumers) == 0 }

func (q *Queue) isGone() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.gone
}

// close ends a session's own queue.
func (q *Queue) close(t *Turn) {
	q.mu.Lock()
	was := q.gone
	q.gone = true
	q.mu.Unlock()
	if !was {
		q.empty(t)
	}
}

// empty drops everything that waits in a queue that is gone, with its records,
// and ends its consumers.
func (q *Queue) empty(t *Turn) {
	q.mu.Lock()
	logged := false
	var late unwritten
	for seq := q.head; seq < q.edge(); seq++ {
		e := q.at(seq)
		logged = logged || e.logged
		late.ends(t, q, seq, e)
	}
	if q.side != nil {
		for _, e := range q.side.sent {
			logged = logged || e.logged
		}
	}
	switch {
	case q.paged != nil:
		q.emptyPaged(t, late)
	case q.durable && (logged || q.unseen):
		t.deleteEntries(q, late)
	}
	q.ring, q.returned, q.side, q.shelf = nil, nil, nil, nil
	q.charge(-q.count, -q.bytes)
	q.head, q.inflight = q.tail, 0
	q.next = q.tail
	var alarms []*alarm
	if w := q.wanted; w != nil {
		if w.out = 0; w.alarm != nil {
			alarms = append(alarms, w.alarm)
		}
	}
	if q.age != nil {
		alarms = append(alarms, q.age.alarm)
		q.age.deadlines, q.age.late = nil, nil
	}
	var waited []*Consumer
	if q.given != nil {
		waited, q.given = q.given.parked, nil
	}
	consumers := q.consumers
	q.consumers, q.armed, q.owed, q.sated = nil, nil, 0, 0
	for _, c := range consumers {
		c.isArmed, c.isOwed, c.isSated = false, false, false
		if c.closed == OK {
			c.closed = QueueDeleted
		}
	}
	q.mu.Unlock()
	for _, a := range alarms {
		q.ns.r.timers.cancel(a)
	}
	for _, c := range consumers {
		c.forgetMembership(t)
	}
	notifyAll(t, consumers)
	notifyAll(t, waited)
}

// unwritten are runs of entries, of a queue that ends, whose records were not
// written when it did, and which refer to messages of others too. They are
// deleted in one change with the end of the reference: by the commit that
// follows their records (committer.stored), or after a crash by the pager. A
// range that took them away alone would leave a message that nobody refers to.
type unwritten []struct{ from, to uint64 }

// ends ends the reference of an entry of the queue.
func (x *unwritten) ends(t *Turn, q *Queue, seq uint64, e *entry) {
	switch {
	case e.m == nil || e.m.record == nil:
	case e.stored:
		t.releaseMessage(e.m, holder{q.id, seq})
	case e.logged:
		if n := len(*x); n > 0 && (*x)[n-1].to == seq {
			(*x)[n-1].to++
		} else {
			*x = append(*x, struct{ from, to uint64 }{seq, seq + 1})
		}
	}
}

// deleteBut removes the entries of a queue from one number to before another,
// and leaves those runs to the pager.
func (t *Turn) deleteBut(id, from, to uint64, but unwritten) {
	b := &t.pendingWork().batch
	for _, run := range but {
		if run.from >= to {
			break
		}
		if from < run.from {
			b.DeleteRange(key2(keyEntry, id, from), key2(keyEntry, id, run.from))
		}
		from = max(from, run.to)
		t.clears(clearing{id: id, from: run.from, to: run.to})
	}
	if from < to {
		b.DeleteRange(key2(keyEntry, id, from), key2(keyEntry, id, to))
	}
}

// forgetMembership takes the membership of a queue that was deleted off its
// session, so that the same subscription makes the queue anew.
func (c *Consumer) forgetMembership(t *Turn) {
	if c.filter == "" {
		return
	}
	st := c.member
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.shared()[c.filter] == c {
		delete(st.shared(), c.filter)
		st.text -= len(c.filter)
		if st.durable {
			t.changed(change{kind: subscriptionChange, st: st, text: c.filter})
		}
	}
}

// touch notes that the queue was used, for its idle expiry. q.mu is held.
func (q *Queue) touch(t *Turn) {
	if q.spec.IdleExpiry > 0 && q.idle() {
		if q.wanted == nil {
			q.wanted = &wanted{}
		}
		if q.wanted.alarm == nil {
			q.wanted.alarm = newAlarm(q.expireIdle)
		}
		q.wanted.since = t.Now
		q.watchIdle()
	}
}

// emptied notes that nothing is left, from when on some queues are idle. It is
// no use of those that are so with messages too. q.mu is held.
func (q *Queue) emptied(t *Turn) {
	if !q.spec.ExpiresFull {
		q.touch(t)
	}
}

// used is touch from outside the queue's lock.
func (q *Queue) used(t *Turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.touch(t)
}

func (q *Queue) idle() bool {
	return (q.count == 0 || q.spec.ExpiresFull) && len(q.consumers) == 0 && !q.gone
}

func (q *Queue) idleUntil() Time { return q.wanted.since.After(q.spec.IdleExpiry) }

// watchIdle sets the queue's one timer. q.mu is held.
func (q *Queue) watchIdle() {
	q.ns.r.timers.sooner(q.wanted.alarm, q.idleUntil())
}

func (q *Queue) expireIdle(t *Turn) {
	q.mu.Lock()
	if q.idle() && t.Now < q.idleUntil() {
		q.watchIdle()
	}
	q.mu.Unlock()
	q.ns.deleteQueue(t, q, func() bool { return q.idle() && t.Now >= q.idleUntil() })
}
