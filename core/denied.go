package core

import "log/slog"

// Reasoner is an Authorizer that can tell which rule refuses something; "" if
// none does, and nothing is allowed without one.
type Reasoner interface {
	Refuses(p *Principal, a Action, topic string) (rule string)
}

// permits is allows for what is refused otherwise: a denial is a line of the
// log, of which the log bounds how many there are.
func (r *Router) permits(p *Principal, client string, a Action, name string) bool {
	if r.allows(p, a, name) {
		return true
	}
	r.denied(p, client, a, name)
	return false
}

// Sparing is a slog.Handler, that of Options.Log, which bounds the lines of an
// event. Holds tells how many of n more would be held back, and counts them.
type Sparing interface {
	Holds(event string, n int) int
}

// denied writes the line of a denial, of which there may be as many as messages.
func (r *Router) denied(p *Principal, client string, a Action, name string) {
	r.deniedAll(p, client, a, name, 1)
}

// deniedAll writes the lines of n denials that are the same.
func (r *Router) deniedAll(p *Principal, client string, a Action, name string, n int) {
	if r.sparing != nil {
		n -= r.sparing.Holds("acl.denied", n)
	}
	for range n {
		r.logDenied(p, client, a, name)
	}
}

func (r *Router) logDenied(p *Principal, client string, a Action, name string) {
	r.log.Info("acl.denied", "action", a.String(), "namespace", spaceOf(p), "user", p.User, "client", client, "topic", name, "rule", &refusal{r, p, a, name})
}

// withheld tells of messages that were dropped because their receiver may not
// read them, the first of them by name. There can be as many as messages are.
func (r *Router) withheld(p *Principal, client string, n int, first string) {
	r.log.Debug("acl.denied", "action", ActionDeliver.String(), "namespace", spaceOf(p), "user", p.User, "client", client,
		"topic", first, "messages", n, "rule", &refusal{r, p, ActionDeliver, first})
}

// withholding asks for the right to read one message after the other, and counts
// and tells of those that are left out.
type withholding struct {
	r      *Router
	p      *Principal
	client string
	n      int
	first  string
}

func (r *Router) withholding(p *Principal, client string) withholding {
	return withholding{r: r, p: p, client: client}
}

func (w *withholding) allows(m *Message) bool {
	if w.r.allows(w.p, ActionDeliver, m.Topic) {
		return true
	}
	if w.n++; w.n == 1 {
		w.first = m.Topic
	}
	w.r.drop(DropDenied)
	return false
}

// tell writes the line of what was left out.
func (w *withholding) tell() {
	if w.n > 0 {
		w.r.withheld(w.p, w.client, w.n, w.first)
	}
}

// Permits is Allows for what the caller refuses otherwise: a denial is logged.
func (s *Session) Permits(a Action, name string) bool {
	return s.ns.r.permits(s.principal, s.ClientID(), a, name)
}

// denies refuses an action that was judged already.
func (s *Session) denies(a Action, name string) Reason {
	s.ns.r.denied(s.principal, s.ClientID(), a, name)
	return NotAuthorized
}

func spaceOf(p *Principal) string {
	if p.Namespace == "" {
		return DefaultNamespace
	}
	return p.Namespace
}

// refusal finds the rule when its line is written, and not for one that the
// log holds back: a search looks at all rules.
type refusal struct {
	r    *Router
	p    *Principal
	a    Action
	name string
}

var _ slog.LogValuer = (*refusal)(nil)

// LogValue names the rule.
func (f *refusal) LogValue() slog.Value {
	rule := ""
	switch why, ok := f.r.auth.(Reasoner); {
	case reserved(f.name) && (f.a == ActionPublish || f.a == ActionWill):
		rule = "reserved"
	case ok:
		rule = why.Refuses(f.p, f.a, f.name)
	}
	if rule == "" {
		rule = "none"
	}
	return slog.StringValue(rule)
}

var actionNames = [ActionCount]string{"publish", "retain", "subscribe", "share", "deliver", "will", "queue"}

// String is the action as logs and metrics name it.
func (a Action) String() string { return actionNames[a] }
