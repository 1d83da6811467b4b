package core

// Carrier is an owner of turns that can hand a delivery over at once, because
// it drives the receiver's connection too: a loop.
type Carrier interface {
	// Deliver gives a delivery to the connection that attached with the sink.
	// false: not now, or not by this loop; it waits in its queue as any other.
	// The delivery and its message are lent for the call. It calls nothing of
	// core but Sink.Ready, and no lock is held.
	Deliver(t *Turn, to Sink, d *Delivery) bool
	// DeliverRun is Deliver for the messages of a run, of which d is the first: for
	// all of them or none.
	DeliverRun(t *Turn, to Sink, d *Delivery, r *Run) bool
}

// passOver hands a message of QoS 0 to the queue's consumer without its waiting
// here, when nothing else does, so that it precedes nothing. What is not plain
// takes the way through the ring.
func (q *Queue) passOver(t *Turn, m *Message, tg *target) bool {
	q.mu.Lock()
	c := q.hungry(t, m, tg)
	if c == nil {
		q.mu.Unlock()
		return false
	}
	to, ids, seq := c.session.sink, c.ids, q.number(t)
	q.mu.Unlock()
	if t.carrier.Deliver(t, to, t.handOver(m, c, seq, tg, ids)) {
		return true
	}
	q.unnumber(seq, seq+1)
	return false
}

// handOver is the turn's delivery for the carrier.
func (t *Turn) handOver(m *Message, c *Consumer, seq uint64, tg *target, ids *[]uint32) *Delivery {
	d := &t.over
	d.Message, d.Consumer, d.Seq, d.Attempt, d.Retain = m, c, seq, 1, tg.rap && m.Retain
	if d.IDs = nil; tg.ids != nil {
		d.IDs = *tg.ids
	} else if ids != nil {
		d.IDs = *ids
	}
	return d
}

// number uses a sequence number up for what does not wait. Its place in the
// ring is settled.
func (q *Queue) number(t *Turn) (seq uint64) {
	seq = q.tail
	if q.head == seq {
		q.head++
	} else {
		if seq-q.head == uint64(len(q.ring)) {
			q.grow(t)
		}
		*q.at(seq) = entry{state: settled}
	}
	q.tail++
	q.next++
	return seq
}

// unnumber gives numbers back, from one on, unless the end is in use.
func (q *Queue) unnumber(from, end uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.tail == end {
		q.tail = from
		q.next, q.head = min(q.next, from), min(q.head, from)
	}
}

// hungry is the one consumer of the queue, if it has taken all that came before
// and may have the message; nil: not, or it has to be looked at. q.mu is held.
func (q *Queue) hungry(t *Turn, m *Message, tg *target) *Consumer {
	if len(q.armed) != 1 || len(q.consumers) != 1 || q.next != q.tail || len(q.returned) > 0 || q.paged != nil || q.apart > 0 || q.shelf.len() > 0 || q.kind == groupQueue {
		return nil
	}
	c := q.armed[0]
	switch {
	case q.gone, q.side != nil && len(q.side.lanes)+len(q.side.back) > 0, c.holds(0), t.pressure != 0, m.Expired(t.Now):
		return nil
	case q.head != q.tail && (q.full(m, false) || q.spans()), c.opts.NoLocal && q.kind != sessionQueue && m.From == c.member.id:
		return nil
	case !c.mayReadTopic(m.Topic, tg.free):
		return nil
	}
	return c
}
