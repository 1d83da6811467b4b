package mqtt

import (
	"context"
	"errors"
	"log/slog"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// phase is how far a connection has come.
type phase uint8

const (
	awaitConnect phase = iota // nothing but CONNECT may come
	awaitAuth                 // CONNECT named a method, the exchange is under way
	awaitLogin                // CONNECT is in, the login is under way
	awaitTurn                 // the session is taken over too often; this one is the next
	awaitAttach               // the session is held by another connection, or not safe yet
	connected                 // CONNACK 00 is out
	leaving                   // DISCONNECT is in, answers to what came before it wait for the store
	ended                     // nothing is read or written any more
)

// conn is the state machine of one connection. All of it is owned by the loop
// that drives it.
type conn struct {
	// Immutable.
	room   *Room
	handle adapters.Handle

	// From CONNECT to CONNACK; nil after.
	opening *opening
	// nil: CONNECT named no method.
	auth *enhanced

	phase       phase
	version     packet.Version
	bridge      bool // all subscriptions are No Local and Retain As Published
	problemInfo bool // Reason Strings are wanted outside of CONNACK and DISCONNECT
	durable     bool // the session outlives the connection
	mayHold     bool // the session may know inbound QoS 2 identifiers of a connection before
	choked      bool // reading stopped, because of the answers that wait
	freed       bool // deliveries are to be taken: the session is there, or the window has room again
	session     *core.Session
	keep        keepAlive

	// Towards the client.
	maxOut   uint32 // its Maximum Packet Size; 0: none
	window   uint16 // how many QoS 1 and 2 may be unacknowledged
	paused   bool   // reading stopped, until extra.resumeAt
	inflight inflight

	// From the client.
	inbound inbound
	answers answers

	extra *extra // what few connections have; nil until then
}

// extra is what few connections have. Its methods take nil for one without
// anything.
type extra struct {
	resumeAt  core.Time // reading goes on then; of conn.paused
	loginEnds core.Time // the login's end; 0: none
	aliases   aliasesOut
	aliasesIn aliasesIn
	stalled   []*core.Consumer // to be taken from again when there is room
	rewriting *rewriting       // nil until a topic was rewritten
}

// more is the connection's extra, made if it has none.
func (c *conn) more() *extra {
	if c.extra == nil {
		c.extra = new(extra)
	}
	return c.extra
}

// ends is when the login ends; 0: never.
func (x *extra) ends() core.Time {
	if x == nil {
		return 0
	}
	return x.loginEnds
}

// out are the aliases towards the client, nil when it takes none.
func (x *extra) out() *aliasesOut {
	if x == nil || x.aliases.max == 0 {
		return nil
	}
	return &x.aliases
}

func (x *extra) anyStalled() bool { return x != nil && len(x.stalled) > 0 }

var (
	_ adapters.Conn       = (*conn)(nil)
	_ adapters.Identified = (*conn)(nil)
	_ adapters.Direct     = (*conn)(nil)
	_ adapters.DirectRun  = (*conn)(nil)
)

// reading tells whether the next packet may be processed. What came behind a
// CONNECT waits for the CONNACK [MQTT-3.1.4-6], unless it named a method: then
// hardly anything may come.
// [3: MQTT-3.1.4-5]
func (c *conn) reading() bool {
	return (c.phase == awaitConnect || c.phase == connected || c.loggingInByAuth()) && !c.paused && !c.choked
}

// Input processes the complete packets in in.
func (c *conn) Input(t *core.Turn, in []byte, out *adapters.Output) (int, error) {
	sc := core.Borrow[scratch](t)
	used := c.input(t, sc, in, out)
	t.GiveBack(sc)
	return used, nil
}

// input is Input; used is how many bytes it took.
func (c *conn) input(t *core.Turn, sc *scratch, in []byte, out *adapters.Output) (used int) {
	for used < len(in) && c.reading() {
		if out.Full() {
			out.More = true
			break
		}
		n, err := c.packet(t, sc, in[used:], out)
		if err != nil {
			c.refuse(t, out, err)
		}
		if n == 0 {
			break
		}
		used += n
		c.choke(t, out)
	}
	if c.phase >= leaving {
		return len(in)
	}
	if c.freed && c.phase == connected {
		c.deliver(t, sc, out)
	}
	return used
}

// packet processes the packet at the start of in and returns its size, 0 when
// it is not complete.
func (c *conn) packet(t *core.Turn, sc *scratch, in []byte, out *adapters.Output) (int, error) {
	if c.phase == awaitConnect {
		return c.firstPacket(t, sc, in, out)
	}
	if c.phase != connected {
		return c.packetOfLogin(t, sc, in, out)
	}
	h, state := packet.Scan(in, c.room.set.packetBytes)
	if err := h.Check(c.version, packet.Client); err != nil {
		return 0, err
	}
	if err := state.Err(); err != nil {
		return 0, err // [MQTT-3.2.2-15]
	}
	if state != packet.Complete {
		return 0, nil
	}
	c.keep.heard(t.Now) // MK2: complete packets alone count
	if len(in) > h.Size() && in[h.Size()] == in[0] {
		if n, err := c.together(t, sc, h, in, out); n > 0 {
			return n, err
		}
	}
	c.room.count.in(t, h.Type)
	return h.Size(), c.dispatch(t, sc, h, in[:h.Size()], out)
}

func (c *conn) dispatch(t *core.Turn, sc *scratch, h packet.Header, frame []byte, out *adapters.Output) error {
	body := frame[h.Head:]
	switch h.Type {
	case packet.PUBLISH:
		return c.onPublish(t, sc, h, frame, out)
	case packet.PUBACK, packet.PUBREC, packet.PUBREL, packet.PUBCOMP:
		return c.onAck(t, sc, h.Type, body, out)
	case packet.SUBSCRIBE:
		return c.onSubscribe(t, sc, body, out)
	case packet.UNSUBSCRIBE:
		return c.onUnsubscribe(t, sc, body, out)
	case packet.PINGREQ:
		c.pong(t, out) // [MQTT-3.12.4-1] [3: MQTT-3.12.4-1]
		return nil
	case packet.DISCONNECT:
		return c.onDisconnect(t, sc, body, out)
	case packet.AUTH:
		return c.onAuth(t, sc, body, out)
	}
	return errSecondConnect // [MQTT-3.1.0-2] [3: MQTT-3.1.0-2]
}

var errSecondConnect = &packet.Error{Code: packet.ProtocolError, Rule: "MC2 a second CONNECT"}

// Wake goes on after a login, an attachment, a sync, or for deliveries.
func (c *conn) Wake(t *core.Turn, out *adapters.Output) {
	if c.auth != nil {
		c.pollAuth(t, out)
	}
	if c.phase == awaitLogin {
		c.pollLogin(t, out)
	}
	if c.phase == awaitAttach {
		c.pollAttach(t, out)
	}
	if c.phase == leaving {
		c.lastAnswers(t, out)
	}
	if c.phase != connected {
		return
	}
	c.flushAnswers(t, out) // MF7: acknowledgements before PUBLISH
	if c.phase == connected {
		c.unchoke(t, out)
		sc := core.Borrow[scratch](t)
		c.deliver(t, sc, out)
		t.GiveBack(sc)
	}
}

// Tick serves keep alive, paused reading, takeovers that wait and the time of
// a login.
func (c *conn) Tick(t *core.Turn, out *adapters.Output) {
	if c.phase == awaitTurn {
		c.pollTurn(t, out)
	}
	if at := c.auth.due(); at != 0 && t.Now >= at {
		c.refuseAuth(t, out, core.IdleTimeout)
	}
	if c.phase == leaving { // the store took too long
		c.finish(t, out, core.Normal)
	}
	if c.phase != connected {
		return
	}
	if c.paused && t.Now >= c.extra.resumeAt {
		c.paused = false
		c.goOn(t, out)
	}
	if out.Held { // nor did the loop read, because the client does not: how long that may go on is L16
		c.keep.heard(t.Now)
	}
	if c.keep.expired(t.Now) {
		c.room.count.keepAlive.Add(1)
		c.disconnect(t, out, packet.KeepAliveTimeout, "MK1 keep alive", core.IdleTimeout)
		return
	}
	if at := c.extra.ends(); at != 0 && t.Now >= at {
		c.disconnect(t, out, codesOf(core.LoginExpired).disconnect, "ME6 end of the login", core.LoginExpired)
		return
	}
	c.inflight.shrink()
	c.inbound.shrink()
	c.arm()
}

// arm asks for the next tick.
func (c *conn) arm() {
	at := c.keep.due()
	resume := core.Time(0)
	if c.paused {
		resume = c.extra.resumeAt
	}
	for _, other := range [...]core.Time{resume, c.extra.ends(), c.auth.due()} {
		if other != 0 && (at == 0 || other < at) {
			at = other
		}
	}
	c.handle.TickAt(at)
}

// Evict ends the connection on behalf of core: takeover, shutdown, an
// administrator.
// [MQTT-3.1.4-3] [3: MQTT-3.1.4-2]
func (c *conn) Evict(t *core.Turn, r core.Reason, out *adapters.Output) {
	switch {
	case c.phase >= leaving:
		c.finish(t, out, r)
	case c.phase == connected:
		c.disconnect(t, out, codesOf(r).disconnect, r.String(), r)
	case c.phase == awaitConnect:
		c.finish(t, out, r) // [MQTT-3.14.0-1]
	default:
		c.refuseConnect(t, out, r, "")
	}
}

// Identity is whose connection it is.
func (c *conn) Identity() (who adapters.Identity) {
	if c.version != 0 {
		who.Version = c.version.String()
	}
	if c.session != nil {
		who.Client, who.Principal = c.session.ClientID(), c.session.Principal()
	} else if o := c.opening; o != nil {
		who.Client = o.client.ID
	}
	return who
}

// addr is the client's address as logs show it.
func (c *conn) addr() string {
	if c.opening != nil {
		return c.opening.info.Addr()
	}
	return c.session.Addr()
}

// Close is the end of the transport.
func (c *conn) Close(t *core.Turn, r core.Reason) {
	c.leave(t, r)
}

// refuse ends the connection because of what the client sent.
// [MQTT-4.13.1-1] [3: MQTT-4.8.0-1]
func (c *conn) refuse(t *core.Turn, out *adapters.Output, err error) {
	var e *packet.Error
	if !errors.As(err, &e) {
		e = &packet.Error{Code: packet.UnspecifiedError, Rule: "unforeseen"} // [3: MQTT-4.8.0-2]
	}
	why := neutral(e.Code)
	c.room.host.Metrics.ProtocolError(Name, why.String())
	if c.room.host.Log.Enabled(context.Background(), slog.LevelDebug) {
		c.room.host.Log.Debug("protocol.error", "protocol", Name, "addr", c.addr(), "version", c.version.String(), "reason", why.String(), "rule", e.Rule)
	}
	switch {
	case e.Silent || c.version == 0:
		c.finish(t, out, why)
	case c.phase == connected:
		c.disconnect(t, out, e.Code, e.Rule, why)
	default:
		c.refuseWith(t, out, e.Code, e.Rule, why)
	}
}
