package acl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/entrepot/entrepot/core/topic"
)

// A Rule is one line of a role.
type Rule struct {
	Text string // as it was written
	At   string // where: file:line; "" if it is built in
	Deny bool
	// Verbs is what it speaks of, on names that Filter matches.
	Verbs  Verb
	Filter Pattern
	// Level is that of an admin rule, which has no verbs and no filter.
	Level Level
}

// Parse reads `["deny"] verbs filter` or `["deny"] admin LEVEL`. The error says what is wrong in one sentence.
func Parse(text string) (Rule, error) {
	words := strings.Fields(text)
	r := Rule{Text: text}
	if len(words) > 0 && words[0] == "deny" {
		r.Deny, words = true, words[1:]
	}
	if len(words) < 2 {
		return r, errors.New("a rule is: [deny] verbs filter, for example pub dev/{client}/#")
	}
	if words[0] == "admin" {
		if r.Level = levelNamed(words[1]); r.Level == None || len(words) > 2 {
			return r, fmt.Errorf("admin is followed by viewer, operator or admin, not %q", strings.Join(words[1:], " "))
		}
		return r, nil
	}
	if err := r.verbs(words[0]); err != nil {
		return r, err
	}
	// A topic may hold blanks: the filter is all that follows the verbs.
	rest := strings.TrimSpace(text)
	if r.Deny {
		rest = strings.TrimSpace(strings.TrimPrefix(rest, "deny"))
	}
	rest = strings.TrimSpace(strings.TrimPrefix(rest, words[0]))
	var err error
	r.Filter, err = parsePattern(rest)
	return r, err
}

func (r *Rule) verbs(list string) error {
	for name := range strings.SplitSeq(list, ",") {
		v := verbNamed(name)
		if v == 0 {
			return fmt.Errorf("%q is no verb: pub, sub, pubsub, queue and admin are, and behind deny also retain, will and share", name)
		}
		if includes, ok := narrows[v]; ok && !r.Deny {
			return fmt.Errorf("%s includes %s; deny it where it is unwanted", includes, name)
		}
		r.Verbs |= v
	}
	return nil
}

// Pattern is a filter whose levels may be placeholders.
type Pattern []level

type kind uint8

const (
	literal kind = iota
	plus         // any one level
	hash         // any number of levels; last
	client       // the client identifier, if the principal owns it
	user
	namespace
	attr // Principal.Attrs[text]
)

type level struct {
	kind kind
	text string // of a literal, the name of an attribute
}

func parsePattern(s string) (Pattern, error) {
	if s == "" {
		return nil, errors.New("the filter is missing")
	}
	var p Pattern
	plain := make([]string, 0, 8) // the same with a harmless word for each placeholder, for the check of form
	for text := range strings.SplitSeq(s, "/") {
		l, err := parseLevel(text)
		if err != nil {
			return nil, err
		}
		p = append(p, l)
		if l.kind >= client {
			text = "x"
		}
		plain = append(plain, text)
	}
	if err := topic.CheckFilter(strings.Join(plain, "/"), topic.Limits{}); err != nil {
		return nil, fmt.Errorf("%q is no topic filter: %w", s, err)
	}
	return p, nil
}

func parseLevel(s string) (level, error) {
	switch s {
	case "+":
		return level{kind: plus}, nil
	case "#":
		return level{kind: hash}, nil
	case "{client}":
		return level{kind: client}, nil
	case "{user}":
		return level{kind: user}, nil
	case "{ns}":
		return level{kind: namespace}, nil
	}
	if name, ok := strings.CutPrefix(s, "{attr."); ok && strings.HasSuffix(name, "}") && len(name) > 1 {
		return level{kind: attr, text: strings.TrimSuffix(name, "}")}, nil
	}
	if strings.ContainsAny(s, "{}") {
		return level{}, fmt.Errorf("%q: a placeholder is a whole level and one of {client}, {user}, {ns}, {attr.NAME}", s)
	}
	return level{kind: literal, text: s}, nil
}

// String is the pattern as it was written.
func (p Pattern) String() string {
	words := make([]string, len(p))
	for i, l := range p {
		words[i] = l.String()
	}
	return strings.Join(words, "/")
}

func (l level) String() string {
	switch l.kind {
	case plus:
		return "+"
	case hash:
		return "#"
	case client:
		return "{client}"
	case user:
		return "{user}"
	case namespace:
		return "{ns}"
	case attr:
		return "{attr." + l.text + "}"
	}
	return l.text
}

// fill puts the values into the pattern; false when one of them is missing or cannot be a level, so that the rule
// matches nothing.
func (p Pattern) fill(v *Values) (string, bool) {
	words := make([]string, len(p))
	for i, l := range p {
		words[i] = l.String()
		if l.kind >= client {
			var ok bool
			if words[i], ok = v.of(l); !ok {
				return "", false
			}
		}
	}
	return strings.Join(words, "/"), true
}
