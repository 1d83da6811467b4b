package adapters

import (
	"context"
	"log/slog"

	"github.com/entrepot/entrepot/core"
)

// Registration is one protocol of the binary: an explicit value listed in
// internal/standard.
type Registration struct {
	Name    string   // of the protocol and of its configuration section
	Schemes []string // URL schemes of its stream and datagram listeners
	// Config returns a pointer to a new configuration of the room, at its
	// defaults; its struct tags are `yaml`.
	Config func() Config
	// New makes the room. c is what Config made, filled and validated.
	New func(h *Host, c Config) (Room, error)
}

// Config is the configuration section of a room.
type Config interface {
	// Validate names the first key that is out of range; nil when all is well.
	Validate() error
}

// Host is what a room gets from the house.
type Host struct {
	Router  *core.Router
	Log     *slog.Logger
	Auth    Authenticator // nil: everybody is anonymous; an Exchanger too, for logins of several steps
	Limits  Limits
	Version string
	Metrics *Metrics
	// Takeovers is what the rooms share, also over a change of the configuration; nil: a room makes its own.
	Takeovers Takeovers
}

// Credentials are what a peer showed of itself.
type Credentials struct {
	Protocol string
	Listener string
	Addr     string
	ClientID string
	User     string
	Password []byte
	HasUser  bool
	Asked    string // namespace that the peer names; "" for none
	Chooses  bool   // it names one when it has logged in, of the principal's choice: AMQP's vhost, STOMP's host
	Loopback bool
	TLS      bool
	// Certificate is the client's, verified; nil if it showed none.
	Certificate *Certificate
	PSKIdentity string // that the transport proved; "" for none
	// Device is a user that the configuration of the listener names for peers without any evidence; "" for none.
	Device string
}

// AttrEntry is the attribute of a principal that tells which line of a listener's table of clients it came in by.
const AttrEntry = "entry"

// Authenticator turns credentials into a principal. It may take its time: it
// is called on a goroutine of its own.
type Authenticator interface {
	Authenticate(ctx context.Context, c Credentials) (*core.Principal, core.Reason)
}

// Quick is an Authenticator that can tell at once who some are. It is optional.
type Quick interface {
	Authenticator
	// Quick decides about peers that need no look. It must not block. Where
	// the peer is may be left out.
	Quick(c Credentials) (p *core.Principal, ok bool)
}

// Login is a login under way. Done is closed-over by the room's Wake.
type Login struct {
	known  *core.Principal  // of one that needed no look, until it was fetched
	result chan loginResult // of the others
}

type loginResult struct {
	principal *core.Principal
	reason    core.Reason
}

// Login starts a login, which ends with ctx; one that has no end has
// Limits.PreauthExchange. When its result is there, sink.Ready is called; with
// no Authenticator, or for those whom it knows at once, the result is there
// already and Ready is not called.
func (h *Host) Login(ctx context.Context, c Credentials, sink core.Sink) *Login {
	if l := h.Known(&c); l != nil {
		return l
	}
	return h.ask(ctx, c, sink)
}

// Known is Login for whom it has a result at once; nil for the others. It
// keeps nothing of c.
func (h *Host) Known(c *Credentials) *Login {
	if h.Auth == nil {
		return &Login{known: core.Anonymous}
	}
	if q, ok := h.Auth.(Quick); ok {
		if p, ok := q.Quick(*c); ok {
			return &Login{known: p}
		}
	}
	return nil
}

// ask starts the login of somebody who needs a look.
//
//go:noinline
func (h *Host) ask(ctx context.Context, c Credentials, sink core.Sink) *Login {
	l := &Login{result: make(chan loginResult, 1)}
	cancel := func() {}
	if ctx.Done() == nil {
		ctx, cancel = context.WithTimeout(ctx, h.Limits.WithDefaults().PreauthExchange)
	}
	go func() {
		defer cancel()
		p, r := h.Auth.Authenticate(ctx, c)
		if r != core.OK && h.Metrics != nil {
			h.Metrics.Counter("connects_total", c.Protocol, "refused", r.String()).Add(1)
		}
		l.result <- loginResult{principal: p, reason: r}
		sink.Ready(nil)
	}()
	return l
}

// Result is the login's end, once: done is false while it is under way and
// after it has been fetched.
func (l *Login) Result() (p *core.Principal, r core.Reason, done bool) {
	if p = l.known; p != nil {
		l.known = nil
		return p, core.OK, true
	}
	select {
	case res := <-l.result:
		return res.principal, res.reason, true
	default:
		return nil, core.OK, false
	}
}
