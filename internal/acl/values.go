package acl

import (
	"slices"
	"strings"
)

// Values are what the placeholders of one principal stand for.
type Values struct {
	Client    string // "" unless the principal is limited to client identifiers that it owns
	User      string
	Namespace string
	Attrs     map[string]string
}

// of is the value of a placeholder; false when there is none, or it cannot be one level that is compared literally.
func (v *Values) of(l level) (string, bool) {
	s := v.raw(l)
	return s, Literal(s)
}

// is tells that a level is the value of a placeholder. What cannot be one level is equal to none.
func (v *Values) is(l level, name string) bool { return v.raw(l) == name && Literal(name) }

func (v *Values) raw(l level) string {
	switch l.kind {
	case client:
		return v.Client
	case user:
		return v.User
	case namespace:
		return v.Namespace
	case attr:
		return v.Attrs[l.text]
	}
	return ""
}

// Literal tells that a value can stand for one level: not empty, no separator, no wildcard, no leading '$'.
func Literal(s string) bool {
	return s != "" && s[0] != '$' && !strings.ContainsAny(s, "/+#")
}

// Unfit names the first value that a rule of the set substitutes and that cannot be a level: the login is refused.
// "" when all is well.
func (s *Set) Unfit(v *Values) string {
	fit := func(name string, l level, value string) string {
		if slices.Contains(s.used, l) && value != "" && !Literal(value) {
			return name
		}
		return ""
	}
	for _, bad := range []string{
		fit("client identifier", level{kind: client}, v.Client), fit("user name", level{kind: user}, v.User),
		fit("namespace", level{kind: namespace}, v.Namespace),
	} {
		if bad != "" {
			return bad
		}
	}
	for name, value := range v.Attrs {
		if bad := fit("attribute "+name, level{attr, name}, value); bad != "" {
			return bad
		}
	}
	return ""
}
