package password

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/entrepot/entrepot/internal/auth/scram"
)

const scramPrefix = "SCRAM-SHA-256$"

// scramHash is a credential of SCRAM-SHA-256, which verifies plain passwords as well.
type scramHash scram.Credential

// SCRAM returns the credential of a hash in that format; false for the others, which cannot be turned into it.
func (h *Hash) SCRAM() (scram.Credential, bool) {
	s, ok := h.scheme.(*scramHash)
	if !ok {
		return scram.Credential{}, false
	}
	return scram.Credential(*s), true
}

// NewSCRAM hashes a password for SCRAM-SHA-256. The error is that of SASLprep (RFC 4013).
func NewSCRAM(password []byte) (*Hash, error) {
	c, err := scram.NewCredential(string(password), scram.MinIterations)
	if err != nil {
		return nil, err
	}
	b64 := base64.StdEncoding.EncodeToString
	text := fmt.Sprintf("%s%d:%s$%s:%s", scramPrefix, c.Iterations, b64(c.Salt), b64(c.StoredKey), b64(c.ServerKey))
	s := scramHash(c)
	return &Hash{text: text, scheme: &s}, nil
}

func parseSCRAM(s string) (scheme, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 2 {
		return nil, errForm
	}
	rounds, salt, ok1 := strings.Cut(parts[0], ":")
	stored, server, ok2 := strings.Cut(parts[1], ":")
	n, err := strconv.Atoi(rounds)
	if !ok1 || !ok2 || err != nil {
		return nil, errForm
	}
	c := scram.Credential{Iterations: n}
	if c.Salt, c.StoredKey, err = saltAndKey(salt, stored, sha256.Size); err != nil {
		return nil, err
	}
	if _, c.ServerKey, err = saltAndKey(salt, server, sha256.Size); err != nil {
		return nil, err
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	h := scramHash(c)
	return &h, nil
}

func (s *scramHash) verify(password []byte) bool {
	given, err := scram.Derive(string(password), s.Salt, s.Iterations)
	return err == nil && subtle.ConstantTimeCompare(given.StoredKey, s.StoredKey) == 1
}

func (s *scramHash) weak() bool { return false }
