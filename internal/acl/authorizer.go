package acl

import (
	"sync/atomic"

	"github.com/entrepot/entrepot/core"
)

// Authorizer decides by the policy of the moment. It is safe for concurrent use.
type Authorizer struct {
	policy atomic.Pointer[Policy]
	counts [core.ActionCount][2]atomic.Uint64 // denied, allowed
}

var (
	_ core.Authorizer = (*Authorizer)(nil)
	_ core.Freer      = (*Authorizer)(nil)
	_ core.Limiter    = (*Authorizer)(nil)
	_ core.Reasoner   = (*Authorizer)(nil)
)

// NewAuthorizer makes an authorizer with a policy.
func NewAuthorizer(p *Policy) *Authorizer {
	a := new(Authorizer)
	a.policy.Store(p)
	return a
}

// Policy is the policy of the moment.
func (a *Authorizer) Policy() *Policy { return a.policy.Load() }

// Swap replaces the policy. Who calls it calls Router.Recheck next.
func (a *Authorizer) Swap(p *Policy) { a.policy.Store(p) }

// A grant is what a policy says of one principal: it is kept with the principal and made anew when the policy is
// another one.
type grant struct {
	policy *Policy
	set    *Set // nil: the user is gone
	values Values
}

// grantOf is the principal's grant.
func (a *Authorizer) grantOf(p *core.Principal) *grant {
	policy := a.policy.Load()
	if g, ok := p.Grant.Load().(*grant); ok && g.policy == policy {
		return g
	}
	g := &grant{policy: policy, set: policy.setOf(p), values: ValuesOf(p)}
	p.Grant.Store(g)
	return g
}

// Authorize decides about one action.
func (a *Authorizer) Authorize(p *core.Principal, action core.Action, name string) bool {
	g := a.grantOf(p)
	ok := g.set != nil && g.set.Allows(&g.values, action, name)
	if ok {
		a.counts[action][1].Add(1)
	} else {
		a.counts[action][0].Add(1)
	}
	return ok
}

// Refuses names the rule that denies, and where it stands; "" when no rule allows. It looks at all rules.
func (a *Authorizer) Refuses(p *core.Principal, action core.Action, name string) string {
	g := a.grantOf(p)
	if g.set == nil {
		return ""
	}
	e := g.set.Explain(&g.values, action, name)
	switch {
	case e.Allowed || e.Decisive == nil:
		return ""
	case e.Decisive.Rule.At == "":
		return e.Decisive.Rule.Text
	}
	return e.Decisive.Rule.Text + " at " + e.Decisive.Rule.At
}

// Free tells that whatever the filter matches may be read, as long as the policy stays.
func (a *Authorizer) Free(p *core.Principal, filter string) bool {
	g := a.grantOf(p)
	return g.set != nil && g.set.Free(&g.values, filter)
}

// Limits are those of the principal's roles.
func (a *Authorizer) Limits(p *core.Principal) core.PrincipalLimits {
	if g := a.grantOf(p); g.set != nil {
		return g.set.limits
	}
	return core.PrincipalLimits{}
}

// Metered tells that a role has a rate.
func (a *Authorizer) Metered() bool { return a.policy.Load().metered }

// Level is the principal's level on the admin listener.
func (a *Authorizer) Level(p *core.Principal) Level {
	if g := a.grantOf(p); g.set != nil {
		return g.set.Level()
	}
	return None
}

// Decisions counts what was decided about an action.
func (a *Authorizer) Decisions(action core.Action) (denied, allowed uint64) {
	return a.counts[action][0].Load(), a.counts[action][1].Load()
}
