package mqtt

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"strings"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// opening is what a connection knows until its CONNACK.
type opening struct {
	info    adapters.Info
	client  core.Client
	login   *adapters.Login
	refused core.Reason // a limit has refused the connection: the CONNECT is answered with it
	cancel  context.CancelFunc

	asked         uint32 // Session Expiry Interval of the CONNECT
	keepAlive     uint16 // that holds
	tellKeepAlive bool
	assigned      bool      // the client identifier is ours
	wantsInfo     bool      // Request Response Information
	paused        bool      // reading was stopped
	turn          core.Time // awaitTurn: when it may attach
}

// opened lets another connection have what this one needs no more.
func (c *conn) opened() {
	o := c.opening
	c.opening, *o = nil, opening{}
	c.room.openings.Put(o)
}

var (
	errNotConnect = &packet.Error{Code: packet.ProtocolError, Rule: "MC1 first packet is not a CONNECT", Silent: true}
	errVersion    = &packet.Error{Code: packet.UnsupportedProtocolVersion, Rule: "MC4 protocol version is switched off"}
	errBigConnect = &packet.Error{Code: packet.PacketTooLarge, Rule: "MC24 CONNECT above the allowance"}
	errID         = &packet.Error{Code: packet.ClientIdentifierNotValid, Rule: "MC8 client identifier is too long or has a forbidden character"}
	errEmptyID    = &packet.Error{Code: packet.ClientIdentifierNotValid, Rule: "MC10 empty client identifier"}
	errUser       = &packet.Error{Code: packet.BadUserNameOrPassword, Rule: "MC8 user name or password too long, or a control character"}
)

// firstPacket is packet while only a CONNECT may come. [MQTT-3.1.0-1]
// [3: MQTT-3.1.0-1]
func (c *conn) firstPacket(t *core.Turn, sc *scratch, in []byte, out *adapters.Output) (int, error) {
	h, state := packet.Scan(in, c.room.limits.PreauthBytes)
	if h.Type != packet.CONNECT {
		return 0, errNotConnect
	}
	switch state {
	case packet.BadLength:
		return 0, &packet.Error{Code: packet.MalformedPacket, Rule: "MM2 remaining length", Silent: true}
	case packet.TooLarge:
		body := in[h.Head:]
		if c.version = packet.ConnectVersion(body); c.version == 0 && len(body) < 9 {
			return 0, nil // the version, and so the answer, is not known yet
		}
		return 0, errBigConnect
	case packet.HeaderShort, packet.BodyShort:
		return 0, nil
	}
	c.room.count.in(t, packet.CONNECT)
	return h.Size(), c.onConnect(t, sc, h.Flags, in[h.Head:h.Size()], out)
}

func (c *conn) onConnect(t *core.Turn, sc *scratch, flags byte, body []byte, out *adapters.Output) error {
	p := &sc.connect
	err := p.Parse(&c.room.rules, 0, flags, body)
	c.version = p.Version
	c.bridge = p.Bridge
	// The client's own limits hold already for the CONNACK, also for one that
	// refuses what came behind them. [MQTT-3.1.2-24] [MQTT-3.2.2-19]
	c.maxOut = p.Properties.Num(packet.MaximumPacketSize, 0)
	c.problemInfo = p.Properties.Num(packet.RequestProblemInfo, 1) == 1
	if err != nil {
		return err
	}
	if !c.room.set.versions[c.version] || c.bridge && !c.room.set.bridgeBit {
		return errVersion // [MQTT-3.1.2-2] [3: MQTT-3.1.2-2]
	}
	if r := c.opening.refused; r != core.OK {
		c.refuseConnect(t, out, r, "")
		return nil
	}
	if err := c.checkConnect(p); err != nil {
		return err
	}
	c.prepare(p)
	if c.room.redirectsAll() {
		c.refuseConnect(t, out, core.Moved, "")
		return nil
	}
	if p.Properties.Has(packet.AuthenticationMethod) {
		return c.startAuth(t, p)
	}
	c.startLogin(p)
	c.pollLogin(t, out)
	if c.phase == awaitLogin || c.phase == awaitTurn || c.phase == awaitAttach {
		c.opening.paused = true
		out.PauseReading()
	}
	return nil
}

// checkConnect applies what needs no look at any session. [MQTT-3.1.4-2]
func (c *conn) checkConnect(p *packet.Connect) error {
	limits := &c.room.limits
	id := p.ClientID
	switch {
	case len(id) > limits.ClientIDBytes, packet.HasControl(id), strings.ContainsAny(string(id), "+#"): // [MQTT-3.1.3-5] [3: MQTT-3.1.3-5]
		return errID // [MQTT-3.1.3-8] [3: MQTT-3.1.3-9]
	case len(id) == 0 && (!c.room.set.emptyID || c.version == packet.V31 || c.version == packet.V311 && !p.CleanStart):
		return errEmptyID // [3: MQTT-3.1.3-8]
	case len(p.UserName) > limits.UsernameBytes, len(p.Password) > limits.PasswordBytes, packet.HasControl(p.UserName):
		return errUser
	}
	return c.checkWill(p)
}

// prepare copies what outlives the call out of the packet.
func (c *conn) prepare(p *packet.Connect) {
	o := c.opening
	set := &c.room.set
	o.keepAlive = p.KeepAlive
	if set.maxKeepAlive > 0 && (p.KeepAlive == 0 || p.KeepAlive > set.maxKeepAlive) && c.version >= packet.V5 {
		o.keepAlive, o.tellKeepAlive = set.maxKeepAlive, true // [MQTT-3.1.2-21]
	}
	o.wantsInfo = p.Properties.Num(packet.RequestResponseInfo, 0) == 1
	o.asked = p.Properties.Num(packet.SessionExpiryInterval, 0)
	expiry := c.expiry(o.asked)
	if c.version < packet.V5 && !p.CleanStart {
		expiry = set.v3Expiry
	}
	id := string(p.ClientID)
	if id == "" {
		id, o.assigned = assignID(), c.version >= packet.V5 // [MQTT-3.1.3-6] [MQTT-3.2.2-16] [3: MQTT-3.1.3-6]
	}
	o.client = core.Client{
		ID: id, Protocol: Name, Clean: p.CleanStart, Expiry: expiry,
		KeepQoS0: set.queueQoS0, Each: set.each, IdleQueue: set.idleQueue, Will: c.will(p),
	}
	if _, ok := c.handle.(core.Addressed); !ok {
		o.client.Addr = o.info.Addr()
	}
	c.durable = expiry > 0
	c.window = uint16(min(set.inflight, int(p.Properties.Num(packet.ReceiveMaximum, identifiers)), identifiers))
	if set.aliasesOut {
		if n := min(int(p.Properties.Num(packet.TopicAliasMaximum, 0)), defaultAliases); n > 0 {
			c.more().aliases.max = uint16(n) // [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-11]
		}
	}
}

// assignID makes a client identifier: 22 random characters (U9).
func assignID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says its documentation
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func (c *conn) startLogin(p *packet.Connect) {
	o := c.opening
	c.phase = awaitLogin
	c.handle.LoggingIn()
	shown := c.shown(p)
	shown.Password = append([]byte(nil), p.Password...)
	if o.login = c.room.host.Known(&shown); o.login != nil {
		return
	}
	shown.Addr = o.info.Addr()
	ctx, cancel := context.WithCancel(context.Background())
	o.cancel = cancel
	o.login = c.room.host.Login(ctx, shown, c.handle)
}

// until says when the login ends; 0: never.
func (c *conn) until(at core.Time) {
	if at != 0 || c.extra != nil {
		c.more().loginEnds = at
	}
}

// shown is what the client has shown of itself, but for its password. Where it
// is is added for those who have to be looked at.
func (c *conn) shown(p *packet.Connect) adapters.Credentials {
	o := c.opening
	return adapters.Credentials{
		Protocol: Name, Listener: o.info.Listener, ClientID: o.client.ID,
		User: string(p.UserName), HasUser: p.HasUserName, Loopback: o.info.Loopback, TLS: o.info.TLS, Certificate: o.info.Certificate,
	}
}

// pollLogin goes on when the login has a result.
func (c *conn) pollLogin(t *core.Turn, out *adapters.Output) {
	o := c.opening
	principal, reason, done := o.login.Result()
	if !done {
		return
	}
	if reason != core.OK {
		c.refuseConnect(t, out, reason, "")
		return
	}
	c.attach(t, out, principal)
}

// attach asks for the session of who has logged in. Nothing was looked up of
// any session before. [MQTT-3.1.4-2] MC11
func (c *conn) attach(t *core.Turn, out *adapters.Output, principal *core.Principal) {
	c.handle.Authenticated()
	c.opening.client.Principal = principal
	if c.room.redirects(principal) {
		c.refuseConnect(t, out, core.Moved, "")
		return
	}
	c.until(principal.Ends(t.Clock()))
	if err := c.room.rewriteWill(&c.opening.client); err != nil {
		c.refuse(t, out, err)
		return
	}
	c.queue(t, out)
}

// claim asks for the session.
func (c *conn) claim(t *core.Turn, out *adapters.Output) {
	session, reason := c.room.host.Router.Attach(t, c.opening.client, c.handle) // [3: MQTT-3.1.3-2]
	if reason != core.OK {
		c.refuseConnect(t, out, reason, "")
		return
	}
	c.session = session
	c.phase = awaitAttach
	c.pollAttach(t, out)
}

// pollAttach sends the CONNACK when the attachment before is gone and the
// session is safe. MT1
func (c *conn) pollAttach(t *core.Turn, out *adapters.Output) {
	attached, failed := c.session.State()
	switch {
	case failed != core.OK:
		c.session.SetWill(t, nil) // of a connection that never was
		c.refuseConnect(t, out, failed, "")
	case attached:
		c.accept(t, out)
	}
}
