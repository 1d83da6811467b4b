package access

import (
	"fmt"
	"maps"
	"slices"

	"github.com/entrepot/entrepot/internal/acl"
	"github.com/entrepot/entrepot/internal/auth"
	"github.com/entrepot/entrepot/internal/config"
)

// Advice is what works and may not be what was meant, all of it warnings: for those who ask, and not for each start.
// OPERATIONS C24
func (s *Settings) Advice() config.Problems {
	r := &Settings{auth: s.auth, section: s.section, policy: s.policy, users: s.users, configured: s.configured}
	if !s.configured {
		return nil
	}
	for _, note := range r.exposed(s.policy.Roles()) { // SECURITY Z14
		if note.at != builtInPlace { // Read has said it
			r.warnAt(note.at, "%s", note.text).Note = true // it is legal
		}
	}
	r.unused()
	for _, role := range slices.Sorted(maps.Keys(r.section)) {
		for _, d := range acl.Dead(r.section[role].Rules) {
			r.warnAt(d.Rule.At, "%q of role %q allows nothing: %q (%s) denies all of it", d.Rule.Text, role, d.By.Text, d.By.At)
		}
	}
	if s.policy.NamesClient(anonymousRoles[0]) {
		r.warn("roles."+anonymousRoles[0], "role %q has a rule with {client}, which never matches: an identifier without a login is nobody's", anonymousRoles[0])
	}
	r.weak()
	if s.auth.Mosquitto.ACL != "" && !s.policy.Intersects() {
		r.warn("auth.mosquitto.acl", "mosquitto grants every subscription and looks at each delivery; here a filter that no rule covers is refused").Hint = "write acl: {subscribe: intersect} for filters that reach further than their rules"
	}
	return r.problems
}

// unused names roles that nobody has. Tokens and services may bring any.
func (s *Settings) unused() {
	if s.auth.JWT.set() || s.auth.HTTP.URL != "" {
		return
	}
	used := map[string]bool{anonymousRoles[0]: true}
	for _, u := range s.users {
		for _, role := range u.Roles {
			used[role] = true
		}
	}
	for _, role := range slices.Sorted(maps.Keys(s.section)) {
		if !used[role] {
			s.warn("roles."+role, "nobody has the role %q", role)
		}
	}
}

// weak counts hashes that are quickly tried out, by their format.
func (s *Settings) weak() {
	type sum struct {
		first *auth.User
		count int
	}
	sums := map[string]*sum{}
	for _, u := range s.users {
		if u.Password == nil || !u.Password.Weak() {
			continue
		}
		kind := u.Password.Kind()
		if sums[kind] == nil {
			sums[kind] = &sum{first: u}
		}
		sums[kind].count++
	}
	for _, kind := range slices.Sorted(maps.Keys(sums)) {
		x := sums[kind]
		who := fmt.Sprintf("user %q has", x.first.Name)
		if x.count > 1 {
			who = fmt.Sprintf("user %q and %d more have", x.first.Name, x.count-1)
		}
		p := s.warnAt(x.first.At, "%s a weak hash, of the form of %s, which is quickly tried out", who, kind)
		if p.Hint = "entrepot user passwd " + x.first.Name; s.auth.File != "" && s.auth.Rehash {
			p.Hint = "hashes of auth.file are replaced at the next login"
		}
	}
}
