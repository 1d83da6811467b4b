package acl

import (
	"maps"
	"slices"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
)

// An Explanation says why something is allowed or not.
type Explanation struct {
	Allowed bool
	// Decisive is the rule that decided, nil when no rule matches: then nothing is allowed.
	Decisive *Match
	// Matches are all rules that match, in the order of the roles.
	Matches []Match
}

// A Match is a rule that matches a name.
type Match struct {
	Rule   Rule
	Filter string // with the values filled in
	Never  bool   // a value is missing or cannot be a level: the rule matches nothing
}

// Filled are all rules with the values filled in.
func (s *Set) Filled(v *Values) (all []Match) {
	for _, r := range s.rules {
		text, ok := r.Filter.fill(v)
		all = append(all, Match{Rule: r, Filter: text, Never: !ok})
	}
	return all
}

// Explain decides as Allows does, and tells why.
func (s *Set) Explain(v *Values, a core.Action, name string) Explanation {
	n := needs[a]
	e := Explanation{Allowed: s.Allows(v, a, name)}
	for _, r := range s.rules {
		verbs := n.allow
		if r.Deny {
			verbs = n.deny
			if a == core.ActionShare {
				verbs |= Share
			}
		}
		text, ok := r.Filter.fill(v)
		if !ok || r.Level != None || r.Verbs&verbs == 0 {
			continue
		}
		matches := topic.Covers(text, name) // a name is the filter that matches it alone
		switch {
		case a == core.ActionShare && r.Deny && r.Verbs&Share != 0, n.filter && s.intersect && !r.Deny:
			matches = topic.Overlaps(text, name)
		}
		if !matches {
			continue
		}
		e.Matches = append(e.Matches, Match{Rule: r, Filter: text})
		if r.Deny != e.Allowed && e.Decisive == nil {
			e.Decisive = &Match{Rule: r, Filter: text}
		}
	}
	return e
}

// Exposes are the rules of a role that read every topic of the namespace, and those that take something back from that.
func (p *Policy) Exposes(role string) (all, denied []Rule) {
	for _, r := range p.roles[role] {
		switch f := r.Filter.String(); {
		case r.Level != None || r.Verbs&Sub == 0:
		case r.Deny:
			denied = append(denied, r)
		case f == "#" || f == "+/#":
			all = append(all, r)
		}
	}
	return all, denied
}

// Roles are the names of all roles, in order.
func (p *Policy) Roles() []string { return slices.Sorted(maps.Keys(p.roles)) }
