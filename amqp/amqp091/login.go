package amqp091

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/amqp/exchange"
	"github.com/entrepot/entrepot/core"
)

// start offers what we can (AQ8).
func (c *Conn) start() {
	c.send(&wire.ConnectionStart{
		VersionMajor: 0, VersionMinor: 9, ServerProperties: c.l.server,
		Mechanisms: strings.Join(c.mechanisms(), " "), Locales: "en_US",
	})
}

// mechanisms are those of a name and password, where they may travel, and EXTERNAL for whom the transport has proved
// already (AQ8, AQ9).
func (c *Conn) mechanisms() (offered []string) {
	for _, m := range c.l.config.Mechanisms {
		if m == "EXTERNAL" && c.info.Certificate != nil || m != "EXTERNAL" && (c.info.TLS || !c.l.config.PlainNeedsTLS) {
			offered = append(offered, m)
		}
	}
	return offered
}

// startOk takes the credentials (AQ9).
func (c *Conn) startOk(m *wire.ConnectionStartOk) error {
	if v, ok := m.ClientProperties.Get("capabilities"); ok {
		can, _ := v.Table()
		c.client.cancelNotify = capable(can, "consumer_cancel_notify")
		c.client.mayBlock = capable(can, "connection.blocked")
		c.client.failureCloses = capable(can, "authentication_failure_close")
	}
	if v, ok := m.ClientProperties.Get("connection_name"); ok {
		c.client.name, _ = v.Text()
	}
	if !c.credentials(m.Mechanism, m.Response) {
		c.end(core.NotAuthenticated)
		return nil
	}
	c.client.mechanism, c.client.properties = m.Mechanism, kept(m.ClientProperties)
	c.state, c.startedAt = loggingIn, c.t.Now
	c.handle.LoggingIn()
	if len(c.client.user) > c.l.limits.UsernameBytes || len(c.client.password) > c.l.limits.PasswordBytes {
		c.refuse(core.NotAuthenticated)
		return nil
	}
	c.deadline = c.t.Now.After(c.l.limits.PreauthExchange + c.l.config.LoginTimeout)
	c.authenticate(c.client.password)
	c.loggedIn()
	return nil
}

func capable(can wire.Table, name string) bool {
	v, _ := can.Get(name)
	b, _ := v.Bool()
	return b
}

// credentials reads the response of a mechanism that was offered.
func (c *Conn) credentials(mechanism string, response []byte) bool {
	if !slices.Contains(c.mechanisms(), mechanism) {
		return false
	}
	switch mechanism {
	case "PLAIN": // [authzid] NUL user NUL password
		parts := bytes.SplitN(response, []byte{0}, 3)
		if len(parts) != 3 || len(parts[0]) > 0 && !bytes.Equal(parts[0], parts[1]) { // nobody acts for another
			return false
		}
		c.client.user, c.client.password = string(parts[1]), bytes.Clone(parts[2])
		return true
	case "AMQPLAIN": // a table without its length
		t := wire.Table(response)
		if t.Check() != nil {
			return false
		}
		user, hasUser := t.Get("LOGIN")
		password, hasPassword := t.Get("PASSWORD")
		var isText, isToo bool
		c.client.user, isText = user.Text()
		_, isToo = password.Text()
		c.client.password = bytes.Clone(password.Raw)
		return hasUser && hasPassword && isText && isToo
	case "EXTERNAL": // who that is, the certificate says
		return true
	}
	return false
}

// authenticate starts the login; nothing is read until it has ended.
func (c *Conn) authenticate(password []byte) {
	c.login = c.l.host.Login(context.Background(), adapters.Credentials{
		Protocol: exchange.Protocol, Listener: c.info.Listener, Addr: c.info.Addr(), ClientID: c.clientID(),
		User: c.client.user, Password: password, HasUser: c.client.user != "", Chooses: true,
		Loopback: c.info.Loopback, TLS: c.info.TLS, Certificate: c.info.Certificate,
	}, c.handle)
	c.pause()
}

// loggedIn goes on when the login has ended.
func (c *Conn) loggedIn() {
	p, r, done := c.login.Result()
	if !done {
		return
	}
	c.login = nil
	c.client.password = nil
	if r != core.OK {
		c.refuse(r)
		return
	}
	c.principal, c.loginEnds = p, p.Ends(c.t.Clock())
	c.handle.Authenticated()
	c.state = tuning
	c.send(&wire.ConnectionTune{
		ChannelMax: uint16(c.l.config.ChannelMax), FrameMax: uint32(c.l.config.FrameMax),
		Heartbeat: uint16(c.l.config.Heartbeat / time.Second),
	})
	c.resume()
}

// refuseAfter is how long a wrong password takes, whatever it took to find out
// (AQ10).
const refuseAfter = time.Second

// refuse ends the connection of somebody whose login failed; a guess has to
// wait for the answer, and nobody else with it (AQ10).
func (c *Conn) refuse(r core.Reason) {
	c.l.refused(r)
	c.client.password = nil
	if at := c.startedAt.After(refuseAfter); r == core.NotAuthenticated && c.t.Now < at {
		c.state, c.refused, c.deadline = refusing, r, at
		c.pause()
		return
	}
	c.sayRefused(r)
}

func (c *Conn) sayRefused(r core.Reason) {
	if c.client.failureCloses {
		e := refusal(r, "login was refused")
		if r == core.Busy { // SECURITY U11
			e.Code = wire.ResourceError
		}
		c.send(&wire.ConnectionClose{Code: uint16(e.Code), Text: e.ReplyText()})
	}
	c.end(r)
}

// tuneOk takes the client's choice: lower is fine, 0 asks for more than we
// have (AQ11).
func (c *Conn) tuneOk(m *wire.ConnectionTuneOk) error {
	bad := func(what string) error {
		return &wire.Error{Code: wire.NotAllowed, Text: "negotiated " + what + " is out of range", ID: m.ID()}
	}
	switch {
	case m.ChannelMax == 0 || int(m.ChannelMax) > c.l.config.ChannelMax:
		return bad("channel_max")
	case m.FrameMax < wire.FrameMinSize || int64(m.FrameMax) > int64(c.l.config.FrameMax):
		return bad("frame_max")
	}
	c.chanMax, c.frameMax = int(m.ChannelMax), m.FrameMax
	c.heart.interval = time.Duration(m.Heartbeat) * time.Second
	c.state = opening
	return nil
}

// clientID is the name that the client gives its connection, where it can be an identifier: AMQP 0-9-1 has no other,
// and libraries put any text there (U6).
func (c *Conn) clientID() string {
	for _, r := range c.client.name {
		if r == '+' || r == '#' || unicode.IsControl(r) {
			return ""
		}
	}
	if !utf8.ValidString(c.client.name) || len(c.client.name) > c.l.limits.ClientIDBytes {
		return ""
	}
	return c.client.name
}

// openVhost attaches the session. "/" and the empty name stand for the
// namespace that the login gave, or the default one where there is a choice;
// another must be one of the principal's (AQ12).
func (c *Conn) openVhost(m *wire.ConnectionOpen) error {
	asked := m.VirtualHost
	if asked == "/" {
		asked = ""
	}
	in := c.principal.In(asked)
	if in == nil {
		return &wire.Error{Code: wire.NotAllowed, Text: "vhost '" + m.VirtualHost + "' not found", ID: m.ID()}
	}
	c.principal = in
	s, r := c.l.host.Router.Attach(c.t, core.Client{Principal: c.principal, Protocol: exchange.Protocol, Addr: c.info.Addr()}, c.handle)
	if r != core.OK {
		return notAttached(r)
	}
	c.session = s
	c.state = attaching
	c.attached()
	return nil
}

// notAttached is why there is no session. What would close a channel with 406 is 320 for a connection (SECURITY L5).
func notAttached(r core.Reason) *wire.Error {
	e := refusal(r, "connection was refused")
	if e.Code == wire.PreconditionFailed {
		e.Code = wire.ConnectionForced
	}
	return e
}

// attached answers open when the session is there.
func (c *Conn) attached() {
	attached, failed := c.session.State()
	switch {
	case failed != core.OK:
		c.fail(notAttached(failed))
	case attached:
		c.state, c.deadline = open, 0
		c.space = c.l.space(c.session.Namespace())
		c.channels = map[uint16]*channel{}
		c.l.count.connections.Add(1)
		c.list()
		c.send(&wire.ConnectionOpenOk{})
		c.handle.Connected()
	}
}

// Identity is whose connection it is. AMQP 0-9-1 has no client identifier: the
// name that a client gives its connection stands for it.
func (c *Conn) Identity() adapters.Identity {
	return adapters.Identity{Client: c.client.name, Principal: c.principal, Version: "0-9-1"}
}

// updateSecret logs in again as the same user (AQ17).
func (c *Conn) updateSecret(m *wire.ConnectionUpdateSecret) error {
	c.authenticate(bytes.Clone(m.NewSecret))
	c.relogged()
	return nil
}

func (c *Conn) relogged() {
	if c.login == nil {
		return
	}
	p, r, done := c.login.Result()
	if !done {
		return
	}
	c.login = nil
	id := wire.IDConnectionUpdateSecret
	if r == core.OK {
		p = p.In(c.principal.Namespace)
	}
	if r != core.OK || p == nil || p.User != c.principal.User {
		c.fail(&wire.Error{Code: wire.NotAllowed, Text: "new secret was refused", ID: id})
		return
	}
	if r = c.session.Renew(p); r != core.OK {
		c.fail(&wire.Error{Code: wire.NotAllowed, Text: "new secret was refused", ID: id})
		return
	}
	c.principal, c.loginEnds = p, p.Ends(c.t.Clock())
	c.send(&wire.ConnectionUpdateSecretOk{})
	c.resume()
}
