package core

import "slices"

// Detach ends the attachment. Normal discards the will, every other reason
// publishes it, after its delay. The session lives on for its expiry. A
// second call does nothing.
func (s *Session) Detach(t *Turn, reason Reason) {
	if s.detached {
		return
	}
	s.detached = true
	s.ns.unseat(s.principal.User)
	for _, c := range slices.Clone(s.consumers()) {
		c.Cancel(t)
	}
	if s.extra != nil {
		for _, q := range s.extra.exclusive {
			q.ns.deleteQueue(t, q, nil)
		}
	}
	ns := s.ns
	if s.isServed() && s.st.transient { // else it waits, and st may be replaced
		s.st.finishAlone(t, s, reason)
		return
	}
	ns.mu.Lock()
	st := s.st // under ns.mu: while s waits, another connection's end may give it a fresh session
	st.mu.Lock()
	if st.current != s {
		if next, _ := st.next(); next == s {
			st.setNext(nil, nil)
		}
		st.mu.Unlock()
		ns.mu.Unlock()
		return
	}
	st.current = nil
	if st.durable {
		st.unsafe++
		t.leaves(st)
	}
	next, brings := st.next()
	woken := st.leave(t, next == nil && st.outlives() > 0)
	st.setNext(nil, nil)
	will := st.takeWill(t, reason, brings)
	ends := st.outlives() == 0 || (next != nil && brings.Clean) // [MQTT-3.1.2-23]
	served := st
	switch {
	case ends && next != nil:
		served = ns.replace(t, st, brings)
		served.serveLocked(t, next, brings)
	case ends:
		st.ended = true
		ns.remove(st)
	case next != nil:
		st.serveLocked(t, next, brings)
	default:
		st.depart(t)
	}
	served.mu.Unlock()
	ns.mu.Unlock()
	notifyAll(t, woken)
	s.observe(t, EventDisconnected, reason, Subscription{})
	if will != nil {
		st.publishWill(t, will)
	}
	if ends {
		st.finish(t, false)
	}
	if next != nil {
		next.connected(t, brings)
		denied := next.denied()
		next.withdraw(t, "resume", denied)
		next.sink.Ready(t)
	}
}

// leave takes the connection away from the session's consumers, and names
// those of others that now have something to take. away tells that the session
// stays, and nobody takes the connection's place. st.mu is held.
func (st *session) leave(t *Turn, away bool) (woken []*Consumer) {
	for _, c := range st.inboxConsumers() {
		st.inbox.mu.Lock()
		st.inbox.detach(t, c)
		if away {
			st.inbox.dropQoS0(t)
			st.inbox.rest(t)
		}
		st.inbox.mu.Unlock()
	}
	for _, c := range st.shared() {
		q := c.queue
		q.mu.Lock()
		woken = append(woken, q.detach(t, c)...)
		if q.spec.SingleActive && !q.gone { // the active one is one that is here
			q.drop(c)
			q.consumers = append(q.consumers, c)
		}
		if next := q.wakeNext(); next != nil { // what it was woken for
			woken = append(woken, next)
		}
		if away {
			q.rest(t)
		}
		q.mu.Unlock()
	}
	return woken
}

func (st *session) inboxConsumers() []*Consumer {
	if st.inbox == nil {
		return nil
	}
	st.inbox.mu.Lock()
	defer st.inbox.mu.Unlock()
	return slices.Clone(st.inbox.consumers)
}

// depart starts the time that the session has without a connection. st.mu is
// held.
// [3: MQTT-4.1.0-1]
func (st *session) depart(t *Turn) {
	st.ends = t.Now.After(st.expiry)
	st.schedule()
	if st.durable {
		t.changed(change{kind: sessionChange, st: st})
	}
}
