package access

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/entrepot/entrepot/internal/acl"
	"github.com/entrepot/entrepot/internal/auth"
	"github.com/entrepot/entrepot/internal/auth/mosquitto"
	"github.com/entrepot/entrepot/internal/auth/password"
)

// Settings are the sections and all files that they name, read and checked.
type Settings struct {
	// Warnings are what works and should be changed all the same.
	Warnings []string

	auth       *Auth
	users      []*auth.User
	table      *auth.Table
	policy     *acl.Policy
	jwt        *auth.JWT
	http       *auth.HTTP
	trusted    func(addr string) bool
	configured bool

	mu sync.Mutex // one writer of the users file
}

// Configured tells that somebody could log in, so that anonymous clients are no longer a matter of course.
func (s *Settings) Configured() bool { return s.configured }

// Read reads and checks the sections. Whatever cannot be read is an error: nothing is ever more open for it.
func Read(o Options) (*Settings, error) {
	pick := Sections()
	for name := range pick {
		if given, ok := o.Sections[name]; ok {
			pick[name] = given
		}
	}
	s := &Settings{auth: pick["auth"].(*Auth)}
	users, roles := *pick["users"].(*Users), *pick["roles"].(*Roles)
	if err := s.readUsers(users); err != nil {
		return nil, err
	}
	var err error
	if s.table, err = auth.NewTable(s.users...); err != nil {
		return nil, err
	}
	if err := s.readBackends(); err != nil {
		return nil, err
	}
	s.configured = s.auth.Logins() || len(s.users) > 0 || len(roles) > 0
	list, err := s.roles(roles)
	if err != nil {
		return nil, err
	}
	s.policy = acl.NewPolicy(acl.Options{Roles: list, Intersect: pick["acl"].(*ACL).Subscribe == "intersect", RolesOf: s.rolesOf})
	s.trusted = trusted(o.Trusted)
	return s, s.check()
}

// trusted is whose failed logins are not counted; on loopback nobody's are, unless the list says otherwise.
func trusted(list []netip.Prefix) func(string) bool {
	return func(addr string) bool {
		a, err := netip.ParseAddr(addr)
		return err == nil && slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
	}
}

func (s *Settings) readUsers(users Users) error {
	if s.auth.File != "" {
		list, err := UsersFile(string(s.auth.File))
		if err != nil {
			return err
		}
		users = append(slices.Clone(users), list...)
		s.warnMode(string(s.auth.File))
	}
	for _, u := range users {
		s.users = append(s.users, &auth.User{Name: u.Name, Password: u.Password.Hash, Roles: u.Role, ClientIDs: u.ClientIDs, Namespaces: u.Namespaces, At: u.at})
	}
	if file := string(s.auth.Mosquitto.Passwords); file != "" {
		list, err := readMosquitto(s, file, mosquitto.Passwords)
		if err != nil {
			return err
		}
		for _, u := range list {
			u.Roles = []string{mosquittoRole + u.Name, mosquittoAll}
			u.ClientIDs = []string{"*"} // its patterns take the client's word for it
		}
		s.users = append(s.users, list...)
		s.warnMode(file)
	}
	return nil
}

// warnMode tells when others than the owner can read a file of secrets.
func (s *Settings) warnMode(file string) {
	if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s can be read by others (mode %04o); it should be 0600", file, info.Mode().Perm()))
	}
}

// Names of the roles that mosquitto's files become.
const (
	mosquittoRole = "mosquitto:user:"
	mosquittoAll  = "mosquitto:everybody"
)

// openRules are what mosquitto allows without an acl_file.
var openRules = []string{"pubsub #", "pubsub $queue/#", "queue #", "sub $SYS/#"}

// roles are those of the section, and those that mosquitto's files make.
func (s *Settings) roles(section Roles) ([]acl.Role, error) {
	var list []acl.Role
	for name, role := range section {
		list = append(list, acl.Role{Name: name, Rules: role.Rules, Limits: role.Limits.core()})
	}
	if !s.configured {
		rules, err := parse(append(slices.Clone(openRules), "admin admin"))
		return append(list, acl.Role{Name: anonymousRoles[0], Rules: rules}), err
	}
	if s.auth.Mosquitto.Passwords == "" {
		return list, nil
	}
	if s.auth.Mosquitto.ACL == "" {
		rules, err := parse(openRules)
		list = append(list, acl.Role{Name: mosquittoAll, Rules: rules})
		return append(list, s.userRoles(nil)...), err
	}
	a, err := readMosquitto(s, string(s.auth.Mosquitto.ACL), mosquitto.ReadACL)
	if err != nil {
		return nil, err
	}
	list = append(list, acl.Role{Name: mosquittoAll, Rules: a.Everybody}, acl.Role{Name: anonymousRoles[0], Rules: slices.Concat(a.Anonymous, a.Everybody)})
	return append(list, s.userRoles(a.Users)...), nil
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

func parse(lines []string) ([]acl.Rule, error) {
	rules := make([]acl.Rule, len(lines))
	for i, text := range lines {
		var err error
		if rules[i], err = acl.Parse(text); err != nil {
			return nil, err
		}
		rules[i].At = "built in"
	}
	return rules, nil
}

// readMosquitto reads a file of mosquitto's with one of its readers. A line that cannot be carried over is an error.
func readMosquitto[T any](s *Settings, file string, read func(io.Reader, string) (T, []mosquitto.Problem, error)) (v T, err error) {
	f, err := os.Open(file)
	if err != nil {
		return v, err
	}
	defer f.Close()
	v, problems, err := read(f, file)
	if err != nil {
		return v, fmt.Errorf("%s: %w", file, err)
	}
	var errs []error
	for _, p := range problems {
		if text := fmt.Sprintf("%s:%d: %s", file, p.Line, p.Message); p.Warning {
			s.Warnings = append(s.Warnings, text)
		} else {
			errs = append(errs, errors.New(text))
		}
	}
	return v, errors.Join(errs...)
}

func (s *Settings) readBackends() (err error) {
	if j := &s.auth.JWT; j.set() {
		o := auth.JWTOptions{Secret: []byte(j.Secret.Reveal()), Algorithms: j.Algorithms, Issuer: j.Issuer, Audience: j.Audience,
			User: j.User, Namespace: j.Namespace, Roles: j.Roles, ClientIDs: j.ClientIDs}
		if o.Keys, err = keys(j.JWKS); err != nil {
			return fmt.Errorf("auth.jwt.jwks: %w", err)
		}
		if s.jwt, err = auth.NewJWT(o); err != nil {
			return fmt.Errorf("auth.jwt: %w", err)
		}
	}
	if h := &s.auth.HTTP; h.URL != "" {
		if err = webURL(h.URL); err != nil {
			return fmt.Errorf("auth.http.url: %w", err)
		}
		s.http = auth.NewHTTP(auth.HTTPOptions{URL: h.URL, Timeout: h.Timeout, Secret: []byte(h.HMAC.Reveal())})
	}
	return nil
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
	return func(user string, h *password.Hash) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = EditUsers(string(s.auth.File), func(f *File) error { return f.SetPassword(user, h.Text()) }) // it stays weak until the next login
	}
}
