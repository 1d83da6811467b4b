package mosquitto

import (
	"fmt"
	"io"
	"strings"

	"github.com/entrepot/entrepot/internal/acl"
)

// ACL is what an access control file says.
type ACL struct {
	Anonymous []acl.Rule            // of clients without a user name
	Users     map[string][]acl.Rule // by user
	Everybody []acl.Rule            // patterns
	// ClientID tells that a pattern names the client identifier, which is only a claim unless users are limited to
	// identifiers of their own.
	ClientID bool
}

// accesses are mosquitto's words and our verbs.
var accesses = map[string]string{"read": "sub", "write": "pub", "readwrite": "pubsub", "deny": "deny pubsub"}

// ReadACL reads an access control file. The problems are in the order of the lines; the error is that of reading.
func ReadACL(r io.Reader, file string) (a *ACL, problems []Problem, err error) {
	a = &ACL{Users: map[string][]acl.Rule{}}
	user, named := "", false
	err = lines(r, func(n int, line string) {
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimLeft(rest, " ")
		fail := func(format string, args ...any) {
			problems = append(problems, Problem{Line: n, Message: fmt.Sprintf(format, args...)})
		}
		switch word {
		case "user":
			if user, named = rest, true; rest == "" {
				fail("user without a name")
			}
			return
		case "topic", "pattern":
		default:
			fail("%q is none of user, topic, pattern", word)
			return
		}
		rule, err := readRule(rest, word == "pattern")
		if err != nil {
			fail("%v", err)
			return
		}
		rule.At = fmt.Sprintf("%s:%d", file, n)
		switch {
		case word == "pattern":
			a.Everybody = append(a.Everybody, rule)
			a.ClientID = a.ClientID || strings.Contains(rule.Text, "{client}")
		case named:
			a.Users[user] = append(a.Users[user], rule)
		default:
			a.Anonymous = append(a.Anonymous, rule)
		}
	})
	return a, problems, err
}

// readRule turns `[ACCESS] FILTER` into a rule of ours.
func readRule(s string, pattern bool) (acl.Rule, error) {
	verbs, filter := "pubsub", s
	if word, rest, ok := strings.Cut(s, " "); ok && accesses[word] != "" {
		verbs, filter = accesses[word], strings.TrimLeft(rest, " ")
	}
	if strings.ContainsAny(filter, "{}") {
		return acl.Rule{}, fmt.Errorf("a topic with { or } has no rule of ours")
	}
	if pattern {
		levels := strings.Split(filter, "/")
		for i, l := range levels {
			switch {
			case l == "%c":
				levels[i] = "{client}"
			case l == "%u":
				levels[i] = "{user}"
			case strings.Contains(l, "%c"), strings.Contains(l, "%u"):
				return acl.Rule{}, fmt.Errorf("%q: %%c and %%u can only be a whole level here", l)
			}
		}
		filter = strings.Join(levels, "/")
	}
	return acl.Parse(verbs + " " + filter)
}
