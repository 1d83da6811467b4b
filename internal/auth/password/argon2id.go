package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What New takes, and the most that is verified.
const (
	ourMemory, ourTime, ourThreads    = 19456, 2, 1 // KiB, passes, lanes: OWASP's choice
	mostMemory, mostTime, mostThreads = 65536, 4, 4
	saltBytes, keyBytes               = 16, 32
)

type argon2id struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

// New hashes a password with argon2id.
func New(password []byte) *Hash {
	a := &argon2id{memory: ourMemory, time: ourTime, threads: ourThreads, salt: make([]byte, saltBytes)}
	_, _ = rand.Read(a.salt) // never fails, says its documentation
	a.key = argon2.IDKey(password, a.salt, a.time, a.memory, a.threads, keyBytes)
	return &Hash{text: a.text(), scheme: a}
}

// Decoy is a hash that no password has and that costs what ours cost: for users that do not exist.
var Decoy = &Hash{text: "*", scheme: &argon2id{
	memory: ourMemory, time: ourTime, threads: ourThreads, salt: make([]byte, saltBytes), key: make([]byte, keyBytes),
}}

var phc = base64.RawStdEncoding.Strict()

func (a *argon2id) text() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.memory, a.time, a.threads, phc.EncodeToString(a.salt), phc.EncodeToString(a.key))
}

func parseArgon2id(s string) (scheme, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 4 || parts[0] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, errForm
	}
	a := new(argon2id)
	var memory, time, threads uint32
	if n, err := fmt.Sscanf(parts[1], "m=%d,t=%d,p=%d", &memory, &time, &threads); n != 3 || err != nil ||
		parts[1] != fmt.Sprintf("m=%d,t=%d,p=%d", memory, time, threads) {
		return nil, errForm
	}
	if memory > mostMemory || time > mostTime || threads > mostThreads || time == 0 || threads == 0 || memory < 8*threads {
		return nil, fmt.Errorf("m, t and p may be at most %d, %d and %d", mostMemory, mostTime, mostThreads)
	}
	a.memory, a.time, a.threads = memory, time, uint8(threads)
	var err error
	if a.salt, err = phc.DecodeString(parts[2]); err != nil || len(a.salt) < 8 || len(a.salt) > 64 {
		return nil, errForm
	}
	if a.key, err = phc.DecodeString(parts[3]); err != nil || len(a.key) < 16 || len(a.key) > 64 {
		return nil, errForm
	}
	return a, nil
}

func (a *argon2id) verify(password []byte) bool {
	key := argon2.IDKey(password, a.salt, a.time, a.memory, a.threads, uint32(len(a.key)))
	return subtle.ConstantTimeCompare(key, a.key) == 1
}

func (a *argon2id) weak() bool {
	return uint64(a.memory)*uint64(a.time) < ourMemory*ourTime
}
