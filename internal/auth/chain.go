package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// Listener is what one listener asks of those who come by it.
type Listener struct {
	Anonymous bool     // who shows nothing is let in
	Namespace string   // everybody's; "": see the user
	Kinds     []string // of evidence that count: cert, psk, password, scram; none: all (U3)
	Devices   []Device // who may come without other evidence; nil: no such table
}

// counts tells whether evidence of a kind is weighed.
func (l *Listener) counts(kind string) bool {
	return len(l.Kinds) == 0 || slices.Contains(l.Kinds, kind)
}

// Options of a chain.
type Options struct {
	Backends  []Backend           // in the order in which they are asked
	Table     *Table              // users that certificates, pre-shared keys and SCRAM name
	Listeners map[string]Listener // by their names; others let nobody in without a login
	CertUser  func(*adapters.Certificate) (string, error)
	Timeout   time.Duration // of one backend; default 5 s
	Failures  int           // failed logins a minute, per address and per address and user; default 10, negative: no limit
	Workers   *Workers      // bound what an unknown user costs
	Roles     []string      // of everybody who is anonymous
	// Unfit names what of a principal cannot be a level of a topic although a rule makes it one; "" when all is well.
	Unfit func(p *core.Principal) string
	// Observe is told how long a backend took, and what it came to: ok, denied, unknown, error, busy. nil: nobody asks.
	Observe func(backend, result string, took time.Duration)
	Log     *slog.Logger
	Now     func() time.Time // default: time.Now
}

// Chain asks backends in order. It is an adapters.Authenticator.
type Chain struct {
	options   Options
	failures  *failures
	strangers *cache[bool]               // passwords of users whom nobody knows: never good ones
	scramKey  []byte                     // nil: nobody has a credential for SCRAM
	guests    map[string]*core.Principal // who shows nothing, by listener
}

var _ adapters.Authenticator = (*Chain)(nil)

// NewChain makes a chain.
func NewChain(o Options) *Chain {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.Failures == 0 {
		o.Failures = 10
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(string, string, time.Duration) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Workers == nil {
		o.Workers = NewWorkers(0)
	}
	c := &Chain{options: o, failures: newFailures(o.Failures, o.Now), strangers: newCache[bool](o.Now), guests: map[string]*core.Principal{}}
	for name, l := range o.Listeners {
		if l.Anonymous && len(l.Kinds) == 0 && l.Devices == nil {
			c.guests[name] = &core.Principal{Namespace: l.Namespace, User: core.Anonymous.User, Roles: o.Roles, Method: core.Anonymous.Method}
		}
	}
	if o.Table.hasSCRAM() {
		c.scramKey = make([]byte, sha256.Size)
		_, _ = rand.Read(c.scramKey) // never fails, says its documentation
	}
	return c
}

// Authenticate decides about a peer. It takes as long as the backends; whoever has failed too often waits for the end
// of the context.
func (c *Chain) Authenticate(ctx context.Context, cr adapters.Credentials) (*core.Principal, core.Reason) {
	if guest, ok := c.Quick(cr); ok {
		return guest, core.OK
	}
	l := c.options.Listeners[cr.Listener]
	if name, method, err := c.proven(&cr, &l); err != nil || name != "" {
		return c.byProof(&cr, l, name, method, err)
	}
	if cr.Device != "" || l.Devices != nil && !cr.HasUser {
		return c.byPlace(&cr, l)
	}
	c.token(&cr)
	switch {
	case !cr.HasUser:
		return nil, c.denied(&cr, "no credentials")
	case !l.counts("password"):
		return nil, c.denied(&cr, "the listener takes no passwords")
	case CheckName(cr.User) != nil:
		return nil, c.denied(&cr, "user name")
	}
	addr := host(cr.Addr)
	if c.failures.blocked(addr, cr.User) {
		<-ctx.Done() // the backend is not asked, and the guesser not told (U13)
		return nil, c.denied(&cr, "too many failed logins")
	}
	answer, reason := c.ask(ctx, &cr)
	if reason != core.OK {
		if reason == core.NotAuthenticated {
			c.failures.add(addr, cr.User)
		}
		return nil, reason
	}
	return c.principal(&cr, l, answer)
}

// Quick is who a peer is when that can be told at once: anonymous, because it shows nothing, or because nobody could be
// known whatever it shows (U4).
func (c *Chain) Quick(cr adapters.Credentials) (*core.Principal, bool) {
	guest := c.guests[cr.Listener]
	if guest == nil {
		return nil, false
	}
	nobody := len(c.options.Backends) == 0 && c.options.Table.Len() == 0
	return guest, nobody || !cr.HasUser && !c.bare(&cr) && cr.Certificate == nil && cr.PSKIdentity == "" && c.options.Table.User(cr.Device) == nil
}

// bare tells that a token comes without a user name, as MQTT 5 lets it.
func (c *Chain) bare(cr *adapters.Credentials) bool {
	return cr.User == "" && isToken(cr.Password) && slices.ContainsFunc(c.options.Backends, func(b Backend) bool { return b.Name() == jwtName })
}

// token gives a token that comes without a user name the one that stands for whom it names.
func (c *Chain) token(cr *adapters.Credentials) {
	if c.bare(cr) {
		cr.User, cr.HasUser = tokenUser, true
	}
}

// ask goes through the backends. The first that knows the user decides, also when it says no (U2).
func (c *Chain) ask(ctx context.Context, cr *adapters.Credentials) (Answer, core.Reason) {
	for _, b := range c.options.Backends {
		answer, err := c.check(ctx, b, cr)
		switch {
		case errors.Is(err, ErrBusy), ctx.Err() != nil && err != nil:
			c.denied(cr, "busy")
			return Answer{}, core.Busy
		case err != nil:
			adapters.Denied(c.options.Log, slog.LevelWarn, cr, "backend", slog.String("backend", b.Name()), slog.String("err", err.Error()))
			return Answer{}, core.Busy
		case answer.Verdict == Denied:
			return Answer{}, c.denied(cr, cmp.Or(answer.Why, "password"))
		case answer.Verdict == Allowed:
			return answer, core.OK
		}
	}
	if err := c.stranger(ctx, cr); err != nil {
		c.denied(cr, "busy")
		return Answer{}, core.Busy
	}
	return Answer{}, c.denied(cr, "password")
}

// stranger takes for a user whom nobody knows as long as a wrong password of most users takes, the second time too (U10).
func (c *Chain) stranger(ctx context.Context, cr *adapters.Credentials) error {
	sum := c.strangers.sum(cr.Password, cr.User)
	if _, known := c.strangers.get(sum); known {
		return nil
	}
	err := c.options.Workers.Do(ctx, func() { c.options.Table.Decoy().Verify(cr.Password) })
	if err == nil {
		c.strangers.put(sum, false, keepBad)
	}
	return err
}

func (c *Chain) check(ctx context.Context, b Backend, cr *adapters.Credentials) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	begun := c.options.Now()
	a, err := b.Check(ctx, cr)
	c.options.Observe(b.Name(), outcome(a, err), c.options.Now().Sub(begun))
	return a, err
}

// outcome is what an answer comes to, as the metric has it.
func outcome(a Answer, err error) string {
	switch {
	case errors.Is(err, ErrBusy):
		return "busy"
	case err != nil:
		return "error"
	case a.Verdict == Allowed:
		return "ok"
	case a.Verdict == Denied:
		return "denied"
	}
	return "unknown"
}

// principal makes the principal of an answer, if it may be here with that client identifier.
func (c *Chain) principal(cr *adapters.Credentials, l Listener, a Answer) (*core.Principal, core.Reason) {
	p := &core.Principal{User: cr.User, Roles: a.Roles, Attrs: a.Attrs, ClientID: cr.ClientID, Method: a.Method, Expires: a.Expires}
	if a.User != "" {
		p.User = a.User
	}
	if CheckName(p.User) != nil {
		return nil, c.denied(cr, "user name")
	}
	var ok bool
	if p.Namespace, ok = namespace(l.Namespace, cr.Asked, a.Namespaces); !ok {
		if !cr.Chooses || l.Namespace != "" {
			return nil, c.denied(cr, "namespace")
		}
		p.Namespace = a.Namespaces[0] // it has several, and tells later which one it wants
	}
	if l.Namespace == "" && len(a.Namespaces) > 1 {
		p.Choice = a.Namespaces
	}
	if len(a.ClientIDs) > 0 && cr.ClientID != "" {
		if !owns(a.ClientIDs, cr.ClientID) {
			c.denied(cr, "client id")
			return nil, core.BadClientID // U8
		}
		p.OwnsID = true
	}
	if c.options.Unfit != nil {
		switch what := c.options.Unfit(p); what {
		case "":
		case "client identifier":
			c.denied(cr, "client id")
			return nil, core.BadClientID // U6
		default:
			return nil, c.denied(cr, what)
		}
	}
	return p, core.OK
}

// namespace is where somebody belongs: what the listener says, else the only one of the user, else the one that was
// asked for; false when that is none of the user's.
func namespace(listener, asked string, own []string) (string, bool) {
	if len(own) == 0 {
		own = []string{core.DefaultNamespace}
	}
	want := listener
	switch {
	case want != "":
	case len(own) == 1:
		want = own[0]
	case asked != "":
		want = asked
	default:
		want = core.DefaultNamespace
	}
	if slices.Contains(own, want) {
		return want, true
	}
	return "", false
}

// denied tells the log. Whoever is refused learns nothing of why.
func (c *Chain) denied(cr *adapters.Credentials, why string) core.Reason {
	adapters.Denied(c.options.Log, slog.LevelInfo, cr, why)
	return core.NotAuthenticated
}

// host is the address without its port: who comes from it.
func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}
