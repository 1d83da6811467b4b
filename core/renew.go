package core

import "cmp"

// Renew replaces who is attached by the same one after a later login, whose
// roles hold from now. NotAuthorized refuses another user or namespace: a
// session never changes its owner. It is called while the session is served.
func (s *Session) Renew(p *Principal) Reason {
	if p == nil {
		p = Anonymous
	}
	if p.User != s.principal.User || cmp.Or(p.Namespace, DefaultNamespace) != s.ns.name {
		return NotAuthorized
	}
	s.principal = p
	if s.extra != nil {
		s.extra.may = nil
	}
	if s.match != nil {
		s.match.valid = false // the right to publish is asked for again
	}
	st := s.st
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.current == s {
		st.principal.Store(p)
		s.ns.r.timers.soon(st.renewed)
	}
	return OK
}

// renewed follows another login: the record says who it is, and the
// subscriptions are looked at again.
func (st *session) renewed(t *Turn) {
	if st.durable {
		t.changed(change{kind: sessionChange, st: st})
	}
	st.recheck(t)
}
