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
	s.match.valid = false // the right to publish is asked for again
	s.st.mu.Lock()
	defer s.st.mu.Unlock()
	if s.st.current == s {
		s.st.principal.Store(p)
	}
	return OK
}
