package core

import "time"

// serve is serveLocked for a session that nobody else can see.
func (st *session) serve(t *Turn, s *Session, c *Client) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.serveLocked(t, s, c)
}

// serveLocked completes an attachment: st.mu is held, nobody is attached. It
// keeps nothing of c itself.
func (st *session) serveLocked(t *Turn, s *Session, c *Client) {
	s.st = st
	s.present = st.begun // [MQTT-3.1.2-5] [3: MQTT-3.1.2-4]
	st.current = s
	st.principal.Store(c.Principal)
	if st.undelayWill() { // back before the delay was over
		st.counts(st.will).Cancelled.Add(1)
	}
	if st.lasting != nil {
		st.ends, st.loaded = 0, false
	}
	st.will = c.Will
	st.setExpiry(c.Expiry)
	if !st.begun { // [MQTT-3.1.2-6]
		st.begun = true
		st.durable = !st.transient && c.Expiry > 0
		st.each, st.keep, st.spec = c.Each, c.KeepQoS0, st.ns.r.specs.ofSession(c.Queue)
		if st.durable { // its record says what the queue is
			st.openInbox()
		}
	}
	if st.inbox != nil {
		s.inbox = st.inbox.adopt(s)
		st.resume(t, s)
	}
	for _, c := range st.shared() {
		c.queue.attach(s, c)
	}
	if st.durable {
		if st.unsafe > 0 {
			s.state.Or(bitFenced)
		}
		t.changed(change{kind: sessionChange, st: st})
		seq, _ := s.advance(t, true)
		s.attachAt.Store(seq)
	}
	s.state.Or(bitServed)
	if s.inbox != nil {
		s.listReady(s.inbox)
	}
	for _, c := range st.shared() {
		s.listReady(c)
	}
}

// openInbox makes the own queue. st.mu is held.
func (st *session) openInbox() {
	st.inbox = &Queue{
		ns: st.ns, id: st.ns.r.newID(), kind: sessionQueue, own: st, durable: st.durable,
		each: st.each, keep: st.keep, spec: st.spec, head: 1, next: 1, tail: 1,
	}
}

// own is the session's own queue, which is made when something is to go
// through it for the first time. Its consumer is woken by that. st.mu is held.
func (s *Session) own() *Queue {
	st, r := s.st, s.ns.r
	if st.inbox != nil {
		return st.inbox
	}
	st.openInbox()
	s.inbox = st.inbox.adopt(s)
	if !r.open.Load() {
		st.inbox.remark(r.policy.Load(), st.principal.Load())
	}
	st.inbox.mu.Lock()
	st.inbox.arm(s.inbox)
	st.inbox.mu.Unlock()
	return st.inbox
}

// settled follows the commit of a turn in which an attachment ended: the one
// after it may be told that it is attached, because nothing of the earlier one
// is on its way to the store any more.
func (st *session) settled(t *Turn) {
	st.mu.Lock()
	st.unsafe--
	s := st.current
	if st.unsafe > 0 || s == nil || !s.clear(bitFenced) {
		s = nil
	}
	st.mu.Unlock()
	if s != nil {
		s.sink.Ready(t)
	}
}

// adopt gives a session's own queue a consumer for a new attachment; the
// consumer of the one before is fenced by being another value.
func (q *Queue) adopt(s *Session) *Consumer {
	c := &Consumer{queue: q, opts: ConsumeOptions{QoS: 2}, session: s, member: s.st}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, old := range q.consumers {
		q.disarm(old)
	}
	q.consumers = []*Consumer{c}
	q.apart = 0
	if q.durable {
		q.startSending()
	}
	return c
}

// attach connects a member of a shared queue again. Where one is the active
// one, it goes to the end of the line.
func (q *Queue) attach(s *Session, c *Consumer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c.session = s
	if q.spec.SingleActive && !q.gone {
		q.drop(c)
		q.consumers = append(q.consumers, c)
	}
}

// SetExpiry replaces the time that the session outlives its connection.
func (s *Session) SetExpiry(t *Turn, d time.Duration) {
	if limit := time.Duration(s.ns.r.limits().SessionExpiryMS) * time.Millisecond; d > limit {
		d = limit
	}
	st := s.st
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.current != s {
		return
	}
	st.setExpiry(d)
	if st.durable {
		t.changed(change{kind: sessionChange, st: st})
	}
}

// SetWill replaces the will; nil removes it.
func (s *Session) SetWill(t *Turn, w *Will) Reason {
	if r := s.ns.r.checkWill(s.principal, s.ClientID(), w); r != OK {
		return r
	}
	st := s.st
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.current != s {
		return TakenOver
	}
	st.will = w
	if st.durable {
		t.changed(change{kind: sessionChange, st: st})
	}
	return OK
}
