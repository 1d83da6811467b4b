package auth

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/entrepot/entrepot/internal/auth/password"
)

// User is one entry of the user table.
type User struct {
	Name       string
	Password   *password.Hash // nil: no login by password
	Roles      []string
	ClientIDs  []string // globs with *, matched whole; none: any identifier, which then is only a claim
	Namespaces []string // none: the default namespace alone
	At         string   // where it is written: file:line
}

// Table is the users of the configuration and of its files. It is immutable.
type Table struct{ users map[string]*User }

// NewTable makes a table. A name that comes twice is an error that tells both places.
func NewTable(users ...*User) (*Table, error) {
	t := &Table{users: make(map[string]*User, len(users))}
	for _, u := range users {
		if err := CheckName(u.Name); err != nil {
			return nil, fmt.Errorf("%s: user %q: %w", u.At, u.Name, err)
		}
		if old := t.users[u.Name]; old != nil {
			return nil, fmt.Errorf("%s: user %q is there already: %s", u.At, u.Name, old.At)
		}
		t.users[u.Name] = u
	}
	return t, nil
}

// User is the entry of a name, nil when there is none.
func (t *Table) User(name string) *User {
	if t == nil {
		return nil
	}
	return t.users[name]
}

// Len is the number of users.
func (t *Table) Len() int {
	if t == nil {
		return 0
	}
	return len(t.users)
}

// CheckName says what is wrong with a user name (U7): it is text that can be a part of a topic's level.
func CheckName(s string) error {
	switch {
	case s == "":
		return fmt.Errorf("the name is empty")
	case len(s) > 1024:
		return fmt.Errorf("the name has more than 1024 bytes")
	case !utf8.ValidString(s):
		return fmt.Errorf("the name is not UTF-8")
	case strings.ContainsAny(s, "+#"):
		return fmt.Errorf("the name has a + or #")
	}
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return fmt.Errorf("the name has a control character")
		}
	}
	return nil
}

// matchGlob tells whether the whole of s matches, where * stands for any characters.
func matchGlob(glob, s string) bool {
	head, rest, star := strings.Cut(glob, "*")
	if !star {
		return glob == s
	}
	s, ok := strings.CutPrefix(s, head)
	if !ok {
		return false
	}
	for {
		part, more, star := strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, rest)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], more
	}
}

// owns tells whether the identifier is one of the globs'.
func owns(globs []string, id string) bool {
	for _, g := range globs {
		if matchGlob(g, id) {
			return true
		}
	}
	return false
}
