package auth

import (
	"errors"
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
type Table struct {
	users map[string]*User
	decoy *password.Hash // nil: nobody has a password
}

// A PlaceError is what is wrong with one user.
type PlaceError struct {
	At  string // file:line
	Err error
}

func (e *PlaceError) Error() string { return e.At + ": " + e.Err.Error() }

// Unwrap is the mistake without its place.
func (e *PlaceError) Unwrap() error { return e.Err }

// Misplaced takes an error of [NewTable] apart.
func Misplaced(err error) (list []*PlaceError) {
	var one *PlaceError
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range many.Unwrap() {
			list = append(list, Misplaced(e)...)
		}
	} else if errors.As(err, &one) {
		list = append(list, one)
	}
	return list
}

// maxMistakes is how many mistakes of a table are told.
const maxMistakes = 100

// NewTable makes a table. A name that comes twice is an error that tells both places. The error is of *[PlaceError], for
// each of the first mistakes.
func NewTable(users ...*User) (*Table, error) {
	t := &Table{users: make(map[string]*User, len(users))}
	var errs []error
	kinds := map[string]int{}
	for _, u := range users {
		err := CheckName(u.Name)
		if err != nil {
			err = fmt.Errorf("user %q: %w", u.Name, err)
		} else if old := t.users[u.Name]; old != nil {
			err = fmt.Errorf("user %q is there already: %s", u.Name, old.At)
		}
		if err == nil {
			t.users[u.Name] = u
			t.count(kinds, u.Password)
		} else if len(errs) < maxMistakes {
			errs = append(errs, &PlaceError{u.At, err})
		}
	}
	return t, errors.Join(errs...)
}

// count makes the decoy one of the most usual form.
func (t *Table) count(kinds map[string]int, h *password.Hash) {
	if h == nil {
		return
	}
	kind := h.Kind()
	kinds[kind]++
	if t.decoy == nil || kinds[kind] > kinds[t.decoy.Kind()] {
		t.decoy = h
	}
}

// Decoy is a hash that costs what those of most users cost, for those whose password there is nothing to compare with.
func (t *Table) Decoy() *password.Hash {
	if t == nil || t.decoy == nil {
		return password.Decoy
	}
	return t.decoy
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
