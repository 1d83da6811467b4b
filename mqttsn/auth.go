package mqttsn

import (
	"bytes"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// authWait is how long a client that has proven nothing has for AUTH after its
// CONNECT, where AUTH is taken.
const authWait = 2 * time.Second

// evidence is what an AUTH showed: a user and password. It waits for the
// CONNECT it belongs to, if that comes later.
type evidence struct {
	user     string
	password []byte
	until    core.Time
}

// stale tells that there is no evidence, or that it is too old.
func (v *evidence) stale(now core.Time) bool { return v == nil || now >= v.until }

// of tells whether the user is that of a principal.
func (v *evidence) of(p *core.Principal) bool { return p != nil && p.User == v.user }

// private tells whether a password may travel from there (section 10).
func (e *endpoint) private(from origin) bool {
	return from.secure != nil || e.cfg.AllowPlain || from.addr.Addr().Unmap().IsLoopback()
}

// onAuth takes a user and password, before CONNECT or after it. A client that
// is connected shows them for its next CONNECT.
func (e *endpoint) onAuth(t *core.Turn, from origin, body []byte, n int, out *adapters.Output) error {
	a, err := packet.ParseAuth(body)
	if err != nil {
		return err // A2
	}
	p := e.peers.get(from)
	if p != nil {
		p.heard(t.Now, n)
		if p.heir != nil {
			p = p.heir
		}
		defer func() { p.schedule(t.Now) }()
	}
	v, why := e.evidence(t.Now, from, a)
	switch {
	case v == nil:
		e.refuseAuth(t, from, p, why, out)
	case p == nil:
		e.authFirst(t, from, v, n, out)
	case p.state == wantConnect || p.state == greeted || p.connected():
		p.some().evidence = v
	case p.state == wantAuth, p.state == authenticating && !p.opening.shown: // U1: also beside what DTLS has proven
		p.some().evidence = v
		p.login(t, out)
	case p.principal != nil && !v.of(p.principal): // it comes too late, and contradicts (SECURITY U1)
		p.e.denied(p.at(), p.id, core.NotAuthenticated.String())
		p.fail(t, core.NotAuthenticated, out)
	}
	return nil
}

// evidence reads an AUTH; nil: it is refused, and why.
func (e *endpoint) evidence(now core.Time, from origin, a packet.Auth) (v *evidence, why string) {
	if !e.private(from) {
		return nil, "auth_plain" // a password needs DTLS, or a client on this machine
	}
	parts := bytes.SplitN(a.Data, []byte{0}, 3) // [authzid] NUL user NUL password
	if string(a.Method) != packet.PLAIN || len(parts) != 3 || len(parts[0]) > 0 && !bytes.Equal(parts[0], parts[1]) {
		return nil, "auth_method"
	}
	if len(parts[1]) > e.room.limits.UsernameBytes || len(parts[2]) > e.room.limits.PasswordBytes {
		return nil, "auth_length"
	}
	return &evidence{string(parts[1]), bytes.Clone(parts[2]), now.After(e.exchange)}, ""
}

// refuseAuth answers an AUTH that no login can use with what answers a wrong
// password (A1). A client that is connected is left alone.
func (e *endpoint) refuseAuth(t *core.Turn, from origin, p *peer, why string, out *adapters.Output) {
	e.drop(why)
	id := ""
	if p != nil {
		id = p.id
	}
	e.denied(from, id, why)
	switch {
	case p != nil && p.state != greeted && !p.connected():
		p.fail(t, core.NotAuthenticated, out)
	case p == nil && e.unsolicited(t.Now, from, "connack"):
		e.refuse(from, e.refusal(core.NotAuthenticated), out)
	}
}

// authFirst makes a peer that waits for its CONNECT. They are few, since each
// holds a password of somebody who has proven nothing.
func (e *endpoint) authFirst(t *core.Turn, from origin, v *evidence, n int, out *adapters.Output) {
	var p *peer
	if e.early < e.room.limits.PreauthConnections {
		p = e.addPeer(t, from, "")
	}
	if p == nil {
		if e.unsolicited(t.Now, from, "connack") {
			e.refuse(from, packet.Congestion, out)
		}
		return
	}
	p.heard(t.Now, n)
	p.some().evidence = v
	p.opening = &opening{at: v.until}
	p.become(wantConnect)
	p.schedule(t.Now)
}
