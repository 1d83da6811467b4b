package core

import "slices"

// TakeOne takes one message of a named queue without staying its consumer
// (AMQP's basic.get). The delivery is settled like any other; what is not
// settled goes back when the connection ends. waiting is what remains. later
// tells that the next message is on its way from the store: nothing was taken,
// and the session's sink is told when it is worth another call.
func (s *Session) TakeOne(t *Turn, queue string, noAck bool) (d Delivery, waiting int, ok, later bool, reason Reason) {
	q, reason := s.lookup(queue, ActionSubscribe)
	if reason != OK {
		return d, 0, false, false, reason
	}
	q.used(t)
	c := s.getter(q, noAck)
	out := c.Take(t, make([]Delivery, 0, 1), 1)
	if len(out) == 0 && q.reads(c) {
		return d, c.Waiting(), false, true, OK
	}
	waiting = c.Waiting()
	if len(out) == 0 {
		return d, waiting, false, false, OK
	}
	return out[0], waiting, true, false, OK
}

// getter is the session's quiet consumer of a queue.
func (s *Session) getter(q *Queue, noAck bool) *Consumer {
	for _, c := range s.consumers() {
		if c.quiet && !c.stopped && c.queue == q && c.opts.NoAck == noAck {
			return c
		}
	}
	s.pruneConsumers()
	c := &Consumer{queue: q, opts: ConsumeOptions{QoS: 2, NoAck: noAck, AckAll: true}, session: s, member: s.st, quiet: true}
	x := s.more()
	x.consumers = append(x.consumers, c)
	return c
}

// reads has the pager read on for a getter, which nothing else would wake; false
// when nothing is there to be read.
func (q *Queue) reads(c *Consumer) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := q.paged
	if q.gone || p == nil || q.next != p.edge || p.edge == q.tail || len(q.returned) > 0 || q.room() <= 0 {
		return false
	}
	q.polled = true // so that it may be read
	q.ask()
	q.ns.r.pager.gets(q, c)
	return true
}

// gets notes a getter that waits for a read. q.mu is held.
func (x *pager) gets(q *Queue, c *Consumer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.getters == nil {
		x.getters = map[*Queue][]*Consumer{}
	}
	if !slices.Contains(x.getters[q], c) {
		x.getters[q] = append(x.getters[q], c)
	}
}

// got takes those that a queue was read for: also when it brought nothing.
func (x *pager) got(q *Queue) []*Consumer {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := x.getters[q]
	delete(x.getters, q)
	return list
}
