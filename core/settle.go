package core

import "slices"

// Settle ends, or moves on, one delivery. An unknown or settled seq does
// nothing. For Received on a durable queue the second half must wait: answer
// when the session's Safe has reached sub. The message of a delivery must not be
// looked at after Accepted.
func (c *Consumer) Settle(t *Turn, seq uint64, o Outcome) (sub uint64, pending bool) {
	q := c.queue
	q.mu.Lock()
	s := c.session
	e := q.entry(seq)
	if s == nil || e == nil || !e.out || e.owner != c {
		q.mu.Unlock()
		return 0, false
	}
	var woken *Consumer
	var done *Message
	durable := false
	switch o {
	case Received:
		if e.state != received {
			e.state = received
			durable = q.noteReceived(t, seq, e)
		}
	case Released:
		woken = q.release(t, seq, e)
		q.shorten(t)
	case Rejected: // [MQTT-4.8.2-6]
		q.origin(seq).giveUp(t, e, DropRejected)
		q.finish(t, seq)
	default:
		m := e.m
		if q.finish(t, seq); m.sole && t != nil {
			done = m
		}
	}
	q.mu.Unlock()
	if done != nil {
		t.reuse(done)
	}
	if woken != nil {
		woken.notify(t)
	}
	if durable {
		return s.advance(t, true)
	}
	return 0, false
}

// noteReceived makes the first half of a QoS 2 delivery as durable as its
// entry. In a shared queue the consumer is one that ends with its connection:
// the message is the receiver's now, and nobody else may get it after a crash.
func (q *Queue) noteReceived(t *Turn, seq uint64, e *entry) (durable bool) {
	switch {
	case !e.logged:
		return false
	case q.kind == sessionQueue:
		t.changed(change{kind: entryChange, q: q, seq: seq})
	case e.stored:
		t.deleteEntry(q, seq, e.m)
		e.stored, e.logged = false, false
	}
	return true
}

// entry finds an entry of the ring or of the retained side; nil when there is
// none.
func (q *Queue) entry(seq uint64) *entry {
	if seq&laneBit != 0 {
		if q.side == nil {
			return nil
		}
		return q.side.sent[seq]
	}
	if seq < q.head || seq >= q.tail {
		return nil
	}
	if p := q.paged; p != nil && seq >= p.edge {
		return p.entry(seq)
	}
	return q.at(seq)
}

func (q *Queue) finish(t *Turn, seq uint64) {
	if seq&laneBit == 0 {
		q.remove(t, seq)
		return
	}
	e := q.side.sent[seq]
	q.sideDone(e)
	delete(q.side.sent, seq)
	if e.stored {
		t.delete(key2(keyEntry, q.id, seq))
	}
}

func (q *Queue) sideDone(e *entry) {
	if e.out {
		e.out = false
		q.inflight--
		q.charge(-1, 0)
		e.owner.inflight--
	}
}

// release makes a delivery wait again, and picks who is to take it: another
// consumer if one is hungry.
func (q *Queue) release(t *Turn, seq uint64, e *entry) *Consumer {
	if e.state == received && q.kind != sessionQueue { // its receiver has it: nobody else may get it
		q.finish(t, seq)
		return nil
	}
	if limit := q.spec.MaxAttempts; limit > 0 && int(e.attempts) >= limit {
		q.giveUp(t, e, DropRejected)
		q.finish(t, seq)
		return nil
	}
	if q.isLate(seq) {
		q.giveUp(t, e, DropExpired)
		q.finish(t, seq)
		return nil
	}
	q.giveBack(seq, e)
	return q.wakeOther(e)
}

// giveBack makes a taken entry wait again, in its place.
func (q *Queue) giveBack(seq uint64, e *entry) {
	if e.out {
		e.out = false
		q.inflight--
		e.owner.inflight--
		q.lands(e)
	}
	list := &q.returned
	if seq&laneBit != 0 {
		list = &q.side.back
		q.charge(-1, 0)
	}
	i, _ := slices.BinarySearch(*list, seq)
	*list = slices.Insert(*list, i, seq)
}

// lands takes an entry off what is in flight. q.mu is held.
func (q *Queue) lands(e *entry) {
	if q.wanted != nil {
		q.wanted.out -= int64(e.m.Size())
	}
}

// Tag stores a wire identifier with a delivery; it comes back in Delivery.Tag
// when the delivery is repeated.
func (c *Consumer) Tag(t *Turn, seq uint64, tag uint32) {
	q := c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	e := q.entry(seq)
	if e == nil || !e.out || e.owner != c || e.tag == tag {
		return
	}
	e.tag = tag
	if e.stored { // else it goes with the first record, or follows it
		t.changed(change{kind: entryChange, q: q, seq: seq})
	}
}

// Cancel ends the consumer. What it has not settled goes to others, in its
// place; a private queue ends with it.
func (c *Consumer) Cancel(t *Turn) {
	q := c.queue
	q.mu.Lock()
	s := c.session
	if s == nil {
		q.mu.Unlock()
		return
	}
	woken := q.detach(t, c)
	q.drop(c)
	if next := q.wakeNext(); next != nil { // what it was woken for, or its place as the active one
		woken = append(woken, next)
	}
	q.exclusive = q.exclusive && len(q.consumers) > 0
	last := q.unused() && !c.quiet
	q.polled = q.polled && !c.quiet
	q.lostOne(t, last)
	q.touch(t)
	q.mu.Unlock()
	s.forgetConsumer(c)
	notifyAll(t, woken)
	if last {
		q.lostItsLast(t)
	}
}

// lostItsLast deletes a queue that does not outlive its consumers, unless it
// has found one again.
func (q *Queue) lostItsLast(t *Turn) {
	if q.dies() {
		q.ns.deleteQueue(t, q, q.unused)
	}
}

// dies tells that the queue ends with its last consumer.
func (q *Queue) dies() bool {
	return q.kind == privateQueue || q.kind == groupQueue || q.spec.AutoDelete
}

// Stop ends the taking: the queue counts the consumer no more, and nothing
// follows but that what it holds is settled, or given back by Cancel.
func (c *Consumer) Stop(t *Turn) {
	q := c.queue
	q.mu.Lock()
	if c.session == nil || c.stopped {
		q.mu.Unlock()
		return
	}
	c.quiet, c.stopped = true, true
	q.disarm(c)
	q.drop(c)
	woken := q.wakeNext()
	q.exclusive = q.exclusive && len(q.consumers) > 0
	last := q.unused()
	q.lostOne(t, last)
	q.touch(t)
	q.mu.Unlock()
	if woken != nil {
		woken.notify(t)
	}
	if last {
		q.lostItsLast(t)
	}
}

// drop takes a consumer off the queue's list.
func (q *Queue) drop(c *Consumer) {
	q.consumers = slices.DeleteFunc(q.consumers, func(x *Consumer) bool { return x == c })
}

// detach takes the connection away from a consumer. A session's own queue
// keeps what was sent for the resume; a shared one gives it to others, but
// QoS 2 that was sent to a member goes to nobody else: the member's session
// ends with the connection, for a durable one has it in its own queue.
// [MQTT-4.8.2-5]
func (q *Queue) detach(t *Turn, c *Consumer) (woken []*Consumer) {
	c.session = nil
	q.disarm(c)
	for seq := q.head; c.inflight > 0 && seq < q.edge(); seq++ {
		e := q.at(seq)
		switch {
		case !e.out || e.owner != c:
		case q.kind == sessionQueue:
			q.giveBack(seq, e)
		case c.filter != "" && (e.state == takenOnce || e.state == received):
			q.remove(t, seq)
		default:
			if w := q.release(t, seq, e); w != nil {
				woken = append(woken, w)
			}
		}
	}
	q.shorten(t)
	if q.side != nil {
		for seq, e := range q.side.sent {
			if e.out && e.owner == c {
				q.giveBack(seq, e)
			}
		}
	}
	return woken
}
