package mqtt

import (
	"slices"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// enhanced is the enhanced authentication of a connection whose CONNECT named
// a method. MQTT 5.0, 4.12.
type enhanced struct {
	method string
	shown  adapters.Credentials // by CONNECT besides
	login  *adapters.Exchange   // nil: none is under way
	ends   core.Time            // the time that it has; L2
	last   []byte               // the method's last word, for CONNACK
}

var (
	errMethod      = &packet.Error{Code: packet.BadAuthenticationMethod, Rule: "ME1 unknown authentication method"}
	errEarly       = &packet.Error{Code: packet.ProtocolError, Rule: "MC12 neither AUTH nor DISCONNECT before CONNACK"}
	errAuthMethod  = &packet.Error{Code: packet.ProtocolError, Rule: "ME3 another authentication method than in CONNECT"}
	errAuthTurn    = &packet.Error{Code: packet.ProtocolError, Rule: "ME3 AUTH that nobody asked for"}
	errAuthAgain   = &packet.Error{Code: packet.ProtocolError, Rule: "ME5 re-authentication before CONNACK or during another"}
	errAuthUnasked = &packet.Error{Code: packet.ProtocolError, Rule: "ME4 AUTH without an authentication method"}
)

// due is when the login that is under way is too late; 0: none is.
func (a *enhanced) due() core.Time {
	if a == nil {
		return 0
	}
	return a.ends
}

// announce adds to CONNACK what the method has. [MQTT-4.12.0-5] MC20
func (a *enhanced) announce(p *packet.Properties) {
	if a == nil {
		return // [MQTT-4.12.0-6]
	}
	a.properties(p, a.last)
	a.last = nil
}

func (a *enhanced) properties(p *packet.Properties, data []byte) {
	p.SetStr(packet.AuthenticationMethod, []byte(a.method))
	if data != nil {
		p.SetStr(packet.AuthenticationData, data)
	}
}

// loggingInByAuth tells that CONNACK is to come, and that AUTH may come first.
func (c *conn) loggingInByAuth() bool {
	return c.phase == awaitAuth || (c.phase == awaitTurn || c.phase == awaitAttach) && c.auth != nil
}

// startAuth begins the login of a CONNECT with a method.
func (c *conn) startAuth(t *core.Turn, p *packet.Connect) error {
	method := string(p.Properties.Str(packet.AuthenticationMethod))
	a := &enhanced{method: method, shown: c.shown(p)}
	a.shown.Addr = c.addr()
	if !c.begin(t, a, authData(&p.Properties)) {
		c.room.count.exchange("other", "unsupported")
		return errMethod // [MQTT-4.12.0-1]
	}
	c.auth, c.phase = a, awaitAuth
	c.opening.cancel = a.login.End
	c.handle.LoggingIn()
	c.handle.TickAt(a.ends)
	return nil
}

// begin opens an exchange; false when the method is not offered.
func (c *conn) begin(t *core.Turn, a *enhanced, data []byte) bool {
	if !slices.Contains(c.room.set.authMethods, a.method) {
		return false
	}
	if a.login = c.room.host.Exchange(a.method, a.shown, data, c.handle); a.login == nil {
		return false
	}
	a.ends = t.Now.After(c.room.limits.PreauthExchange)
	return true
}

// authData is the Authentication Data, nil when there is none.
func authData(p *packet.Properties) []byte {
	if !p.Has(packet.AuthenticationData) {
		return nil
	}
	return append([]byte{}, p.Str(packet.AuthenticationData)...) // not nil, though it may be empty
}

// packetOfLogin is packet from a CONNECT with a method to its CONNACK. While
// a step is weighed the next AUTH waits, unread; nothing else may come but a
// DISCONNECT. [MQTT-3.1.2-30]
func (c *conn) packetOfLogin(t *core.Turn, sc *scratch, in []byte, out *adapters.Output) (int, error) {
	h, state := packet.Scan(in, min(c.room.limits.PreauthBytes, c.room.set.packetBytes)) // L3
	if err := h.Check(c.version, packet.Client); err != nil {
		return 0, err
	}
	if h.Type != packet.AUTH && h.Type != packet.DISCONNECT {
		return 0, errEarly
	}
	if err := state.Err(); err != nil {
		return 0, err
	}
	if state != packet.Complete {
		return 0, nil
	}
	if h.Type == packet.AUTH && c.auth.login != nil && c.auth.login.Running() {
		c.opening.paused = true
		out.PauseReading()
		return 0, nil
	}
	c.room.count.in(t, h.Type)
	return h.Size(), c.dispatch(t, sc, h, in[:h.Size()], out)
}

// onAuth takes the client's part in an exchange, or its wish for another one.
func (c *conn) onAuth(t *core.Turn, sc *scratch, body []byte, out *adapters.Output) error {
	a := c.auth
	if a == nil {
		return errAuthUnasked // [MQTT-4.12.0-7]
	}
	p := &sc.auth
	err := p.Parse(&c.room.rules, c.version, 0, body)
	c.room.count.code(packet.AUTH, p.Code, adapters.In)
	if err != nil {
		return err
	}
	if string(p.Properties.Str(packet.AuthenticationMethod)) != a.method {
		return errAuthMethod // [MQTT-4.12.0-5] [MQTT-4.12.1-1]
	}
	if p.Code == packet.ContinueAuthentication {
		if a.login == nil || a.login.Running() {
			return errAuthTurn
		}
		a.login.Step(authData(&p.Properties)) // [MQTT-4.12.0-3]
		return nil
	}
	if c.phase != connected || a.login != nil {
		return errAuthAgain
	}
	if !c.begin(t, a, authData(&p.Properties)) { // offered no more
		c.refuseAuth(t, out, core.NotAuthorized)
		return nil
	}
	c.arm()
	return nil
}

// pollAuth goes on when a step has been weighed. Meanwhile a connected client
// is served as before. ME5
func (c *conn) pollAuth(t *core.Turn, out *adapters.Output) {
	a := c.auth
	if a.login == nil {
		return
	}
	answer, done := a.login.Result()
	switch {
	case !done:
	case answer.Reason != core.OK:
		c.refuseAuth(t, out, answer.Reason)
	case answer.Principal == nil:
		c.sendAuth(t, out, packet.ContinueAuthentication, answer.Data) // [MQTT-4.12.0-2]
	case c.phase == connected:
		c.renew(t, out, answer)
	default:
		c.authenticated("success")
		a.last = answer.Data
		c.attach(t, out, answer.Principal)
	}
}

// authenticated ends an exchange.
func (c *conn) authenticated(result string) {
	c.room.count.exchange(c.auth.method, result)
	c.auth.login, c.auth.ends = nil, 0
}

// renew gives a connected client the rights and the end of its new login. It
// must be the same user still. [MQTT-4.12.1-1]
func (c *conn) renew(t *core.Turn, out *adapters.Output, answer adapters.Answer) {
	if r := c.session.Renew(answer.Principal); r != core.OK {
		c.refuseAuth(t, out, r)
		return
	}
	c.authenticated("success")
	c.until(answer.Principal.Ends(t.Clock()))
	if c.sendAuth(t, out, packet.Success, answer.Data); c.phase == connected {
		c.arm()
	}
}

// sendAuth appends an AUTH, which has neither a Reason String nor User
// Properties [MQTT-3.15.2-2] [MQTT-3.15.2-3]; one that the client cannot take
// ends the connection. It reads on, when it had stopped.
func (c *conn) sendAuth(t *core.Turn, out *adapters.Output, code packet.Code, data []byte) {
	p := packet.Auth{Code: code}
	c.auth.properties(&p.Properties, data)
	switch {
	case c.maxOut == 0 || p.Len(c.version) <= int(c.maxOut):
	case c.phase == connected: // [MQTT-3.1.2-24]
		c.disconnect(t, out, packet.PacketTooLarge, "", core.TooLarge)
		return
	default:
		c.refuseWith(t, out, packet.PacketTooLarge, "", core.TooLarge)
		return
	}
	out.B = p.AppendTo(out.B, c.version)
	c.room.count.out(t, packet.AUTH)
	c.room.count.code(packet.AUTH, code, adapters.Out)
	if c.opening != nil && c.opening.paused {
		c.opening.paused = false
		out.ResumeReading()
	}
}

// refuseAuth ends the connection because of an exchange: by CONNACK
// [MQTT-4.12.0-4], or by DISCONNECT when it is connected [MQTT-4.12.1-2]. Of
// what was wrong it tells nothing.
func (c *conn) refuseAuth(t *core.Turn, out *adapters.Output, r core.Reason) {
	code, rule := packet.NotAuthorized, "ME5 re-authentication failed"
	switch {
	case r == core.IdleTimeout || r == core.ProtocolError:
		code, rule = packet.ProtocolError, "ME3 too many rounds, or too late"
	case c.phase != connected:
		code, rule = codesOf(r).connack, "ME2 authentication failed"
	}
	if c.phase == connected {
		c.disconnect(t, out, code, rule, r)
		return
	}
	c.refuseWith(t, out, code, rule, r)
}

// endAuth gives up an exchange that is under way when the connection ends.
func (c *conn) endAuth(why core.Reason) {
	if c.auth == nil || c.auth.login == nil {
		return
	}
	c.auth.login.End()
	result := "aborted"
	switch why {
	case core.NotAuthenticated, core.NotAuthorized, core.BadClientID:
		result = "denied"
	case core.Malformed, core.ProtocolError, core.TooLarge:
		result = "protocol"
	case core.IdleTimeout:
		result = "late"
	case core.Busy, core.Unavailable, core.Internal:
		result = "failed"
	}
	c.authenticated(result)
}
