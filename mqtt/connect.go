package mqtt

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// opening is what a connection knows until its CONNACK.
type opening struct {
	info   adapters.Info
	client core.Client
	login  *adapters.Login
	cancel context.CancelFunc

	asked         uint32 // Session Expiry Interval of the CONNECT
	keepAlive     uint16 // that holds
	tellKeepAlive bool
	assigned      bool // the client identifier is ours
	wantsInfo     bool // Request Response Information
	paused        bool // reading was stopped
}

var (
	errNotConnect = &packet.Error{Code: packet.ProtocolError, Rule: "MC1 first packet is not a CONNECT", Silent: true}
	errVersion    = &packet.Error{Code: packet.UnsupportedProtocolVersion, Rule: "MC4 protocol version is switched off"}
	errBigConnect = &packet.Error{Code: packet.PacketTooLarge, Rule: "MC24 CONNECT above the allowance"}
	errID         = &packet.Error{Code: packet.ClientIdentifierNotValid, Rule: "MC8 client identifier is too long or has a forbidden character"}
	errEmptyID    = &packet.Error{Code: packet.ClientIdentifierNotValid, Rule: "MC10 empty client identifier"}
	errUser       = &packet.Error{Code: packet.BadUserNameOrPassword, Rule: "MC8 user name or password too long, or a control character"}
	errMethod     = &packet.Error{Code: packet.BadAuthenticationMethod, Rule: "ME1 unknown authentication method"}
)

// firstPacket is packet while only a CONNECT may come. [MQTT-3.1.0-1]
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
	c.room.count.in(packet.CONNECT)
	return h.Size(), c.onConnect(t, sc, h.Flags, in[h.Head:h.Size()], out)
}

func (c *conn) onConnect(t *core.Turn, sc *scratch, flags byte, body []byte, out *adapters.Output) error {
	p := &sc.connect
	err := p.Parse(&c.room.rules, 0, flags, body)
	c.version = p.Version
	c.bridge = p.Bridge
	if err != nil {
		return err
	}
	if !c.room.set.versions[c.version] || c.bridge && !c.room.set.bridgeBit {
		return errVersion // [MQTT-3.1.2-2]
	}
	// Until the session is there, the client's own limits hold already for
	// the CONNACK. [MQTT-3.1.2-24]
	c.maxOut = int(p.Properties.Num(packet.MaximumPacketSize, 0))
	c.problemInfo = p.Properties.Num(packet.RequestProblemInfo, 1) == 1
	if err := c.checkConnect(p); err != nil {
		return err
	}
	if err := c.prepare(t, p); err != nil {
		return err
	}
	c.startLogin(p, out)
	c.pollLogin(t, out)
	if c.phase == awaitLogin || c.phase == awaitAttach {
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
	case p.Properties.Has(packet.AuthenticationMethod):
		return errMethod // [MQTT-4.12.0-1]
	case len(id) > limits.ClientIDBytes, packet.HasControl(id), strings.ContainsAny(string(id), "+#"):
		return errID
	case len(id) == 0 && (!c.room.set.emptyID || c.version == packet.V31 || c.version == packet.V311 && !p.CleanStart):
		return errEmptyID // [3: MQTT-3.1.3-8]
	case len(p.UserName) > limits.UsernameBytes, len(p.Password) > limits.PasswordBytes, packet.HasControl(p.UserName):
		return errUser
	}
	return c.checkWill(p)
}

// prepare copies what outlives the call out of the packet.
func (c *conn) prepare(t *core.Turn, p *packet.Connect) error {
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
	if id == "" && c.version >= packet.V5 {
		id, o.assigned = assignID(), true // [MQTT-3.1.3-6]
	}
	o.client = core.Client{
		ID: id, Protocol: Name, Addr: address(o.info), Clean: p.CleanStart, Expiry: expiry,
		KeepQoS0: set.queueQoS0, Each: set.each, Will: c.will(p),
	}
	c.addr = o.client.Addr
	c.durable = expiry > 0
	c.window = min(set.inflight, int(p.Properties.Num(packet.ReceiveMaximum, 65535)))
	if set.aliasesOut {
		c.aliases.max = uint16(min(int(p.Properties.Num(packet.TopicAliasMaximum, 0)), defaultAliases)) // [MQTT-3.1.2-26]
	}
	return nil
}

// assignID makes a client identifier: 22 random characters (U9).
func assignID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says its documentation
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func address(i adapters.Info) string {
	if !i.Remote.IsValid() {
		return "unix"
	}
	return i.Remote.String()
}

func (c *conn) startLogin(p *packet.Connect, _ *adapters.Output) {
	o := c.opening
	ctx, cancel := context.WithCancel(context.Background())
	o.cancel = cancel
	c.phase = awaitLogin
	c.handle.LoggingIn()
	o.login = c.room.host.Login(ctx, adapters.Credentials{
		Protocol: Name, Listener: o.info.Listener, Addr: o.client.Addr, ClientID: o.client.ID,
		User: string(p.UserName), Password: append([]byte(nil), p.Password...), HasUser: p.HasUserName,
		Loopback: o.info.Loopback, TLS: o.info.TLS,
	}, c.handle)
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
	c.handle.Authenticated()
	o.client.Principal = principal
	if principal != nil && !principal.Expires.IsZero() {
		c.loginEnds = core.Time(principal.Expires.UnixMilli())
	}
	session, reason := c.room.host.Router.Attach(t, o.client, c.handle)
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
		c.refuseConnect(t, out, failed, "")
	case attached:
		c.accept(t, out)
	}
}

// refuseConnect answers a CONNECT that a neutral reason refuses.
func (c *conn) refuseConnect(t *core.Turn, out *adapters.Output, r core.Reason, rule string) {
	row := codesOf(r)
	if c.version >= packet.V5 {
		c.refuseWith(t, out, row.connack, rule, r)
		return
	}
	c.sendConnack3(out, row.connack3)
	c.finish(t, out, r)
}

// refuseWith answers a CONNECT with a code of 5.0; 3.x has an answer for few.
func (c *conn) refuseWith(t *core.Turn, out *adapters.Output, code packet.Code, rule string, why core.Reason) {
	c.room.host.Metrics.Refused(Name, why)
	if c.version < packet.V5 {
		if old, ok := connack3(code); ok {
			c.sendConnack3(out, old)
		}
		c.finish(t, out, why)
		return
	}
	p := packet.Connack{Code: code}
	if rule != "" && code != packet.UnsupportedProtocolVersion { // the bare packet is what any version can read
		p.Properties.SetStr(packet.ReasonString, []byte(rule))
	}
	c.sendConnack(out, &p)
	c.finish(t, out, why) // [MQTT-3.2.2-7]
}

func (c *conn) sendConnack3(out *adapters.Output, code packet.Code) {
	if code == packet.Accepted3 {
		return // 3.x has no word for it
	}
	c.sendConnack(out, &packet.Connack{Code: code})
}

// sendConnack appends a CONNACK, without its Reason String when that is too
// large. [MQTT-3.2.2-19]
func (c *conn) sendConnack(out *adapters.Output, p *packet.Connack) {
	if c.maxOut > 0 && p.Len(c.version) > c.maxOut {
		p.Properties.Drop(packet.ReasonString)
	}
	if c.maxOut > 0 && p.Len(c.version) > c.maxOut {
		return
	}
	out.B = p.AppendTo(out.B, c.version)
	c.room.count.out(packet.CONNACK)
	c.room.count.code(packet.CONNACK, p.Code, "out")
}

// accept sends CONNACK 00 and begins the session. [MQTT-3.1.4-5]
func (c *conn) accept(t *core.Turn, out *adapters.Output) {
	o := c.opening
	p := packet.Connack{SessionPresent: c.session.Present()}
	if c.version >= packet.V5 {
		c.announce(&p.Properties)
	}
	if c.maxOut > 0 && p.Len(c.version) > c.maxOut {
		c.finish(t, out, core.TooLarge) // MC22: not even the bare packet fits
		return
	}
	c.sendConnack(out, &p)
	c.phase = connected
	c.freed = true // what the session holds is to be taken now
	c.mayHold = c.session.Present()
	c.room.count.open[c.version].Add(1)
	c.room.host.Log.Debug("client.connected", "protocol", Name, "client", c.session.ClientID(), "addr", c.addr, "version", c.version.String())
	if o.paused {
		out.ResumeReading()
	}
	o.cancel()
	c.keep.start(t.Now, o.keepAlive)
	c.opening = nil
	c.arm()
}

// announce fills the properties of CONNACK: what differs from the protocol's
// default or from what was asked. MC20
func (c *conn) announce(p *packet.Properties) {
	o, set := c.opening, &c.room.set
	if granted := c.expiry(o.asked); granted != askedExpiry(o.asked) {
		p.SetNum(packet.SessionExpiryInterval, uint32(granted/time.Second))
	}
	if o.assigned {
		p.SetStr(packet.AssignedClientID, []byte(o.client.ID)) // [MQTT-3.2.2-16]
	}
	if o.tellKeepAlive {
		p.SetNum(packet.ServerKeepAlive, uint32(o.keepAlive)) // [MQTT-3.2.2-21]
	}
	if set.receiveMax < 65535 {
		p.SetNum(packet.ReceiveMaximum, uint32(set.receiveMax))
	}
	if set.aliasesIn > 0 {
		p.SetNum(packet.TopicAliasMaximum, uint32(set.aliasesIn))
	}
	if set.packetBytes < packet.MaxVarint+5 {
		p.SetNum(packet.MaximumPacketSize, uint32(set.packetBytes))
	}
	if set.maxQoS < 2 {
		p.SetNum(packet.MaximumQoS, uint32(set.maxQoS)) // [MQTT-3.2.2-9]
	}
	for id, on := range map[packet.PropID]bool{
		packet.RetainAvailable: set.retain, packet.WildcardAvailable: set.wildcard, packet.SharedAvailable: set.shared,
	} {
		if !on {
			p.SetNum(id, 0)
		}
	}
	if o.wantsInfo && set.responseInfo != "" { // [MQTT-3.1.2-28]
		info := strings.ReplaceAll(set.responseInfo, "{client}", o.client.ID)
		if utf8.ValidString(info) && c.session.Allows(core.ActionSubscribe, info+"#") {
			p.SetStr(packet.ResponseInformation, []byte(info))
		}
	}
}

func askedExpiry(seconds uint32) time.Duration {
	if seconds == 1<<32-1 {
		return core.Forever
	}
	return time.Duration(seconds) * time.Second
}
