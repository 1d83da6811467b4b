package core

import (
	"slices"
	"time"
)

// Attach opens or resumes the client's session for a connection. When another
// connection holds it, that one is evicted and the attachment completes after
// its Detach; State tells when. A Reason other than OK refuses at once and
// leaves everything as it was.
func (r *Router) Attach(t *Turn, c Client, sink Sink) (*Session, Reason) {
	if c.Principal == nil {
		c.Principal = Anonymous
	}
	if limit := time.Duration(r.limits.SessionExpiryMS) * time.Millisecond; c.Expiry > limit {
		c.Expiry = limit
	}
	if reason := r.checkWill(c.Principal, c.Will); reason != OK {
		return nil, reason
	}
	ns := r.namespace(c.Principal.Namespace)
	s := &Session{r: r, ns: ns, sink: sink, client: c, principal: c.Principal}
	if c.ID == "" { // [3: MQTT-3.1.3-6]
		st := ns.newSession(c, true)
		st.serve(t, s)
		return s, OK
	}
	if c.Expiry > 0 && r.failed.Load() {
		return nil, Unavailable
	}
	key := sessionKey{c.Principal.User, c.ID} // [MQTT-3.1.3-2] [3: MQTT-3.1.3-2]
	ns.mu.Lock()
	st := ns.sessions[key]
	if st == nil {
		if len(ns.sessions) >= r.limits.Sessions {
			ns.mu.Unlock()
			return nil, Quota
		}
		st = ns.newSession(c, false)
		ns.sessions[key] = st
	}
	st.mu.Lock()
	s.st = st
	evict := st.claim(s)
	free := len(evict) == 0
	var ended *session
	if free && c.Clean && st.inbox != nil { // [MQTT-3.1.2-4] [MQTT-3.1.4-4] [3: MQTT-3.1.2-6] [3: MQTT-3.1.4-3]
		ended, st = st, ns.replace(t, st, c)
	}
	if free {
		st.serveLocked(t, s)
	}
	st.mu.Unlock()
	ns.mu.Unlock()
	if ended != nil {
		ended.finish(t, true)
	}
	for _, old := range evict {
		r.takeover.Add(1)
		old.sink.Evict(TakenOver)
	}
	if free {
		s.observe(t, EventConnected, OK, Subscription{})
	}
	return s, OK
}

// claim makes s the attachment to be served next, and returns those that are
// in its way. It takes nobody's place when the session is away.
func (st *session) claim(s *Session) (evict []*Session) {
	if st.current == nil {
		return nil
	}
	evict = append(evict, st.current)
	if st.next != nil {
		evict = append(evict, st.next)
	}
	st.next = s
	return evict
}

func (ns *Namespace) newSession(c Client, transient bool) *session {
	st := &session{ns: ns, id: ns.r.newID(), key: sessionKey{c.Principal.User, c.ID}, transient: transient}
	st.principal.Store(c.Principal)
	return st
}

// replace ends a session that is away and puts a fresh one in its place; both
// stay locked by the caller's use: ns.mu is held, old.mu is held and given up,
// the new one's is taken.
func (ns *Namespace) replace(t *Turn, old *session, c Client) *session {
	old.ended = true
	st := ns.newSession(c, false)
	ns.sessions[old.key] = st
	st.mu.Lock()
	old.mu.Unlock()
	return st
}

// serve is serveLocked for a session that nobody else can see.
func (st *session) serve(t *Turn, s *Session) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.serveLocked(t, s)
}

// serveLocked completes an attachment: st.mu is held, nobody is attached.
func (st *session) serveLocked(t *Turn, s *Session) {
	s.st = st
	s.present = st.inbox != nil // [MQTT-3.1.2-5] [3: MQTT-3.1.2-4]
	st.current = s
	st.principal.Store(s.client.Principal)
	if st.undelayWill() { // back before the delay was over
		st.counts(st.will).Cancelled.Add(1)
	}
	st.ends = 0
	st.will = s.client.Will
	st.expiry = s.client.Expiry
	st.durable = !st.transient && s.client.Expiry > 0
	if st.inbox == nil { // [MQTT-3.1.2-6]
		st.inbox = &Queue{
			ns: st.ns, id: st.ns.r.newID(), kind: sessionQueue, own: st, durable: st.durable,
			each: s.client.Each, keep: s.client.KeepQoS0, spec: QueueSpec{Limits: s.client.Queue},
			head: 1, next: 1, tail: 1,
		}
	}
	s.inbox = st.inbox.adopt(s)
	for _, c := range st.shared {
		c.queue.attach(s, c)
	}
	if st.durable {
		t.putSession(st)
		seq, _ := s.advance(t, true)
		s.attachAt.Store(seq)
	}
	s.served.Store(true)
	s.listReady(s.inbox)
	for _, c := range st.shared {
		s.listReady(c)
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
	return c
}

// attach connects a member of a shared queue again.
func (q *Queue) attach(s *Session, c *Consumer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c.session = s
}

// SetExpiry replaces the time that the session outlives its connection.
func (s *Session) SetExpiry(t *Turn, d time.Duration) {
	if limit := time.Duration(s.r.limits.SessionExpiryMS) * time.Millisecond; d > limit {
		d = limit
	}
	st := s.st
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.current != s {
		return
	}
	st.expiry = d
	if st.durable && d > 0 {
		t.putSession(st)
	}
}

// SetWill replaces the will; nil removes it.
func (s *Session) SetWill(t *Turn, w *Will) Reason {
	if r := s.r.checkWill(s.principal, w); r != OK {
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
		t.putSession(st)
	}
	return OK
}

// Detach ends the attachment. Normal discards the will, every other reason
// publishes it, after its delay. The session lives on for its expiry. A
// second call does nothing.
func (s *Session) Detach(t *Turn, reason Reason) {
	if s.detached {
		return
	}
	s.detached = true
	for _, c := range slices.Clone(s.consumers) {
		c.Cancel(t)
	}
	for _, q := range s.exclusive {
		q.ns.deleteQueue(t, q)
	}
	ns := s.ns
	if s.client.ID == "" {
		s.st.finishAlone(t, s, reason)
		return
	}
	ns.mu.Lock()
	st := s.st // under ns.mu: while s waits, another connection's end may give it a fresh session
	st.mu.Lock()
	if st.current != s {
		if st.next == s {
			st.next = nil
		}
		st.mu.Unlock()
		ns.mu.Unlock()
		return
	}
	st.current = nil
	woken := st.leave(t)
	next := st.next
	st.next = nil
	will := st.takeWill(t, reason, next)
	ends := st.expiry == 0 || (next != nil && next.client.Clean) // [MQTT-3.1.2-23]
	served := st
	switch {
	case ends && next != nil:
		served = ns.replace(t, st, next.client)
		served.serveLocked(t, next)
	case ends:
		st.ended = true
		delete(ns.sessions, st.key)
	case next != nil:
		st.serveLocked(t, next)
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
		next.observe(t, EventConnected, OK, Subscription{})
		next.sink.Ready(t)
	}
}

// leave takes the connection away from the session's consumers, and names
// those of others that now have something to take. st.mu is held.
func (st *session) leave(t *Turn) (woken []*Consumer) {
	for _, c := range st.inboxConsumers() {
		st.inbox.mu.Lock()
		st.inbox.detach(t, c, true)
		st.inbox.mu.Unlock()
	}
	stays := st.expiry > 0
	for _, c := range st.shared {
		c.queue.mu.Lock()
		woken = append(woken, c.queue.detach(t, c, stays)...)
		if next := c.queue.wakeNext(); next != nil { // what it was woken for
			woken = append(woken, next)
		}
		c.queue.mu.Unlock()
	}
	return woken
}

func (st *session) inboxConsumers() []*Consumer {
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
		t.putSession(st)
	}
}

// schedule sees to it that tick runs when the will or the end is due. A
// session has one timer that counts, however often it comes and goes. st.mu
// is held.
func (st *session) schedule() {
	at := st.ends
	if st.willAt != 0 && st.willAt < at {
		at = st.willAt
	}
	if at != 0 && (st.timer == 0 || at < st.timer) {
		st.timer = at
		st.ns.r.timers.at(at, st.tick)
	}
}

// tick publishes a due will, and ends the session when its time without a
// connection is over.
func (st *session) tick(t *Turn) {
	ns := st.ns
	ns.mu.Lock()
	st.mu.Lock()
	if st.timer <= t.Now {
		st.timer = 0
	}
	var will *Will
	away := !st.ended && st.current == nil           // [MQTT-4.1.0-1] [3: MQTT-4.1.0-2]
	ends := away && st.ends != 0 && t.Now >= st.ends // [MQTT-4.1.0-2]
	if ends {
		st.ended = true
		delete(ns.sessions, st.key)
	} else if away {
		will = st.dueWill(t)
		st.schedule()
	}
	st.mu.Unlock()
	ns.mu.Unlock()
	if will != nil {
		st.publishWill(t, will)
	}
	if ends {
		ns.r.expired.Add(1)
		st.finish(t, true)
	}
}

// finish releases what an ended session held. withWill publishes a will that
// is still scheduled: the session's end is its latest time.
// Retained messages stay. [3: MQTT-3.1.2-7]
func (st *session) finish(t *Turn, withWill bool) {
	st.mu.Lock()
	var will *Will
	if st.undelayWill() && withWill {
		will = st.will
	}
	st.will = nil
	subs, shared, inbox := st.subs, st.shared, st.inbox
	st.subs, st.shared = nil, nil
	durable := st.durable
	st.mu.Unlock()
	for _, b := range subs {
		st.ns.index.Remove(b.sub.Filter, b)
	}
	for _, c := range shared {
		st.ns.leave(t, c)
	}
	if inbox != nil {
		inbox.close(t)
	}
	if durable {
		t.deleteSession(st)
	}
	if will != nil {
		st.publishWill(t, will)
	}
}

// finishAlone ends a transient session with its only attachment.
func (st *session) finishAlone(t *Turn, s *Session, reason Reason) {
	st.mu.Lock()
	will := st.takeWill(t, reason, nil)
	st.current, st.ended = nil, true
	st.mu.Unlock()
	if will != nil {
		st.publishWill(t, will)
	}
	st.finish(t, false)
}

// close drops everything that waits in a queue, with its records.
func (q *Queue) close(t *Turn) {
	q.mu.Lock()
	if q.gone {
		q.mu.Unlock()
		return
	}
	q.gone = true
	logged := false
	for seq := q.head; seq < q.tail; seq++ {
		e := q.at(seq)
		logged = logged || e.logged
		if e.stored && e.m != nil {
			t.releaseMessage(e.m)
		}
	}
	if q.durable && logged {
		t.deleteEntries(q)
	}
	q.ring, q.returned, q.lanes, q.side, q.sideBack = nil, nil, nil, nil, nil
	q.head, q.count, q.inflight, q.bytes = q.tail, 0, 0, 0
	q.next = q.tail
	consumers := q.consumers
	q.consumers, q.armed, q.owed = nil, nil, 0
	for _, c := range consumers {
		if c.closed == OK {
			c.closed = QueueDeleted
		}
		c.kept = nil
	}
	q.mu.Unlock()
	notifyAll(t, consumers)
}
