package acl

import (
	"slices"
	"strings"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
)

// A Set is the rules of some roles, compiled. It is immutable and safe for concurrent use.
type Set struct {
	rules     []Rule
	root      node
	used      []level // placeholders that occur
	admin     Level
	limits    core.PrincipalLimits
	intersect bool // a subscription needs to overlap an allowed filter only
}

// node is a place in the tree of all filters; the edges out of it are the next level.
type node struct {
	children []edge           // literals, up to fewEdges
	byName   map[string]*node // literals, beyond
	values   []valueEdge      // placeholders
	plus     *node
	end      mask // rules that end here
	hash     mask // rules that end in # here: they match this place and all below
}

type edge struct {
	name string
	to   *node
}

type valueEdge struct {
	level level
	to    *node
}

// mask is what the rules of one place say.
type mask struct{ allow, deny Verb }

func (m *mask) add(o mask) {
	m.allow |= o.allow
	m.deny |= o.deny
}

const fewEdges = 8

// newSet compiles rules.
func newSet(rules []Rule, intersect bool) *Set {
	s := &Set{rules: rules, intersect: intersect}
	denied := Admin + 1
	for _, r := range rules {
		switch {
		case r.Level != None && r.Deny:
			denied = min(denied, r.Level)
		case r.Level != None:
			s.admin = max(s.admin, r.Level)
		default:
			s.root.insert(r)
		}
		for _, l := range r.Filter {
			if l.kind >= client && !slices.Contains(s.used, l) {
				s.used = append(s.used, l)
			}
		}
	}
	if s.admin >= denied {
		s.admin = denied - 1
	}
	return s
}

func (n *node) insert(r Rule) {
	m := mask{allow: r.Verbs}
	if r.Deny {
		m = mask{deny: r.Verbs}
	}
	for _, l := range r.Filter {
		if l.kind == hash {
			n.hash.add(m)
			return
		}
		n = n.child(l)
	}
	n.end.add(m)
}

// child is the place behind a level, made if it is not there.
func (n *node) child(l level) *node {
	switch l.kind {
	case plus:
		if n.plus == nil {
			n.plus = new(node)
		}
		return n.plus
	case literal:
		if to := n.literal(l.text); to != nil {
			return to
		}
		to := new(node)
		n.addLiteral(l.text, to)
		return to
	}
	for _, v := range n.values {
		if v.level == l {
			return v.to
		}
	}
	to := new(node)
	n.values = append(n.values, valueEdge{l, to})
	return to
}

func (n *node) addLiteral(name string, to *node) {
	if n.byName == nil && len(n.children) < fewEdges {
		n.children = append(n.children, edge{name, to})
		return
	}
	if n.byName == nil {
		n.byName = make(map[string]*node, 2*fewEdges)
		for _, e := range n.children {
			n.byName[e.name] = e.to
		}
		n.children = nil
	}
	n.byName[name] = to
}

func (n *node) literal(name string) *node {
	if n.byName != nil {
		return n.byName[name]
	}
	for i := range n.children {
		if n.children[i].name == name {
			return n.children[i].to
		}
	}
	return nil
}

// walk gathers what all rules that match rest say: a name, or a filter of which every name must match.
func (n *node) walk(rest string, first, filter bool, v *Values, found *mask) {
	name, more, deeper := strings.Cut(rest, "/")
	visible := !first || !strings.HasPrefix(name, "$") // [MQTT-4.7.2-1]
	if visible {
		found.add(n.hash)
	}
	if filter && name == "#" {
		return // only # covers it
	}
	if n.plus != nil && visible {
		n.plus.next(more, deeper, filter, v, found)
	}
	if filter && name == "+" {
		return // only wildcards cover it
	}
	if to := n.literal(name); to != nil {
		to.next(more, deeper, filter, v, found)
	}
	for i := range n.values {
		if v.is(n.values[i].level, name) {
			n.values[i].to.next(more, deeper, filter, v, found)
		}
	}
}

func (n *node) next(rest string, deeper, filter bool, v *Values, found *mask) {
	if deeper {
		n.walk(rest, false, filter, v, found)
		return
	}
	found.add(n.end)
	found.add(n.hash) // a/# matches a
}

// Allows decides about one action on a name, or on a filter for those that subscribe. The filter of a share has lost
// its prefix.
func (s *Set) Allows(v *Values, a core.Action, name string) bool {
	n := &needs[a]
	if !n.filter {
		return s.decide(v, *n, name, false)
	}
	if a == core.ActionShare && s.overlapping(v, name, true, Share) {
		return false // what it may not share could not be told apart at delivery
	}
	if wide(name) || s.intersect {
		return s.decideSlowly(v, *n, name)
	}
	return s.decide(v, *n, name, true)
}

func (s *Set) decide(v *Values, n need, name string, filter bool) bool {
	var found mask
	s.root.walk(name, true, filter, v, &found)
	return found.allow&n.allow != 0 && found.deny&n.deny == 0
}

// wide tells that # stands elsewhere than last.
func wide(filter string) bool {
	i := strings.IndexByte(filter, '#')
	return i >= 0 && i < len(filter)-1
}

// decideSlowly looks at each rule: for filters that the tree cannot tell about.
func (s *Set) decideSlowly(v *Values, n need, filter string) bool {
	allowed := false
	for i := range s.rules {
		r := &s.rules[i]
		text, ok := r.Filter.fill(v)
		switch {
		case !ok || r.Level != None:
		case r.Deny && r.Verbs&n.deny != 0 && topic.Covers(text, filter):
			return false
		case !r.Deny && r.Verbs&n.allow != 0 && (topic.Covers(text, filter) || s.intersect && topic.Overlaps(text, filter)):
			allowed = true
		}
	}
	return allowed
}

// overlapping tells that a rule with one of the verbs has a name in common with the filter.
func (s *Set) overlapping(v *Values, filter string, deny bool, verbs Verb) bool {
	for i := range s.rules {
		r := &s.rules[i]
		if r.Deny != deny || r.Verbs&verbs == 0 {
			continue
		}
		if text, ok := r.Filter.fill(v); ok && topic.Overlaps(text, filter) {
			return true
		}
	}
	return false
}

// Free tells that every name which the filter matches may be read, so that a delivery through it needs no look.
func (s *Set) Free(v *Values, filter string) bool {
	return !s.intersect && s.Allows(v, core.ActionSubscribe, filter) && !s.overlapping(v, filter, true, Sub)
}

// Level is the highest level of the admin listener that is allowed.
func (s *Set) Level() Level { return s.admin }
