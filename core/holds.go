package core

// Holds tells whether a connection holds, or waits for, the session that
// Attach would give c: whether Attach would evict somebody.
func (r *Router) Holds(c Client) bool {
	if c.ID == "" {
		return false
	}
	p := c.Principal
	if p == nil {
		p = Anonymous
	}
	ns := r.namespace(p.Namespace)
	ns.mu.Lock()
	defer ns.mu.Unlock()
	st := ns.sessions[sessionKey{p.User, c.ID}]
	if st == nil {
		return false
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.current != nil
}
