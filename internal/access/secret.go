package access

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Secret is a value that is never printed: file:PATH, env:NAME, or the value itself.
type Secret struct{ value string }

// UnmarshalText fetches the value.
func (s *Secret) UnmarshalText(b []byte) error {
	text := string(b)
	switch {
	case strings.HasPrefix(text, "file:"):
		raw, err := os.ReadFile(strings.TrimPrefix(text, "file:"))
		if err != nil {
			return errors.New("the file of the secret cannot be read")
		}
		s.value = strings.TrimRight(string(raw), "\r\n")
	case strings.HasPrefix(text, "env:"):
		v, ok := os.LookupEnv(strings.TrimPrefix(text, "env:"))
		if !ok {
			return errors.New("the variable of the secret is not set")
		}
		s.value = v
	default:
		s.value = text
	}
	return nil
}

// Bytes is the value.
func (s Secret) Bytes() []byte { return []byte(s.value) }

// Empty tells that there is none.
func (s Secret) Empty() bool { return s.value == "" }

// Format prints ***, whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "***") }

// MarshalText is ***.
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }
