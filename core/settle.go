package core

import "slices"

// Settle ends, or moves on, one delivery. An unknown or settled seq does
// nothing. For Received on a durable queue the second half must wait: answer
// when the session's Safe has reached sub.
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
	var dead Dead
	durable := false
	switch o {
	case Received:
		if e.state != received {
			e.state = received
			durable = e.logged && seq&laneBit == 0
			if durable {
				t.putEntry(q, seq, e)
			}
		}
	case Released:
		woken = q.release(t, seq, e)
	case Rejected: // [MQTT-4.8.2-6]
		dead = Dead{Message: e.m, Cause: DropRejected, Attempts: int(e.attempts)}
		q.finish(t, seq)
	default:
		q.finish(t, seq)
	}
	q.mu.Unlock()
	if woken != nil {
		woken.notify(t)
	}
	if dead.Message != nil {
		q.bury(t, dead)
	}
	if durable {
		return s.advance(t, true)
	}
	return 0, false
}

// entry finds an entry of the ring or of the retained side; nil when there is
// none.
func (q *Queue) entry(seq uint64) *entry {
	if seq&laneBit != 0 {
		return q.side[seq]
	}
	if seq < q.head || seq >= q.tail {
		return nil
	}
	return q.at(seq)
}

func (q *Queue) finish(t *Turn, seq uint64) {
	if seq&laneBit == 0 {
		q.remove(t, seq)
		return
	}
	e := q.side[seq]
	q.sideDone(e)
	delete(q.side, seq)
}

func (q *Queue) sideDone(e *entry) {
	if e.out {
		e.out = false
		q.inflight--
		q.count--
		e.owner.inflight--
	}
}

// release makes a delivery wait again, and picks who is to take it: another
// consumer if one is hungry.
func (q *Queue) release(t *Turn, seq uint64, e *entry) *Consumer {
	if limit := q.spec.MaxAttempts; limit > 0 && int(e.attempts) >= limit {
		q.buryLater(e, DropRejected)
		q.finish(t, seq)
		return nil
	}
	if q.isLate(seq) {
		q.buryLater(e, DropExpired)
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
	}
	list := &q.returned
	if seq&laneBit != 0 {
		list = &q.sideBack
		q.count--
	}
	i, _ := slices.BinarySearch(*list, seq)
	*list = slices.Insert(*list, i, seq)
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
	if e.stored && seq&laneBit == 0 { // before, the record may not precede the message that it refers to
		t.putEntry(q, seq, e)
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
	woken := q.detach(t, c, false)
	q.drop(c)
	if next := q.wakeNext(); next != nil { // what it was woken for, or its place as the active one
		woken = append(woken, next)
	}
	q.exclusive = q.exclusive && len(q.consumers) > 0
	last := len(q.consumers) == 0 && !c.quiet
	q.touch(t)
	q.mu.Unlock()
	s.forgetConsumer(c)
	notifyAll(t, woken)
	if last && (q.kind == privateQueue || q.spec.AutoDelete) {
		q.ns.deleteQueue(t, q)
	}
}

// Stop ends the taking: the queue counts the consumer no more, and nothing
// follows but that what it holds is settled, or given back by Cancel.
func (c *Consumer) Stop(t *Turn) {
	q := c.queue
	q.mu.Lock()
	if c.session == nil || c.quiet {
		q.mu.Unlock()
		return
	}
	c.quiet = true
	q.disarm(c)
	q.drop(c)
	woken := q.wakeNext()
	q.exclusive = q.exclusive && len(q.consumers) > 0
	last := len(q.consumers) == 0
	q.touch(t)
	q.mu.Unlock()
	if woken != nil {
		woken.notify(t)
	}
	if last && q.spec.AutoDelete {
		q.ns.deleteQueue(t, q)
	}
}

func notifyAll(t *Turn, cs []*Consumer) {
	for _, c := range cs {
		c.notify(t)
	}
}

// drop takes a consumer off the queue's list.
func (q *Queue) drop(c *Consumer) {
	q.consumers = slices.DeleteFunc(q.consumers, func(x *Consumer) bool { return x == c })
}

// detach takes the connection away from a consumer. A session's own queue
// keeps what was sent for the resume; a shared one gives it to others, but
// QoS 2 that was sent stays with a member that lives on [MQTT-4.8.2-4].
func (q *Queue) detach(t *Turn, c *Consumer, memberStays bool) (woken []*Consumer) {
	c.session = nil
	q.disarm(c)
	for seq := q.head; c.inflight > 0 && seq < q.tail; seq++ {
		e := q.at(seq)
		if !e.out || e.owner != c {
			continue
		}
		if q.kind != sessionQueue && memberStays && e.qos == 2 {
			c.kept = append(c.kept, seq)
			e.out = false
			q.inflight--
			c.inflight--
			continue
		}
		if q.kind == sessionQueue {
			q.giveBack(seq, e)
		} else if w := q.release(t, seq, e); w != nil {
			woken = append(woken, w)
		}
	}
	for seq, e := range q.side {
		if e.out && e.owner == c {
			q.giveBack(seq, e)
		}
	}
	return woken
}
