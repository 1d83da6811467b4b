package scram

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"

	xdg "github.com/xdg-go/scram"
)

// Bounds of the iteration count of what is stored. RFC 7677, section 4.
const (
	MinIterations = 4096
	MaxIterations = 100_000
)

// Credential is what a server keeps of a user instead of the password. It is
// printed as ***. RFC 5803.
type Credential struct {
	Salt       []byte
	Iterations int
	StoredKey  []byte
	ServerKey  []byte
}

// Check tells what is wrong with a credential, so that it would admit nobody.
func (c *Credential) Check() error {
	if err := checkIterations(c.Iterations); err != nil {
		return err
	}
	switch {
	case len(c.Salt) == 0:
		return errors.New("scram: no salt")
	case len(c.StoredKey) != sha256.Size, len(c.ServerKey) != sha256.Size:
		return fmt.Errorf("scram: a key is not of %d bytes", sha256.Size)
	}
	return nil
}

func checkIterations(n int) error {
	if n < MinIterations || n > MaxIterations {
		return fmt.Errorf("scram: %d iterations are not between %d and %d", n, MinIterations, MaxIterations)
	}
	return nil
}

// NewCredential makes the credential of a password, with a random salt.
func NewCredential(password string, iterations int) (Credential, error) {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails, says its documentation
	return Derive(password, salt, iterations)
}

// Derive makes the credential of a password with the salt and iterations of
// another, to compare the two.
func Derive(password string, salt []byte, iterations int) (Credential, error) {
	if err := checkIterations(iterations); err != nil {
		return Credential{}, err
	}
	client, err := xdg.SHA256.NewClient("", password, "") // SASLprep, RFC 4013
	if err != nil {
		return Credential{}, fmt.Errorf("scram: %w", err)
	}
	stored, err := client.GetStoredCredentialsWithError(xdg.KeyFactors{Salt: string(salt), Iters: iterations})
	if err != nil {
		return Credential{}, fmt.Errorf("scram: %w", err)
	}
	return Credential{Salt: salt, Iterations: iterations, StoredKey: stored.StoredKey, ServerKey: stored.ServerKey}, nil
}

const masked = "***"

// Format prints ***, whatever the verb.
func (Credential) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, masked) }

// LogValue is ***.
func (Credential) LogValue() slog.Value { return slog.StringValue(masked) }

// MarshalText is ***, for JSON and YAML.
func (Credential) MarshalText() ([]byte, error) { return []byte(masked), nil }
