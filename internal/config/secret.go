package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"
)

// hidden is what is shown of a secret.
const hidden = "***"

// A Secret is a word that nobody may read. It is given as file:/path, env:NAME, a hash, or the word itself, which is
// accepted with a warning. However it is printed, logged or encoded it is ***; only [Secret.Reveal] tells it.
type Secret struct {
	word string
	from string // the file that holds it; "": none
}

var secretType = reflect.TypeFor[Secret]()

// NewSecret hides a word.
func NewSecret(word string) Secret { return Secret{word: word} }

// Reveal is the word.
func (s Secret) Reveal() string { return s.word }

// IsZero tells that there is no word.
func (s Secret) IsZero() bool { return s.word == "" }

// String is *** if there is a word.
func (s Secret) String() string {
	if s.word == "" {
		return ""
	}
	return hidden
}

// Format implements fmt.Formatter, for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return s.String() }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON implements json.Marshaler.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalYAML is for YAML encoders.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// UnmarshalText takes the word as it is, for those who do not read it from a configuration.
func (s *Secret) UnmarshalText(text []byte) error {
	s.word = string(text)
	return nil
}

// secret finds the word that a scalar speaks of.
func (d *decoder) secret(n *node, path string) (Secret, error) {
	switch {
	case strings.HasPrefix(n.text, "file:"):
		return d.secretFile(n, path)
	case strings.HasPrefix(n.text, "env:"):
		name := strings.TrimPrefix(n.text, "env:")
		for _, pair := range d.environ {
			if have, value, _ := strings.Cut(pair, "="); have == name && name != "" && value != "" {
				return Secret{word: value}, nil
			}
		}
		return Secret{}, fmt.Errorf("variable %s is not set, or empty", name)
	}
	if n.text != "" && !n.expanded && n.at.file != fromEnvironment && !isHash(n.text) {
		d.warn(n.at, CodeSecret, path, path+" is written where others may read it").Hint = "write file:/path or env:NAME instead"
	}
	return Secret{word: n.text}, nil
}

func (d *decoder) secretFile(n *node, path string) (Secret, error) {
	name := string(n.at.settle(File(strings.TrimPrefix(n.text, "file:"))))
	b, err := readFile(name)
	if err != nil {
		return Secret{}, fmt.Errorf("%s %w", name, err)
	}
	word := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if word == "" {
		return Secret{}, errors.New(name + " is empty")
	}
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		p := d.warn(n.at, CodeSecret, path, fmt.Sprintf("%s: %s can be read by others (mode %04o)", path, name, info.Mode().Perm()))
		p.Hint = "chmod 600 " + name
	}
	return Secret{word: word, from: name}, nil
}

// hashes are how hashed passwords begin. SECURITY.md, section 2.3
var hashes = []string{"$argon2id$", "$7$", "$6$", "$2a$", "$2b$", "$2y$", "SCRAM-SHA-256$", "$rabbitmq-sha256$"}

func isHash(word string) bool {
	for _, h := range hashes {
		if strings.HasPrefix(word, h) {
			return true
		}
	}
	return false
}
