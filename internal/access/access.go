package access

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/acl"
	"github.com/entrepot/entrepot/internal/auth"
	"github.com/entrepot/entrepot/internal/config"
)

// Control is who may log in and what they may do, as the configuration of the moment says. It is safe for concurrent
// use.
type Control struct {
	// Changed is called when other rules hold; nil: nobody minds. It is set before the first Use.
	Changed func()

	log        *slog.Logger
	workers    *auth.Workers
	authorizer *acl.Authorizer
	chain      atomic.Pointer[auth.Chain]
	open       atomic.Bool // nothing is configured: everybody may do everything
	observe    func(backend, result string, took time.Duration)
}

var (
	_ adapters.Exchanger = (*Control)(nil)
	_ adapters.Quick     = (*Control)(nil)
	_ core.Authorizer    = (*Control)(nil)
	_ core.Opener        = (*Control)(nil)
	_ core.Freer         = (*Control)(nil)
	_ core.Limiter       = (*Control)(nil)
	_ core.Reasoner      = (*Control)(nil)
)

// Options of a control.
type Options struct {
	Sections map[string]any                                   // as Sections made them
	Failures int                                              // failed logins a minute, per address and per address and user; 0: 10, negative: no limit
	Observe  func(backend, result string, took time.Duration) // of each answer of a backend; nil: nobody asks
	Log      *slog.Logger
}

// New reads what the sections name and makes a control. Listen must follow before anybody is let in.
func New(o Options) (*Control, *Settings, config.Problems) {
	s, problems := Read(o)
	if problems.Failed() {
		return nil, nil, problems
	}
	c := &Control{log: o.Log, observe: o.Observe, workers: auth.NewWorkers(s.auth.HashWorkers), authorizer: acl.NewAuthorizer(s.policy)}
	c.open.Store(!s.configured)
	c.chain.Store(auth.NewChain(auth.Options{Log: o.Log, Workers: c.workers}))
	return c, s, problems
}

// Use makes settings hold, with the listeners by the names that they were bound by.
func (c *Control) Use(s *Settings, listeners map[string]auth.Listener) {
	c.authorizer.Swap(s.policy)
	c.chain.Store(auth.NewChain(auth.Options{
		Backends: s.backends(c.workers), Table: s.table, Listeners: listeners, CertUser: auth.CertRule(s.auth.Cert.User, s.auth.Cert.Strip),
		Timeout: s.auth.Timeout, Failures: s.failures, Workers: c.workers, Roles: anonymousRoles,
		Unfit: func(p *core.Principal) string { return unfit(s.policy, p) }, Observe: c.observe, Log: c.log,
	}))
	c.open.Store(!s.configured)
	if c.Changed != nil {
		c.Changed()
	}
}

// unfit names a value that a rule of the principal's makes a level and that cannot be one.
func unfit(policy *acl.Policy, p *core.Principal) string {
	v := acl.ValuesOf(p)
	v.Client = p.ClientID
	return policy.Of(p.Roles).Unfit(&v)
}

// Authenticate decides about a peer.
func (c *Control) Authenticate(ctx context.Context, cr adapters.Credentials) (*core.Principal, core.Reason) {
	return c.chain.Load().Authenticate(ctx, cr)
}

// Quick is who needs no look.
func (c *Control) Quick(cr adapters.Credentials) (*core.Principal, bool) {
	return c.chain.Load().Quick(cr)
}

// Methods names the logins of several steps that are offered.
func (c *Control) Methods(cr adapters.Credentials) []string { return c.chain.Load().Methods(cr) }

// Begin opens one.
func (c *Control) Begin(method string, cr adapters.Credentials) adapters.Conversation {
	return c.chain.Load().Begin(method, cr)
}

// Authorize decides about an action.
func (c *Control) Authorize(p *core.Principal, a core.Action, name string) bool {
	return c.open.Load() || c.authorizer.Authorize(p, a, name)
}

// Refuses names the rule that denies an action; "" when no rule allows it.
func (c *Control) Refuses(p *core.Principal, a core.Action, name string) string {
	return c.authorizer.Refuses(p, a, name)
}

// Open tells that nothing is configured, so that everybody may do everything.
func (c *Control) Open() bool { return c.open.Load() }

// Free tells that whatever the filter matches may be read by the principal, as long as the configuration stays.
func (c *Control) Free(p *core.Principal, filter string) bool {
	return c.open.Load() || c.authorizer.Free(p, filter)
}

// Limits are those that the principal has by its roles.
func (c *Control) Limits(p *core.Principal) core.PrincipalLimits {
	if c.open.Load() {
		return core.PrincipalLimits{}
	}
	return c.authorizer.Limits(p)
}

// Metered tells that a role has a rate.
func (c *Control) Metered() bool { return !c.open.Load() && c.authorizer.Metered() }

// Level is the principal's level on the admin listener.
func (c *Control) Level(p *core.Principal) acl.Level {
	if c.open.Load() {
		return acl.Admin
	}
	return c.authorizer.Level(p)
}

// Policy is the policy of the moment.
func (c *Control) Policy() *acl.Policy { return c.authorizer.Policy() }

// Decisions counts what the rules decided about an action.
func (c *Control) Decisions(a core.Action) (denied, allowed uint64) { return c.authorizer.Decisions(a) }

// Waiting is how many logins wait for their password to be hashed.
func (c *Control) Waiting() int { return c.workers.Waiting() }

// anonymousRoles are those of everybody who is anonymous.
var anonymousRoles = []string{"anonymous"}

// rolesOf are the roles of a principal as the settings have them now; false when its user is gone.
func (s *Settings) rolesOf(p *core.Principal) ([]string, bool) {
	switch {
	case p.User == core.Anonymous.User && (p.Method == core.Anonymous.Method || p.Method == ""):
		return anonymousRoles, true
	case p.Method == "jwt", p.Method == "http":
		return p.Roles, true
	}
	u := s.table.User(p.User)
	if u == nil {
		return nil, false
	}
	return u.Roles, true
}

// check refuses users whose roles do not exist.
func (s *Settings) check() {
	for _, u := range s.users {
		for _, role := range u.Roles {
			if !s.policy.Known(role) {
				s.failAt(u.At, "user %q has the role %q, which does not exist", u.Name, role)
			}
		}
		if len(u.ClientIDs) == 0 && slices.ContainsFunc(u.Roles, s.policy.NamesClient) {
			s.warnAt(u.At, "user %q has a rule with {client} and no client_ids, so that the rule never matches", u.Name).Mistake = true // U8
		}
	}
}
