// Package scram is the server's side of SCRAM-SHA-256 without channel binding,
// as an exchange of adapters. RFC 5802, RFC 7677.
//
// A user that nobody knows goes the whole way with keys that are derived from
// its name, so that neither answer nor time tells it from a wrong password.
package scram

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// Method is the mechanism's name. RFC 7677, section 3.
const Method = "SCRAM-SHA-256"

// Directory knows the users. Its methods are called on the goroutine of a
// login and may take their time, until ctx ends.
type Directory interface {
	// Credential is what is stored of a user; known is false when there is
	// nobody of that name. An error refuses the login.
	Credential(ctx context.Context, user string) (c Credential, known bool, err error)
	// Principal is who a user is that has proved itself; a Reason other than OK
	// refuses it all the same.
	Principal(ctx context.Context, user string, shown adapters.Credentials) (*core.Principal, core.Reason)
}

// Options of a server.
type Options struct {
	Directory Directory
	// Key makes the salts of unknown users; where it is the same after a
	// restart, so are they. Default: random.
	Key []byte
	// Iterations and SaltBytes are what an unknown user seems to have; they
	// should be those of most known ones. Default: 4096, 16.
	Iterations int
	SaltBytes  int
}

// Server opens exchanges. It is safe for concurrent use.
type Server struct {
	o     Options
	nonce func() string // nil: random
}

// New makes a server.
func New(o Options) *Server {
	if len(o.Key) == 0 {
		o.Key = make([]byte, sha256.Size)
		_, _ = rand.Read(o.Key) // never fails, says its documentation
	}
	if o.Iterations == 0 {
		o.Iterations = MinIterations
	}
	if o.SaltBytes == 0 {
		o.SaltBytes = 16
	}
	o.SaltBytes = min(o.SaltBytes, sha256.Size)
	return &Server{o: o}
}

// Begin opens an exchange with a peer that has shown c.
func (s *Server) Begin(c adapters.Credentials) adapters.Conversation {
	return &conversation{server: s, shown: c}
}

// decoy is the credential of a user that is not known: always the same for a
// name, and of no password.
func (s *Server) decoy(user string) Credential {
	derive := func(what string) []byte {
		h := hmac.New(sha256.New, s.o.Key)
		h.Write([]byte(what + "\x00" + user))
		return h.Sum(nil)
	}
	return Credential{
		Salt: derive("salt")[:s.o.SaltBytes], Iterations: s.o.Iterations,
		StoredKey: derive("stored key"), ServerKey: derive("server key"),
	}
}
