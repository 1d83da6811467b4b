package auth

import (
	"context"
	"errors"
	"time"

	"github.com/entrepot/entrepot/adapters"
)

// Verdict is what a backend says of a name and password.
type Verdict uint8

// The verdicts.
const (
	Unknown Verdict = iota // ask the next one
	Denied
	Allowed
)

// Answer is a verdict, and for Allowed who it is.
type Answer struct {
	Verdict    Verdict
	User       string // "": the name that was given
	Roles      []string
	Attrs      map[string]string
	ClientIDs  []string // see User
	Namespaces []string // see User
	Expires    time.Time
	Method     string // password, jwt, http, ...
	Why        string // of Denied, for the log: token, ...; "" is a password
}

// Backend knows users by name and password. It is safe for concurrent use.
type Backend interface {
	// Name is the backend's word in the configuration, the log and the metrics.
	Name() string
	// Check decides. An error denies, and nobody else is asked; ErrBusy is told to the peer as such.
	Check(ctx context.Context, c *adapters.Credentials) (Answer, error)
}

// ErrBusy says that too many passwords wait to be hashed.
var ErrBusy = errors.New("too many logins at once")
