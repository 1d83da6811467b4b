package acl

import (
	"slices"
	"strings"
	"sync"

	"github.com/entrepot/entrepot/core"
)

// Role is a name for a list of rules.
type Role struct {
	Name   string
	Rules  []Rule
	Limits core.PrincipalLimits // of everybody who has it
}

// Options of a policy.
type Options struct {
	Roles []Role
	// Intersect grants a subscription that overlaps an allowed filter, as mosquitto does; deliveries are checked in
	// any case. Otherwise the filter must be a subset of an allowed one.
	Intersect bool
	// RolesOf are the roles of a user as they are now, for principals that were made from a name that the
	// configuration knows; false when that user is gone. nil: the roles of the principal hold.
	RolesOf func(p *core.Principal) ([]string, bool)
}

// A Policy is all roles, compiled as they are needed. It is immutable but for that.
type Policy struct {
	options Options
	roles   map[string][]Rule
	limits  map[string]core.PrincipalLimits // of the roles that have any
	metered bool                            // one of them is a rate
	sets    sync.Map                        // "role\x00role" -> *Set, at most maxSets
	mu      sync.Mutex
	count   int // Guarded by mu: entries of sets
}

// maxSets bounds the combinations of roles that are kept compiled; a token may bring any.
const maxSets = 1024

// NewPolicy makes a policy. Of two roles with one name the rules add up.
func NewPolicy(o Options) *Policy {
	p := &Policy{options: o, roles: map[string][]Rule{}, limits: map[string]core.PrincipalLimits{}}
	for _, r := range o.Roles {
		p.roles[r.Name] = append(p.roles[r.Name], r.Rules...)
		if r.Limits != (core.PrincipalLimits{}) {
			p.limits[r.Name] = smaller(p.limits[r.Name], r.Limits)
			p.metered = p.metered || r.Limits.PublishRate > 0 || r.Limits.PublishBytesRate > 0
		}
	}
	return p
}

// smaller are the smaller ones of two sets of limits, where 0 is none.
func smaller(a, b core.PrincipalLimits) core.PrincipalLimits {
	pick := func(a, b int) int {
		if a == 0 || b != 0 && b < a {
			return b
		}
		return a
	}
	return core.PrincipalLimits{
		Connections: pick(a.Connections, b.Connections), Sessions: pick(a.Sessions, b.Sessions), Subscriptions: pick(a.Subscriptions, b.Subscriptions),
		Retained: pick(a.Retained, b.Retained), PublishRate: pick(a.PublishRate, b.PublishRate), PublishBytesRate: pick(a.PublishBytesRate, b.PublishBytesRate),
	}
}

// Limits are the smallest of some roles.
func (p *Policy) Limits(roles []string) (l core.PrincipalLimits) {
	if len(p.limits) > 0 {
		for _, name := range roles {
			l = smaller(l, p.limits[name])
		}
	}
	return l
}

// Known tells that the policy has a role of that name.
func (p *Policy) Known(role string) bool {
	_, ok := p.roles[role]
	return ok
}

// NamesClient tells that a rule of the role has the placeholder {client}.
func (p *Policy) NamesClient(role string) bool {
	return slices.ContainsFunc(p.roles[role], func(r Rule) bool { return slices.Contains(r.Filter, level{kind: client}) })
}

// Of is the set of a list of roles; what has no rules allows nothing.
func (p *Policy) Of(roles []string) *Set {
	key := strings.Join(roles, "\x00")
	if s, ok := p.sets.Load(key); ok {
		return s.(*Set)
	}
	var rules []Rule
	for i, name := range roles {
		if !slices.Contains(roles[:i], name) {
			rules = append(rules, p.roles[name]...)
		}
	}
	s := newSet(rules, p.options.Intersect)
	s.limits = p.Limits(roles)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.count < maxSets {
		p.count++
		p.sets.Store(key, s)
	}
	return s
}

// setOf is the set of a principal as it is now; nil when its user is gone.
func (p *Policy) setOf(pr *core.Principal) *Set {
	roles := pr.Roles
	if p.options.RolesOf != nil {
		var known bool
		if roles, known = p.options.RolesOf(pr); !known {
			return nil
		}
	}
	return p.Of(roles)
}

// ValuesOf are what the placeholders stand for.
func ValuesOf(p *core.Principal) Values {
	v := Values{User: p.User, Namespace: p.Namespace, Attrs: p.Attrs}
	if p.OwnsID {
		v.Client = p.ClientID
	}
	return v
}
