package access

import (
	"fmt"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/acl"
)

// Who is the principal that a login would make: of a user of the configuration, of somebody anonymous, or, with roles
// given, of somebody whom a token or a service vouches for. The error says why such a login would be refused.
func (s *Settings) Who(user, clientID, namespace string, roles []string) (*core.Principal, error) {
	if user == core.Anonymous.User && s.table.User(user) == nil {
		return &core.Principal{User: user, Namespace: namespace, ClientID: clientID, Method: core.Anonymous.Method, Roles: anonymousRoles}, nil
	}
	u := s.table.User(user)
	switch {
	case u == nil && len(roles) > 0:
		return &core.Principal{User: user, Namespace: namespace, ClientID: clientID, OwnsID: clientID != "", Method: "jwt", Roles: roles}, nil
	case u == nil:
		return nil, fmt.Errorf("there is no user %q", user)
	}
	p, err := u.Principal(clientID, namespace)
	if err != nil {
		return nil, err
	}
	if what := unfit(s.policy, p); what != "" {
		return nil, fmt.Errorf("a rule makes a topic level of the %s, which it cannot be", what)
	}
	return p, nil
}

// Explain decides as a gateway with these settings does, and tells why.
func (s *Settings) Explain(p *core.Principal, a core.Action, name string) acl.Explanation {
	v := acl.ValuesOf(p)
	e := s.set(p).Explain(&v, a, name)
	e.Allowed = e.Allowed || !s.configured
	return e
}

// Rules are all rules of a principal, with the values filled in.
func (s *Settings) Rules(p *core.Principal) []acl.Match {
	v := acl.ValuesOf(p)
	return s.set(p).Filled(&v)
}

func (s *Settings) set(p *core.Principal) *acl.Set {
	roles, _ := s.rolesOf(p) // Who has made sure that it is known
	return s.policy.Of(roles)
}

// Known tells that there is a role of that name.
func (s *Settings) Known(role string) bool { return s.policy.Known(role) }

// Exposed tells, of each of the roles that reads everything, what that is: legal, and to be given to few. Without roles
// it speaks of all.
func (s *Settings) Exposed(roles ...string) (notes []string) {
	if !s.configured {
		return nil
	}
	if len(roles) == 0 {
		roles = s.policy.Roles()
	}
	for _, n := range s.exposed(roles) {
		notes = append(notes, n.at+": "+n.text)
	}
	return notes
}

type note struct{ at, text string }

func (s *Settings) exposed(roles []string) (notes []note) {
	for _, role := range roles {
		all, denied := s.policy.Exposes(role)
		for _, r := range all {
			text := fmt.Sprintf("role %q reads whatever is published in its namespaces, by everybody (%s)", role, r.Text)
			for i, d := range denied {
				text += map[bool]string{true: ", but not ", false: ", "}[i == 0] + d.Filter.String()
			}
			notes = append(notes, note{r.At, text})
		}
	}
	return notes
}
