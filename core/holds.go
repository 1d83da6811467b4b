package core

// Holds tells whether a connection holds, or waits for, the session that
// Attach would give c: whether Attach would evict somebody.
func (r *Router) Holds(c Client) (held bool) {
	r.find(c, func(st *session) {
		st.mu.Lock()
		defer st.mu.Unlock()
		held = st.current != nil
	})
	return held
}

// Exists tells whether there is a session that Attach would resume or end for
// c, whoever holds it or nobody.
func (r *Router) Exists(c Client) (found bool) {
	r.find(c, func(*session) { found = true })
	return found
}

// find calls f with the session that Attach would find for c, under ns.mu.
func (r *Router) find(c Client, f func(st *session)) {
	if c.ID == "" {
		return
	}
	p := c.Principal
	if p == nil {
		p = Anonymous
	}
	ns := r.namespace(p.Namespace)
	ns.mu.Lock()
	defer ns.mu.Unlock()
	if st := ns.sessions.get(sessionKey{p.User, c.ID}); st != nil {
		f(st)
	}
}
