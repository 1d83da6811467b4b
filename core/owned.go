package core

import "sync"

// owned counts what each principal has, where a limit holds for each. Whoever
// is anonymous shares its name with everybody and is not counted.
type owned struct {
	mu sync.Mutex
	n  map[string]int
}

// owner is whose things are counted, "" for nobody's.
func owner(p *Principal) string {
	if p.User == Anonymous.User {
		return ""
	}
	return p.User
}

func (o *owned) of(user string) int {
	if user == "" {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.n[user]
}

func (o *owned) add(user string, n int) {
	if user == "" {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n == nil {
		o.n = map[string]int{}
	}
	if o.n[user] += n; o.n[user] == 0 {
		delete(o.n, user)
	}
}

// enter puts a session into its place. One that is to outlive its connection
// counts for its principal. ns.mu is held.
func (ns *Namespace) enter(st *session, lasts bool) {
	ns.sessions.put(st)
	if lasts {
		ns.keep(st)
	}
}

// keep counts a session that is to outlive its connection. ns.mu is held.
func (ns *Namespace) keep(st *session) {
	st.counted = true
	ns.kept.add(owner(st.principal.Load()), 1)
}

// remove takes a session from its place. ns.mu is held.
func (ns *Namespace) remove(st *session) {
	ns.sessions.remove(st.key())
	if st.counted {
		st.counted = false
		ns.kept.add(owner(st.principal.Load()), -1) // whoever attaches to it has the same user
	}
}

// mayEnter tells whether the client may have a session, which has st already, if
// that is not nil, and by its roles has so many; 0: no limit. ns.mu is held.
func (ns *Namespace) mayEnter(st *session, c *Client, most int) bool {
	l := ns.limits()
	least := l.PrincipalSessions
	less(&least, most)
	if st == nil && ns.sessions.len() >= l.Sessions {
		return false
	}
	counts := c.Expiry > 0 && (st == nil || !st.counted)
	return !counts || ns.kept.of(owner(c.Principal)) < least
}
