package core

import "time"

// Attach opens or resumes the client's session for a connection. When another
// connection holds it, that one is evicted and the attachment completes after
// its Detach; State tells when. A Reason other than OK refuses at once and
// leaves everything as it was.
func (r *Router) Attach(t *Turn, c Client, sink Sink) (*Session, Reason) {
	if c.Principal == nil {
		c.Principal = Anonymous
	}
	if limit := time.Duration(r.limits().SessionExpiryMS) * time.Millisecond; c.Expiry > limit {
		c.Expiry = limit
	}
	ns := r.namespace(c.Principal.Namespace)
	if !ns.seat(&c) {
		return nil, ns.over(LimitConnections)
	}
	s, reason := ns.attach(t, &c, sink)
	if reason != OK {
		ns.unseat(c.Principal.User)
	}
	return s, reason
}

// attach is Attach for a client that has its place.
func (ns *Namespace) attach(t *Turn, c *Client, sink Sink) (*Session, Reason) {
	r := ns.r
	if reason := r.checkWill(c.Principal, c.ID, c.Will); reason != OK {
		return nil, reason
	}
	s := &Session{ns: ns, sink: sink, protocol: r.protocols.of(c.Protocol), principal: c.Principal}
	if _, ok := sink.(Addressed); !ok && c.Addr != "" {
		s.rare.Store(&rare{addr: c.Addr})
	}
	if c.IdleQueue != 0 {
		s.more().idleQueue = c.IdleQueue
	}
	if c.ID == "" { // [3: MQTT-3.1.3-6]
		if reason := t.refusesMore(false); reason != OK {
			return nil, reason
		}
		st := ns.newSession(c, true)
		st.serve(t, s, c)
		return s, OK
	}
	if c.Expiry > 0 {
		if why := r.unwritable(); why != OK {
			return nil, why
		}
	}
	most := r.limitsOf(c.Principal).Sessions
	key := sessionKey{c.Principal.User, c.ID} // [MQTT-3.1.3-2] [3: MQTT-3.1.3-2]
	ns.mu.Lock()
	st := ns.sessions.get(key)
	if !ns.mayEnter(st, c, most) {
		ns.mu.Unlock()
		return nil, ns.over(LimitSessions)
	}
	if st == nil {
		if reason := t.refusesMore(c.Expiry > 0); reason != OK { // a stored session may come back: it reads what fills the queues
			ns.mu.Unlock()
			return nil, reason
		}
		st = ns.newSession(c, false)
		ns.enter(st, c.Expiry > 0)
	}
	st.mu.Lock()
	s.st = st
	evict := st.claim(s, c)
	free := len(evict) == 0
	var ended *session
	if free && c.Clean && st.begun { // [MQTT-3.1.2-4] [MQTT-3.1.4-4] [3: MQTT-3.1.2-6] [3: MQTT-3.1.4-3]
		ended, st = st, ns.replace(t, st, c)
	}
	if free {
		st.serveLocked(t, s, c)
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
		s.connected(t, c)
		s.withdraw(t, "resume", s.denied())
	}
	return s, OK
}

// claim makes s the attachment to be served next, and returns those that are
// in its way. It takes nobody's place when the session is away. c is what s
// brings.
func (st *session) claim(s *Session, c *Client) (evict []*Session) {
	if st.current == nil {
		return nil
	}
	evict = append(evict, st.current)
	if next, _ := st.next(); next != nil {
		evict = append(evict, next)
	}
	st.setNext(s, c.clone())
	return evict
}

func (ns *Namespace) newSession(c *Client, transient bool) *session {
	st := &session{ns: ns, id: ns.r.newID(), client: c.ID, transient: transient}
	st.principal.Store(c.Principal)
	return st
}

// replace ends a session that is away and puts a fresh one in its place; both
// stay locked by the caller's use: ns.mu is held, old.mu is held and given up,
// the new one's is taken.
func (ns *Namespace) replace(t *Turn, old *session, c *Client) *session {
	old.ended = true
	st := ns.newSession(c, false)
	ns.remove(old)
	ns.enter(st, c.Expiry > 0)
	st.mu.Lock()
	old.mu.Unlock()
	return st
}
