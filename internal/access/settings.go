package access

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/entrepot/entrepot/internal/acl"
	"github.com/entrepot/entrepot/internal/auth"
	"github.com/entrepot/entrepot/internal/auth/mosquitto"
	"github.com/entrepot/entrepot/internal/auth/password"
	"github.com/entrepot/entrepot/internal/config"
)

// Settings are the sections and all files that they name, read and checked.
type Settings struct {
	auth       *Auth
	section    Roles
	users      []*auth.User
	table      *auth.Table
	policy     *acl.Policy
	jwt        *auth.JWT
	http       *auth.HTTP
	failures   int
	configured bool
	problems   config.Problems
	rewrites   rehasher
}

// Configured tells that somebody could log in, so that anonymous clients are no longer a matter of course.
func (s *Settings) Configured() bool { return s.configured }

// Read reads and checks the sections, and returns them with all that is wrong with them, warnings too. Whatever cannot be
// read is an error: nothing is ever more open for it. The settings are of use unless the problems have failed
// ([config.Problems.Failed]); those of which only the key is known get their place by [config.Config.Finish].
func Read(o Options) (*Settings, config.Problems) {
	pick := Sections()
	for name := range pick {
		if given, ok := o.Sections[name]; ok {
			pick[name] = given
		}
	}
	s := &Settings{auth: pick["auth"].(*Auth), section: *pick["roles"].(*Roles)}
	s.readUsers(*pick["users"].(*Users))
	var err error
	if s.table, err = auth.NewTable(s.users...); err != nil {
		s.adoptUsers(err)
	}
	s.readBackends()
	s.configured = s.auth.Logins() || len(s.users) > 0 || s.section != nil // SECURITY U5
	s.policy = acl.NewPolicy(acl.Options{Roles: s.roles(), Intersect: pick["acl"].(*ACL).Subscribe == "intersect", RolesOf: s.rolesOf})
	s.failures = o.Failures
	s.check()
	return s, s.problems
}

func (s *Settings) readUsers(users Users) {
	if file := string(s.auth.File); file != "" {
		list, err := UsersFile(file)
		if err != nil {
			s.adopt("auth.file", err)
		}
		users = append(slices.Clone(users), list...)
		s.rewrites.file = file
		s.warnMode("auth.file", file)
	}
	for _, u := range users {
		s.users = append(s.users, &auth.User{Name: u.Name, Password: u.Password.Hash, Roles: u.Role, ClientIDs: u.ClientIDs, Namespaces: u.Namespaces, At: u.at})
	}
	file := string(s.auth.Mosquitto.Passwords)
	if file == "" {
		return
	}
	list := readMosquitto(s, "auth.mosquitto.passwords", file, mosquitto.Passwords)
	for _, u := range list {
		u.Roles = []string{mosquittoRole + u.Name, mosquittoAll}
		u.ClientIDs = []string{"*"} // its patterns take the client's word for it
	}
	s.users = append(s.users, list...)
	s.warnMode("auth.mosquitto.passwords", file)
}

// Names of the roles that mosquitto's files become.
const (
	mosquittoRole = "mosquitto:user:"
	mosquittoAll  = "mosquitto:everybody"
)

// openRules are what mosquitto allows without an acl_file.
var openRules = []string{"pubsub #", "pubsub $queue/#", "queue #", "sub $SYS/#"}

// roles are those of the section, and those that mosquitto's files make.
func (s *Settings) roles() (list []acl.Role) {
	for name, role := range s.section {
		list = append(list, acl.Role{Name: name, Rules: role.Rules, Limits: role.Limits.core()})
	}
	if !s.configured {
		return append(list, acl.Role{Name: anonymousRoles[0], Rules: builtIn(append(slices.Clone(openRules), "admin admin"))})
	}
	switch m := s.auth.Mosquitto; {
	case m.ACL != "":
		return append(list, s.mosquittoRoles(string(m.ACL))...)
	case m.Passwords == "":
		return list
	}
	open := builtIn(openRules)
	list = append(append(list, acl.Role{Name: mosquittoAll, Rules: open}), s.userRoles(nil)...)
	who := "every user of auth.mosquitto.passwords"
	if _, ours := s.section[anonymousRoles[0]]; !ours {
		list = append(list, acl.Role{Name: anonymousRoles[0], Rules: open})
		who += ", and whoever comes anonymously,"
	}
	p := s.warn("auth.mosquitto.passwords", "auth.mosquitto has no acl: as in mosquitto, %s may publish and subscribe to everything", who)
	p.Hint = "name the file of acl_file as auth.mosquitto.acl"
	return list
}

// mosquittoRoles are those that the file of mosquitto's acl_file makes.
func (s *Settings) mosquittoRoles(file string) []acl.Role {
	const key = "auth.mosquitto.acl"
	a := readMosquitto(s, key, file, mosquitto.ReadACL)
	if a == nil {
		return nil
	}
	list := []acl.Role{{Name: mosquittoAll, Rules: a.Everybody}, {Name: anonymousRoles[0], Rules: slices.Concat(a.Anonymous, a.Everybody)}}
	list = append(list, s.userRoles(a.Users)...)
	for name, rules := range a.Users {
		if !slices.ContainsFunc(list, func(r acl.Role) bool { return r.Name == mosquittoRole+name }) && len(rules) > 0 {
			p := s.warnAt(rules[0].At, "user %q has no password in a file of auth.mosquitto.passwords, so that nobody gets these rules", name)
			p.Path = key
		}
	}
	return list
}

// userRoles makes a role for each user of mosquitto's password file.
func (s *Settings) userRoles(rules map[string][]acl.Rule) (list []acl.Role) {
	for _, u := range s.users {
		if slices.Contains(u.Roles, mosquittoRole+u.Name) {
			list = append(list, acl.Role{Name: mosquittoRole + u.Name, Rules: rules[u.Name]})
		}
	}
	return list
}

// builtInPlace is where the rules stand that stand nowhere.
const builtInPlace = "built in"

func builtIn(lines []string) []acl.Rule {
	rules := make([]acl.Rule, len(lines))
	for i, text := range lines {
		rules[i], _ = acl.Parse(text) // a test parses them
		rules[i].At = builtInPlace
	}
	return rules
}

// readMosquitto reads a file of mosquitto's with one of its readers. A line that cannot be carried over is an error.
func readMosquitto[T any](s *Settings, key, file string, read func(io.Reader, string) (T, []mosquitto.Problem, error)) (v T) {
	text, err := os.ReadFile(file)
	switch {
	case err != nil:
		s.unread(key, file, err)
		return v
	case len(bytes.TrimSpace(text)) == 0: // what is left of a file that could not be written. SECURITY E10
		s.fail(key, "%s: %s is empty", key, file).Hint = "if nobody may do anything, say so in a line that begins with #"
		return v
	}
	v, problems, err := read(bytes.NewReader(text), file)
	if err != nil {
		s.fail(key, "%s: %s: %s", key, file, err)
	}
	for _, p := range problems {
		at := s.failAt(fmt.Sprintf("%s:%d", file, p.Line), "%s", p.Message)
		at.Path, at.Warning = key, p.Warning
	}
	return v
}

func (s *Settings) readBackends() {
	var err error
	if j := &s.auth.JWT; j.set() {
		o := auth.JWTOptions{Secret: []byte(j.Secret.Reveal()), Algorithms: j.Algorithms, Issuer: j.Issuer, Audience: j.Audience,
			User: j.User, Namespace: j.Namespace, Roles: j.Roles, ClientIDs: j.ClientIDs}
		if o.Keys, err = keys(j.JWKS); err != nil {
			s.fail("auth.jwt.jwks", "auth.jwt.jwks: %s", err)
		} else if s.jwt, err = auth.NewJWT(o); err != nil {
			s.fail("auth.jwt", "auth.jwt: %s", err)
		}
	}
	if h := &s.auth.HTTP; h.URL != "" {
		if err = webURL(h.URL); err != nil {
			s.fail("auth.http.url", "auth.http.url: %s", err)
			return
		}
		s.http = auth.NewHTTP(auth.HTTPOptions{URL: h.URL, Timeout: h.Timeout, Secret: []byte(h.HMAC.Reveal()), Cache: h.Cache})
	}
}

// keys is the key set that a URL or file: names; nil for none.
func keys(where string) (auth.KeySource, error) {
	if where == "" {
		return nil, nil
	}
	if path, ok := strings.CutPrefix(where, "file:"); ok {
		return auth.FileKeySet(path)
	}
	if err := webURL(where); err != nil {
		return nil, err
	}
	return auth.URLKeySet(where, nil), nil
}

func webURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("%q is no URL of the form https://host/path", s)
	}
	return nil
}

// backends are those that are set up, in their order.
func (s *Settings) backends(w *auth.Workers) (list []auth.Backend) {
	order := s.auth.Order
	if len(order) == 0 {
		order = []string{"file", "jwt", "http"}
	} else if len(s.users) > 0 && !slices.Contains(order, "file") {
		order = append([]string{"file"}, order...) // those that stand in the configuration itself come first
	}
	for _, name := range order {
		switch {
		case name == "file" && s.table.Len() > 0:
			list = append(list, auth.NewFile(s.table, w, s.rehash()))
		case name == "jwt" && s.jwt != nil:
			list = append(list, s.jwt)
		case name == "http" && s.http != nil:
			list = append(list, s.http)
		}
	}
	return list
}

// rehash writes stronger hashes into the users file; nil where that is not wanted, or the file is not ours.
func (s *Settings) rehash() func(string, *password.Hash) {
	if !s.auth.Rehash || s.auth.File == "" {
		return nil
	}
	return s.rewrites.add
}
