package core

import "slices"

// addConsumer joins a session to a queue.
// For a membership, filter is the text that was subscribed with.
func (q *Queue) addConsumer(t *Turn, s *Session, o ConsumeOptions, filter string) (*Consumer, Reason) {
	c := &Consumer{queue: q, session: s, member: s.st, filter: filter}
	c.setOptions(o)
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.gone:
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
func (s *Session) consume(t *Turn, q *Queue, o ConsumeOptions, policy uint64) (*Consumer, Reason) {
	most := s.ns.limits().Subscriptions
	less(&most, s.ns.r.limitsOf(s.principal).Subscriptions)
	if len(s.consumers()) >= most { // [SECURITY L11]
		return nil, s.ns.over(LimitSubscriptions)
	}
	c, reason := q.addConsumer(t, s, o, "")
	if reason != OK {
		return nil, reason
	}
	s.added(t, c, policy)
	return c, OK
}

// added makes the session serve a consumer. The rules of that generation allowed
// it.
func (s *Session) added(t *Turn, c *Consumer, policy uint64) {
	x := s.more()
	x.consumers = append(x.consumers, c)
	s.listReady(c)
	s.sink.Ready(t)
	if s.ns.r.policy.Load() != policy {
		s.ns.r.timers.soon(c.queue.recheck)
	}
}

// leave ends a membership with its session. A group ends with its last member,
// with all that it holds.
func (ns *Namespace) leave(t *Turn, c *Consumer) {
	q := c.queue
	q.mu.Lock()
	woken := q.detach(t, c)
	q.drop(c)
	if next := q.wakeNext(); next != nil {
		woken = append(woken, next)
	}
	last := q.unused()
	q.lostOne(t, last && q.kind == groupQueue)
	q.touch(t)
	q.mu.Unlock()
	notifyAll(t, woken)
	if last && q.kind == groupQueue {
		ns.deleteQueue(t, q, q.unused)
	}
}

// retire ends a membership while its connection lasts: what it holds is
// completed by this client [MQTT-3.10.4-3], or goes to others when the
// connection ends first.
func (s *Session) retire(t *Turn, c *Consumer) {
	c.Stop(t)
	s.pruneConsumers()
	if c.holdsAny() {
		x := s.more()
		x.consumers = append(x.consumers, c)
	}
}

func (c *Consumer) holdsAny() bool {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	return c.inflight > 0 && !c.queue.gone
}

// pruneConsumers forgets those that have nothing to do any more.
func (s *Session) pruneConsumers() {
	if s.extra == nil {
		return
	}
	s.extra.consumers = slices.DeleteFunc(s.extra.consumers, func(c *Consumer) bool {
		c.queue.mu.Lock()
		defer c.queue.mu.Unlock()
		return c.quiet && (c.queue.gone || c.stopped && c.filter != "" && c.inflight == 0)
	})
}

// Consume makes a consumer of a named queue. NotFound, Locked, InUse,
// NotAuthorized.
func (s *Session) Consume(t *Turn, queue string, o ConsumeOptions) (*Consumer, Reason) {
	policy := s.ns.r.policy.Load()
	q, reason := s.lookup(queue, ActionSubscribe)
	if reason != OK {
		return nil, reason
	}
	return s.consume(t, q, o, policy)
}

// Open makes a private queue with subscriptions and its one consumer; all of
// it ends with the consumer. Retained messages of the filters come first, as
// RetainHandling says.
func (s *Session) Open(t *Turn, spec QueueSpec, o ConsumeOptions, subs ...Subscription) (*Consumer, Reason) {
	policy := s.ns.r.policy.Load()
	for i := range subs {
		if reason := s.checkSubscribe(&subs[i]); reason != OK {
			return nil, reason
		}
	}
	if len(s.consumers()) >= s.mostSubscriptions() {
		return nil, s.ns.over(LimitSubscriptions)
	}
	if reason := t.refusesMore(false); reason != OK {
		return nil, reason
	}
	spec.Durable = false
	q := s.ns.newQueue(privateQueue, spec)
	q.own = s.st
	q.keep = true
	c, reason := q.addConsumer(t, s, o, "")
	if reason != OK {
		return nil, reason
	}
	for _, sub := range subs {
		q.bind(t, sub)
		if sub.RetainHandling < 2 {
			if l := s.ns.newLane(q.bindings.get(sub.Filter)); l != nil {
				l.owner = s
				q.aside().lanes = append(q.aside().lanes, l)
			}
		}
	}
	s.added(t, c, policy)
	return c, OK
}
