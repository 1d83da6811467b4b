package scram

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	xdg "github.com/xdg-go/scram"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

const (
	maxName    = 1024
	maxMessage = 8192
)

// conversation is one exchange:
//
//	C: n,,n=USER,r=NONCE
//	S: r=NONCE+OURS,s=SALT,i=ITERATIONS
//	C: c=biws,r=NONCE+OURS,p=PROOF
//	S: v=SIGNATURE
type conversation struct {
	server *Server
	shown  adapters.Credentials

	asked   bool // for the client's first message
	over    bool // an end, good or bad, is the last answer but refusals
	xdg     *xdg.ServerConversation
	known   bool
	failure core.Reason // of the directory
}

// denied is the answer to everything that is wrong with what the client says.
var denied = adapters.Answer{Reason: core.NotAuthenticated}

var (
	errName      = errors.New("scram: no name of a user")
	errDirectory = errors.New("scram: the users cannot be looked up")
)

// Step takes the client's first and final message.
func (c *conversation) Step(ctx context.Context, data []byte) adapters.Answer {
	if c.over {
		return denied
	}
	a := c.step(ctx, data)
	c.over = a.Reason != core.OK || a.Principal != nil
	return a
}

func (c *conversation) step(ctx context.Context, data []byte) adapters.Answer {
	switch {
	case data == nil && !c.asked && c.xdg == nil: // the client speaks first
		c.asked = true
		return adapters.Answer{}
	case !printable(data):
		return denied
	case c.xdg == nil:
		return c.first(ctx, string(data))
	}
	return c.final(ctx, string(data))
}

func (c *conversation) first(ctx context.Context, message string) adapters.Answer {
	server, err := xdg.SHA256.NewServer(func(user string) (xdg.StoredCredentials, error) { return c.lookup(ctx, user) })
	if err != nil {
		return adapters.Answer{Reason: core.Internal}
	}
	if c.server.nonce != nil {
		server.WithNonceGenerator(c.server.nonce)
	}
	c.xdg = server.NewConversation() // refuses "p=": no channel binding is offered
	challenge, err := c.xdg.Step(message)
	switch {
	case c.failure != core.OK:
		return adapters.Answer{Reason: c.failure}
	case err != nil, !hasNonce(message),
		c.xdg.AuthzID() != "" && c.xdg.AuthzID() != c.xdg.Username(): // nobody acts for another
		return denied
	}
	return adapters.Answer{Data: []byte(challenge)}
}

func (c *conversation) final(ctx context.Context, message string) adapters.Answer {
	signature, err := c.xdg.Step(message)
	if err != nil || !c.xdg.Valid() || !c.known {
		return denied
	}
	p, reason := c.server.o.Directory.Principal(ctx, c.xdg.Username(), c.shown)
	switch {
	case reason != core.OK:
		return adapters.Answer{Reason: reason}
	case p == nil:
		return denied
	}
	return adapters.Answer{Principal: p, Data: []byte(signature)}
}

// lookup finds the credential of a user. The way is the same for one that is
// not known, or whose credential is out of bounds: U10.
func (c *conversation) lookup(ctx context.Context, user string) (xdg.StoredCredentials, error) {
	if user == "" || len(user) > maxName || strings.ContainsAny(user, "+#") { // U7
		return xdg.StoredCredentials{}, errName
	}
	used := c.server.decoy(user)
	stored, known, err := c.server.o.Directory.Credential(ctx, user)
	if err != nil {
		c.failure = core.Unavailable
		return xdg.StoredCredentials{}, errDirectory
	}
	if c.known = known && stored.Check() == nil; c.known {
		used = stored
	}
	return xdg.StoredCredentials{
		KeyFactors: xdg.KeyFactors{Salt: string(used.Salt), Iters: used.Iterations},
		StoredKey:  used.StoredKey, ServerKey: used.ServerKey,
	}, nil
}

// printable tells that a message is text without control characters, of a
// sensible size. RFC 5802, section 7; U7.
func printable(message []byte) bool {
	if len(message) == 0 || len(message) > maxMessage || !utf8.Valid(message) {
		return false
	}
	for _, r := range string(message) {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return false
		}
	}
	return true
}

// hasNonce tells that a first message, whose parts were found, has a nonce of
// its client: visible ASCII. RFC 5802, section 7.
func hasNonce(message string) bool {
	nonce := strings.TrimPrefix(strings.Split(message, ",")[3], "r=")
	return nonce != "" && strings.IndexFunc(nonce, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
