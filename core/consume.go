package core

// addConsumer joins a session to a queue.
func (q *Queue) addConsumer(t *Turn, s *Session, o ConsumeOptions) (*Consumer, Reason) {
	c := &Consumer{queue: q, opts: o, session: s, member: s.st}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.gone, q.leaving:
		return nil, NotFound
	case q.spec.Exclusive && q.own != s.st:
		return nil, Locked
	case q.exclusive, o.Exclusive && len(q.consumers) > 0:
		return nil, InUse
	}
	q.exclusive = o.Exclusive
	q.ranked = q.ranked || o.Priority != 0
	q.consumers = append(q.consumers, c)
	return c, OK
}

// consume joins a session to a queue for as long as its connection lasts.
func (s *Session) consume(t *Turn, q *Queue, o ConsumeOptions) (*Consumer, Reason) {
	c, reason := q.addConsumer(t, s, o)
	if reason != OK {
		return nil, reason
	}
	s.consumers = append(s.consumers, c)
	s.listReady(c)
	s.sink.Ready(t)
	return c, OK
}

// leave ends a membership that a subscription made. A group ends with its
// last member, with all that it holds.
func (ns *Namespace) leave(t *Turn, c *Consumer) {
	q := c.queue
	q.mu.Lock()
	woken := q.detach(t, c, false)
	for _, seq := range c.kept { // sent to a session that is gone: to nobody else [MQTT-4.8.2-5]
		q.remove(t, seq)
	}
	c.kept = nil
	q.drop(c)
	if next := q.wakeNext(); next != nil {
		woken = append(woken, next)
	}
	last := len(q.consumers) == 0
	q.touch(t)
	q.mu.Unlock()
	notifyAll(t, woken)
	if last && q.kind == groupQueue {
		ns.deleteQueue(t, q)
	}
}

// Consume makes a consumer of a named queue. NotFound, Locked, InUse,
// NotAuthorized.
func (s *Session) Consume(t *Turn, queue string, o ConsumeOptions) (*Consumer, Reason) {
	q, reason := s.lookup(queue, ActionSubscribe)
	if reason != OK {
		return nil, reason
	}
	return s.consume(t, q, o)
}

// TakeOne takes one message of a named queue without staying its consumer
// (AMQP's basic.get). The delivery is settled like any other; what is not
// settled goes back when the connection ends. waiting is what remains.
func (s *Session) TakeOne(t *Turn, queue string, noAck bool) (d Delivery, waiting int, ok bool, reason Reason) {
	q, reason := s.lookup(queue, ActionSubscribe)
	if reason != OK {
		return d, 0, false, reason
	}
	c := s.getter(q, noAck)
	out := c.Take(t, make([]Delivery, 0, 1), 1)
	waiting = c.Waiting()
	if len(out) == 0 {
		return d, waiting, false, OK
	}
	return out[0], waiting, true, OK
}

// getter is the session's quiet consumer of a queue.
func (s *Session) getter(q *Queue, noAck bool) *Consumer {
	for _, c := range s.consumers {
		if c.quiet && c.queue == q && c.opts.NoAck == noAck {
			return c
		}
	}
	c := &Consumer{queue: q, opts: ConsumeOptions{QoS: 2, NoAck: noAck, AckAll: true}, session: s, member: s.st, quiet: true}
	s.consumers = append(s.consumers, c)
	return c
}

// Open makes a private queue with subscriptions and its one consumer; all of
// it ends with the consumer. Retained messages of the filters come first, as
// RetainHandling says.
func (s *Session) Open(t *Turn, spec QueueSpec, o ConsumeOptions, subs ...Subscription) (*Consumer, Reason) {
	for i := range subs {
		if reason := s.checkSubscribe(&subs[i]); reason != OK {
			return nil, reason
		}
	}
	spec.Durable = false
	q := s.ns.newQueue(privateQueue, spec)
	q.own = s.st
	q.keep = true
	c, reason := q.addConsumer(t, s, o)
	if reason != OK {
		return nil, reason
	}
	for _, sub := range subs {
		q.bind(t, sub)
		if sub.RetainHandling < 2 {
			if l := s.ns.newLane(q.bindings[sub.Filter]); l != nil {
				l.owner = s
				q.lanes = append(q.lanes, l)
			}
		}
	}
	s.consumers = append(s.consumers, c)
	s.listReady(c)
	s.sink.Ready(t)
	return c, OK
}
