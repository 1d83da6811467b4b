package password

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// mostIterations bounds what verifying a foreign hash may cost.
const mostIterations = 1_000_000

// pbkdf2SHA512 is what mosquitto 2 writes.
type pbkdf2SHA512 struct {
	iterations int
	salt, key  []byte
}

func parsePBKDF2(s string) (scheme, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 3 {
		return nil, errForm
	}
	n, err := strconv.Atoi(parts[0])
	if err != nil || n < 1 || n > mostIterations {
		return nil, fmt.Errorf("iterations are between 1 and %d", mostIterations)
	}
	p := &pbkdf2SHA512{iterations: n}
	if p.salt, p.key, err = saltAndKey(parts[1], parts[2], sha512.Size); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *pbkdf2SHA512) verify(password []byte) bool {
	key, err := pbkdf2.Key(sha512.New, string(password), p.salt, p.iterations, len(p.key))
	return err == nil && subtle.ConstantTimeCompare(key, p.key) == 1
}

func (p *pbkdf2SHA512) weak() bool { return true }

// saltedSHA is a single round of SHA: of mosquitto 1, and of RabbitMQ.
type saltedSHA struct {
	salt, key []byte
	first     bool // the salt comes first
}

func parseSHA512(s string) (scheme, error) {
	salt, key, ok := strings.Cut(s, "$")
	if !ok {
		return nil, errForm
	}
	p := new(saltedSHA)
	var err error
	if p.salt, p.key, err = saltAndKey(salt, key, sha512.Size); err != nil {
		return nil, err
	}
	return p, nil
}

// parseRabbit reads a salt of 4 bytes and the SHA-256 of salt and password.
func parseRabbit(s string) (scheme, error) {
	raw, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(raw) != 4+sha256.Size {
		return nil, errForm
	}
	return &saltedSHA{salt: raw[:4], key: raw[4:], first: true}, nil
}

func (p *saltedSHA) verify(password []byte) bool {
	var both, sum []byte
	if p.first {
		both = append(append(both, p.salt...), password...)
		x := sha256.Sum256(both)
		sum = x[:]
	} else {
		both = append(append(both, password...), p.salt...)
		x := sha512.Sum512(both)
		sum = x[:]
	}
	return subtle.ConstantTimeCompare(sum, p.key) == 1
}

func (p *saltedSHA) weak() bool { return true }

func saltAndKey(salt, key string, size int) (s, k []byte, err error) {
	if s, err = base64.StdEncoding.DecodeString(salt); err != nil || len(s) < 4 || len(s) > 128 {
		return nil, nil, errForm
	}
	if k, err = base64.StdEncoding.DecodeString(key); err != nil || len(k) != size {
		return nil, nil, errForm
	}
	return s, k, nil
}

// mostCost bounds bcrypt.
const mostCost = 12

type bcryptHash []byte

func parseBcrypt(prefix string) func(string) (scheme, error) {
	return func(rest string) (scheme, error) {
		h := bcryptHash(prefix + rest)
		cost, err := bcrypt.Cost(h)
		if err != nil || len(h) != 60 {
			return nil, errForm
		}
		if cost > mostCost {
			return nil, fmt.Errorf("its cost is %d, at most %d is allowed", cost, mostCost)
		}
		return h, nil
	}
}

func (h bcryptHash) verify(password []byte) bool {
	return bcrypt.CompareHashAndPassword(h, password) == nil
}

func (h bcryptHash) weak() bool { return false }

// NewBcrypt hashes a password of at most 72 bytes with bcrypt.
func NewBcrypt(password []byte) (*Hash, error) {
	h, err := bcrypt.GenerateFromPassword(password, mostCost)
	if err != nil {
		return nil, err
	}
	return &Hash{text: string(h), scheme: bcryptHash(h)}, nil
}
