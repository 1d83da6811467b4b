package mqttsn

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

var _ adapters.SecureEndpoint = (*endpoint)(nil)

// over is where the datagrams of an association come from.
func over(a *adapters.Association) origin { return origin{addr: a.Remote, secure: a} }

// forwarder is the origin of what is not encapsulated.
func (o origin) forwarder() origin {
	o.node = ""
	return o
}

// Secure takes one datagram of an association.
func (e *endpoint) Secure(t *core.Turn, a *adapters.Association, in []byte, out *adapters.Output) {
	if len(in) > 1 && in[1] == byte(packet.FRWDENCAP) && in[0] != 1 {
		e.forwarded(t, over(a), in, out)
		return
	}
	e.input(t, over(a), in, out)
}

// Gone ends the clients of an association. One that sleeps goes on sleeping:
// it shakes hands anew when it wakes (K12).
func (e *endpoint) Gone(t *core.Turn, a *adapters.Association, r core.Reason, _ *adapters.Output) {
	at := over(a)
	if o := e.proven[a]; o != nil {
		delete(e.proven, a)
		o.close(t, r)
	}
	if p := e.peers.get(at); p != nil {
		p.cutOff(t, r)
	}
	if e.perNode[at] == 0 {
		return
	}
	for p := range e.peers.all() {
		if p.at().forwarder() == at {
			p.cutOff(t, r)
		}
	}
}

func (p *peer) cutOff(t *core.Turn, r core.Reason) {
	p.disinherit(t)
	if p.state != asleep && p.state != awake {
		p.forget(t, r)
	}
}

// Idle tells that nobody uses an association.
func (e *endpoint) Idle(a *adapters.Association) bool {
	return e.peers.get(over(a)) == nil && e.perNode[over(a)] == 0
}

// mayMove tells whether a PINGREQ from elsewhere moves the client there: when
// it sleeps, and over DTLS only for the same identity; an active one only
// where the identity is proven (K12; SECURITY F6).
func (p *peer) mayMove(to origin) bool {
	if p.e.cfg.Roaming == "off" || !p.at().secure.Same(to.secure) {
		return false
	}
	return p.state == asleep || p.state == awake || p.state == active && p.e.cfg.Roaming == "any" && to.secure.Proves()
}

// credentials are what a client shows of itself: the identity that DTLS has
// proven, what it sent with AUTH, and a client identifier.
func (p *peer) credentials(now core.Time) adapters.Credentials {
	at := p.at()
	c := adapters.Credentials{
		Protocol: Name, Listener: p.e.listener, Addr: at.addr.String(), ClientID: p.id,
		Loopback: at.addr.Addr().Unmap().IsLoopback(),
	}
	at.secure.Show(&c)
	if ev := p.evidence; ev != nil {
		if !ev.stale(now) {
			c.User, c.Password, c.HasUser = ev.user, ev.password, true
		}
		p.some().evidence = nil
	}
	return c
}
