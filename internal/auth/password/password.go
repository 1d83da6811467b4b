package password

import (
	"errors"
	"fmt"
	"strings"
)

// A Hash is a stored password. Make it with Parse or New.
type Hash struct {
	text   string
	scheme scheme
}

// scheme is one format.
type scheme interface {
	verify(password []byte) bool
	weak() bool
}

// formats are the prefixes and their readers.
var formats = []struct {
	prefix string
	parse  func(rest string) (scheme, error)
}{
	{"$argon2id$", parseArgon2id},
	{"$2a$", parseBcrypt("$2a$")}, {"$2b$", parseBcrypt("$2b$")}, {"$2y$", parseBcrypt("$2y$")},
	{scramPrefix, parseSCRAM},
	{"$7$", parsePBKDF2},
	{"$6$", parseSHA512},
	{"$rabbitmq-sha256$", parseRabbit},
}

// ErrPlain says that a password stands in the open where a hash is wanted.
var ErrPlain = errors.New("this is not a password hash; make one with: entrepot user add NAME")

// Parse reads a stored password. What costs more than is allowed to verify, or is not one of the formats, is an error
// that never repeats the text.
func Parse(s string) (*Hash, error) {
	for _, f := range formats {
		if rest, ok := strings.CutPrefix(s, f.prefix); ok {
			scheme, err := f.parse(rest)
			if err != nil {
				return nil, fmt.Errorf("password hash of the form %s...: %w", f.prefix, err)
			}
			return &Hash{text: s, scheme: scheme}, nil
		}
	}
	return nil, ErrPlain
}

// Verify compares a password in constant time. It costs what the hash was made to cost.
func (h *Hash) Verify(password []byte) bool { return h.scheme.verify(password) }

// Weak tells that the password should be hashed anew when it is next known.
func (h *Hash) Weak() bool { return h.scheme.weak() }

// Text is the hash as it is stored in a file.
func (h *Hash) Text() string { return h.text }

// String hides the hash: it is a secret.
func (h *Hash) String() string { return "***" }

// GoString hides it too.
func (h *Hash) GoString() string { return "***" }

// MarshalText hides it in JSON and YAML.
func (h *Hash) MarshalText() ([]byte, error) { return []byte("***"), nil }

var errForm = errors.New("it does not have the right form")
