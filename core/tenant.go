package core

import "sync"

// Tenant is what sets one namespace apart from the others.
type Tenant struct {
	Quota  Quotas
	Export []string // filters of what others may import
	Import []Import
}

// Quotas bound one namespace, beside Limits, which bound each of them; the
// smaller one holds. Zero fields bound nothing.
type Quotas struct {
	Connections      int // attachments at a time
	Sessions         int // stored and connected ones
	Subscriptions    int // filters a session
	Retained         int
	RetainedBytes    int64
	Queues           int // named ones
	QueueMessages    int // in all queues together
	QueueBytes       int64
	PublishRate      int // messages a second, of all publishers together
	PublishBytesRate int
}

// PrincipalLimits bound one principal, as its roles say. Zero fields bound
// nothing.
type PrincipalLimits struct {
	Connections      int // attachments at a time
	Sessions         int // that outlive their connections
	Subscriptions    int // filters a session, and private consumers a connection
	Retained         int // retained messages that it published last
	PublishRate      int // messages a second of one connection
	PublishBytesRate int
}

// Limiter is an Authorizer that knows limits of principals. Metered tells that
// any of them may have a rate, so that nobody is asked where there is none.
// What it says holds until Router.Recheck.
type Limiter interface {
	Limits(p *Principal) PrincipalLimits
	Metered() bool
}

// limitsOf are the principal's own.
func (r *Router) limitsOf(p *Principal) PrincipalLimits {
	if r.limiter == nil || r.open.Load() {
		return PrincipalLimits{}
	}
	return r.limiter.Limits(p)
}

// SetTenants makes other quotas, exports and imports hold from now on, for
// namespaces by their names; one that is not among them has none. What there is
// already stays, also where it is more. CheckTenants must have let them pass.
func (r *Router) SetTenants(tenants map[string]Tenant) {
	for name, x := range tenants {
		r.namespace(name)
		for _, i := range x.Import {
			r.namespace(i.From)
		}
	}
	r.mu.Lock()
	r.tenants = tenants
	for _, ns := range r.namespaces {
		ns.settle()
	}
	r.link()
	r.mu.Unlock()
	r.meters()
	for _, ns := range r.allNamespaces() {
		ns.weigh()
	}
	r.routes.Add(1) // publishers look up anew where their topics lead
}

// settle works out what bounds the namespace. Router.mu is held.
func (ns *Namespace) settle() {
	q := ns.r.tenants[ns.name].Quota
	l := *ns.r.limits()
	less(&l.Sessions, q.Sessions)
	less(&l.Subscriptions, q.Subscriptions)
	less(&l.Retained, q.Retained)
	less(&l.RetainedBytes, q.RetainedBytes)
	less(&l.Queues, q.Queues)
	ns.bounds.Store(&l)
	ns.quota.Store(&q)
}

// less lowers a bound, if the other one is lower.
func less[N int | int64](bound *N, other N) {
	if other > 0 && other < *bound {
		*bound = other
	}
}

// limits are the bounds of the namespace.
func (ns *Namespace) limits() *Limits { return ns.bounds.Load() }

// A Limit is what refused something.
type Limit uint8

// The limits of core.
const (
	LimitConnections Limit = iota
	LimitSessions
	LimitSubscriptions
	LimitRetained
	LimitRetainedBytes
	LimitQueues
	LimitQueueMessages
	LimitQueueBytes
	LimitQueue     // of messages for one session, where its protocol has a limit
	LimitQueueQoS0 // of those of QoS 0 among them
	LimitPublishRate
	limitCount
)

// String is the limit's key in the configuration.
func (l Limit) String() string {
	return [limitCount]string{
		"connections", "sessions_offline", "subscriptions", "retained", "retained_bytes", "queues", "queue_messages", "queue_bytes", "queue", "queue_qos0", "publish_rate",
	}[l]
}

// over counts what a limit refused.
func (ns *Namespace) over(l Limit) Reason {
	ns.refused[l].Add(1)
	return Quota
}

// Refused calls f with what limits have refused in each namespace, or dropped
// there, since the start.
func (r *Router) Refused(f func(namespace string, l Limit, n uint64)) {
	for _, ns := range r.allNamespaces() {
		for l := range limitCount {
			if n := ns.refused[l].Load(); n > 0 {
				f(ns.name, l, n)
			}
		}
	}
}

// census counts who is attached: all, and by user. The anonymous user counts as
// one.
type census struct {
	mu  sync.Mutex // taken before Namespace.mu
	all int
	of  map[string]int
}

// seat counts an attachment in, unless a limit on connections refuses it. Who
// takes over from a connection of its own is always let in.
func (ns *Namespace) seat(c *Client) bool {
	x := &ns.online
	most, mine := ns.quota.Load().Connections, ns.r.limitsOf(c.Principal).Connections
	x.mu.Lock()
	defer x.mu.Unlock()
	if full := most > 0 && x.all >= most || mine > 0 && x.of[c.Principal.User] >= mine; full && !ns.attached(c) {
		return false
	}
	if x.of == nil {
		x.of = map[string]int{}
	}
	x.all++
	x.of[c.Principal.User]++
	return true
}

// attached tells whether a connection holds the client's session.
func (ns *Namespace) attached(c *Client) bool {
	if c.ID == "" {
		return false
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	st := ns.sessions.get(sessionKey{c.Principal.User, c.ID})
	if st == nil {
		return false
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.current != nil
}

// unseat counts an attachment out.
func (ns *Namespace) unseat(user string) {
	x := &ns.online
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all--
	if x.of[user]--; x.of[user] <= 0 {
		delete(x.of, user)
	}
}
