package mqttsn

import (
	"context"
	"strings"
	"time"
	"unicode"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// hello is the last CONNECT, to know its repetition by (C7).
type hello struct {
	will, clean bool
	fresh       bool // nothing else was received since the CONNACK
	duration    uint16
}

func (h *hello) same(c packet.Connect) bool {
	return h.will == c.Will && h.clean == c.Clean && h.duration == c.Duration
}

// opening is what a client needs until it has its CONNACK.
type opening struct {
	elder  *peer // that has the place; nil: this one
	login  *adapters.Login
	cancel context.CancelFunc // of the login; nil: there is none
	held   *held              // nil: it has no CONNACK, or its session
	at     core.Time          // deadline of AUTH or CONNECT, the login, the attachment; when the question for the will is repeated; awaitTurn: when it may
	will   *willOpening       // wantWillMsg: what is known of it
	tries  uint8
	shown  bool // the login has what an AUTH showed
	told   bool // it has its CONNACK
}

// held are the packets of a client that has its CONNACK and waits for its
// session.
type held struct{ packets [][]byte }

// willOpening is a will whose message is to come.
type willOpening struct {
	topic packet.WillTopic
	name  string // of the topic
}

func (e *endpoint) onConnect(t *core.Turn, from origin, body []byte, n int, out *adapters.Output) error {
	c, err := packet.ParseConnect(body)
	if err != nil {
		return err
	}
	id, ok := e.clientID(from, c)
	if !ok {
		e.refuse(from, packet.NotSupported, out)
		return nil
	}
	p := e.peers.get(from)
	if p == nil {
		if p = e.addPeer(t, from, id); p == nil {
			e.refuse(from, packet.Congestion, out) // C14
			return nil
		}
		p.heard(t.Now, n)
		p.begin(t, c, out)
		p.schedule(t.Now)
		return nil
	}
	p.heard(t.Now, n)
	if h := p.heir; h != nil {
		if h.id == id && h.again(t, c, out) {
			h.schedule(t.Now)
			return nil
		}
		if h.evidence != p.evidence {
			p.some().evidence = h.evidence
		}
		p.disinherit(t)
	}
	p.connectAnew(t, id, c, out)
	return nil
}

// connectAnew takes a CONNECT from the address of a client.
func (p *peer) connectAnew(t *core.Turn, id string, c packet.Connect, out *adapters.Output) {
	switch {
	case p.state == wantConnect:
		p.id = id
		p.begin(t, c, out)
	case p.id == id && p.again(t, c, out):
	case p.principal != nil:
		p.newHeir(t, id, c, out)
	default: // whose login is under way: it says something else now
		p.opening.end()
		p.id = id
		p.begin(t, c, out)
	}
	p.schedule(t.Now)
}

// clientID checks what a CONNECT claims (C5, C6, C17).
func (e *endpoint) clientID(from origin, c packet.Connect) (id string, ok bool) {
	if c.ProtocolID != packet.ProtocolID || len(c.ClientID) > e.cfg.MaxClientID {
		return "", false
	}
	if len(c.ClientID) == 0 {
		return "sn-" + from.addr.String(), e.cfg.AllowEmptyClientID
	}
	for _, r := range string(c.ClientID) { // SECURITY U6
		if r == '+' || r == '#' || unicode.IsControl(r) {
			return "", false
		}
	}
	return string(c.ClientID), true
}

func (e *endpoint) refuse(to origin, c packet.Code, out *adapters.Output) {
	e.metrics.refused(packet.CONNACK, c)
	answer(e, to, packet.Result{Of: packet.CONNACK, Code: c}, out)
}

// again takes a CONNECT of a client that is known already; false when it is
// to be processed in full.
func (p *peer) again(t *core.Turn, c packet.Connect, out *adapters.Output) bool {
	switch {
	case p.state == wantWillTopic || p.state == wantWillMsg:
		if !p.hello.same(c) {
			return false
		}
		p.ask(t.Now, wantWillTopic, out) // C8
	case p.state == greeted && p.hello.same(c):
		p.send(packet.Result{Of: packet.CONNACK}, out) // C7
	case p.state == greeted:
		return false
	case !p.connected():
		return p.hello.same(c) // the answer to the first one is under way
	case p.evidence != nil && !p.evidence.of(p.principal):
		return false // somebody else's, who has to log in
	case p.hello.fresh && p.hello.same(c) && t.Now < p.until:
		p.send(packet.Result{Of: packet.CONNACK}, out) // C7
	case (p.state == asleep || p.state == awake) && p.e.cfg.WakeConnectClean == "ignore":
		p.note(c)
		p.resume(t, out) // K13
	default:
		return false
	}
	return true
}

// note keeps what a CONNECT says.
func (p *peer) note(c packet.Connect) {
	p.hello = hello{will: c.Will, clean: c.Clean, duration: c.Duration}
}

// keepAlive is that of its CONNECT, with tolerance; 0: none.
func (p *peer) keepAlive() time.Duration {
	limit := p.e.cfg.MaxKeepAlive
	d := min(time.Duration(p.hello.duration)*time.Second, limit) // C15
	if d == 0 && !p.e.cfg.AllowZeroKeepAlive {
		d = limit
	}
	return scale(d, p.e.cfg.KeepAliveFactor)
}

func scale(d time.Duration, factor float64) time.Duration {
	return time.Duration(float64(d) * factor)
}

// begin starts a login.
func (p *peer) begin(t *core.Turn, c packet.Connect, out *adapters.Output) {
	p.note(c)
	p.clean = c.Clean
	if p.e.cfg.AuthPacket && !p.at().secure.Proves() && p.evidence.stale(t.Now) && p.e.private(p.at()) {
		p.become(wantAuth)
		p.opening = &opening{elder: p.elder(), at: t.Now.After(min(authWait, p.e.exchange))}
		return
	}
	p.login(t, out)
}

// login asks who the client is, by all that it has shown.
func (p *peer) login(t *core.Turn, out *adapters.Output) {
	p.opening.end()
	p.become(authenticating)
	p.handle.LoggingIn()
	c := p.credentials(t.Now)
	p.opening = &opening{
		elder: p.elder(), login: p.e.room.host.Known(&c), shown: c.HasUser,
		at: t.Now.After(p.e.exchange + time.Second), // later than the login's own: what it comes to is told
	}
	if o := p.opening; o.login == nil {
		var ctx context.Context
		ctx, o.cancel = context.WithTimeout(context.Background(), p.e.exchange)
		o.login = p.e.room.host.Login(ctx, c, p.handle)
	}
	p.progress(t, out)
}

// end gives the login up.
func (o *opening) end() {
	if o != nil && o.cancel != nil {
		o.cancel()
	}
}

// progress goes on with connecting as far as it goes.
func (p *peer) progress(t *core.Turn, out *adapters.Output) {
	if p.state == authenticating {
		p.authenticated(t, out)
	}
	if p.state == attaching {
		p.attached(t, out)
	}
	if p.state != gone {
		p.schedule(t.Now)
	}
}

func (p *peer) authenticated(t *core.Turn, out *adapters.Output) {
	principal, r, done := p.opening.login.Result()
	switch {
	case !done:
		return
	case r != core.OK:
		p.fail(t, r, out)
		return
	}
	p.opening.end()
	p.opening.login, p.opening.cancel = nil, nil
	p.principal, p.password = principal, p.opening.shown
	old := p.e.holder(identify(principal, p.id))
	if old == p.elder() {
		old = nil
	}
	switch {
	case old != nil && p.elsewhere(old):
		p.e.denied(p.at(), p.id, core.NotAuthorized.String())
		p.fail(t, core.NotAuthorized, out)
		return
	case old != nil && p.continues(old):
		if !p.e.room.takeovers.Allow(t.Now, &core.Client{ID: p.id, Principal: principal}, true) { // SECURITY F3
			p.fail(t, core.RateExceeded, out)
			return
		}
		if p.inherit(t) {
			p.e.hand(t, p, old, out)
			return
		}
	}
	if !p.inherit(t) || !p.placed() {
		p.fail(t, core.Quota, out)
		return
	}
	if p.hello.will {
		p.ask(t.Now, wantWillTopic, out)
		return
	}
	p.attach(t, out)
}

// attach claims the session now, or when its turn has come (SECURITY F3); or
// when the client has said something else, if its address is not proven.
func (p *peer) attach(t *core.Turn, out *adapters.Output) {
	if p.defers() {
		p.greet(t, out)
		return
	}
	c := p.client()
	at, displaced := p.e.room.takeovers.Ask(t.Now, c, p.handle, p.e.room.host.Router.Holds(*c))
	if displaced != nil {
		displaced.Evict(core.RateExceeded)
	}
	if at == 0 {
		p.claim(t, out)
		return
	}
	p.e.metrics.set.Counter("mqttsn_takeovers_delayed_total").Add(1)
	p.opening.at = at
	p.become(awaitTurn)
}

// client is what the core is told of it; valid until the next call.
func (p *peer) client() *core.Client {
	c := &p.e.client
	*c = core.Client{
		ID: p.id, Principal: p.principal, Protocol: Name,
		Clean: p.clean, Will: p.will,
		Queue: core.QueueLimits{Messages: p.e.cfg.Queue, Overflow: core.DropOldest},
	}
	if !p.clean {
		c.Expiry = p.e.cfg.SessionExpiry
	}
	if _, ok := p.handle.(core.Addressed); !ok {
		c.Addr = p.at().addr.String()
	}
	return c
}

// takeTurn goes on when the turn has come.
func (p *peer) takeTurn(t *core.Turn, out *adapters.Output) {
	p.e.room.takeovers.Begin(t.Now, p.client(), p.handle)
	p.claim(t, out)
}

// claim asks the core for the session.
func (p *peer) claim(t *core.Turn, out *adapters.Output) {
	session, r := p.e.room.host.Router.Attach(t, *p.client(), p.handle)
	if r != core.OK {
		p.fail(t, r, out)
		return
	}
	p.session = session
	p.opening.at = t.Now.After(p.e.exchange)
	p.become(attaching)
	p.attached(t, out)
}

// attached tells the client that it is connected, once the core has made room.
func (p *peer) attached(t *core.Turn, out *adapters.Output) {
	ok, r := p.session.State()
	switch {
	case r != core.OK:
		p.fail(t, r, out)
		return
	case !ok:
		return
	}
	old, kept := p.e.parked.get(t.Now, identify(p.principal, p.id))
	if kept && !p.clean && p.session.Present() { // C10, C11
		p.topics = old.topics
		p.topics.reconnect()
		if p.will == nil && old.will != nil {
			p.restoreWill(t, old.will)
		}
	}
	p.subs = int32(len(p.session.Subscriptions()))
	p.known = p.e.predefined(p.id)
	p.e.list(p)
	if p.opening.told {
		p.arrive(t, out)
		return
	}
	p.handle.Authenticated()
	p.handle.Connected()
	p.resume(t, out)
}

// resume makes the client active: CONNACK first, then what waits.
func (p *peer) resume(t *core.Turn, out *adapters.Output) {
	p.opening = nil
	p.become(active)
	p.session.BoundQoS0(t, 0)
	p.acknowledge(t.Now, out)
	p.resend(t, 0, out) // of a client that slept
	p.deliver(t, out)
}

// acknowledge sends the CONNACK.
func (p *peer) acknowledge(now core.Time, out *adapters.Output) {
	p.last = now
	p.hello.fresh = true
	p.until = now.After(p.e.cfg.patience())
	p.send(packet.Result{Of: packet.CONNACK}, out)
}

// patience is how long a peer repeats a packet: T_RETRY × N_RETRY.
func (c *Config) patience() time.Duration { return c.RetryInterval * time.Duration(c.MaxRetries) }

// fail refuses the client.
func (p *peer) fail(t *core.Turn, r core.Reason, out *adapters.Output) {
	c := p.e.refusal(r)
	if p.opening != nil && p.opening.told {
		p.send(packet.Disconnect{}, out)
	} else {
		no := packet.Result{Of: packet.CONNACK, Code: c}
		p.e.metrics.refused(no.Of, no.Code)
		p.send(no, out)
	}
	p.forget(t, core.Normal)
}

// predefined is the table of a client. Clients that the same patterns match
// share one.
func (e *endpoint) predefined(clientID string) *predefined {
	patterns := e.cfg.patternsFor(clientID)
	key := strings.Join(patterns, "\x00")
	table := e.tables[key]
	if table == nil {
		table = e.cfg.predefinedBy(patterns)
		e.tables[key] = table
	}
	return table
}
