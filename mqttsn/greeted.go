package mqttsn

import (
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// A CONNECT may come from a forged address. So who has said no more than that
// from an address that is not proven is greeted, and nothing else is done for
// it: the session, its queue and what they take of memory and store begin with
// the next packet. One that stays silent is asked whether it is there, and
// forgotten (SECURITY K5).

const (
	unprovenIdle = 30 * time.Second // a silent client is forgotten whose address is not proven and who has no session
	maxWaiting   = 8                // packets that wait for a session
)

// defers tells that the client's session may begin later: the core knows none,
// so that nothing waits for the client, and nobody is in its way.
func (p *peer) defers() bool {
	return !p.proven() && p.will == nil && !p.e.room.host.Router.Exists(*p.client())
}

// greet sends the CONNACK of a session that is to begin.
func (p *peer) greet(t *core.Turn, out *adapters.Output) {
	p.opening = nil
	p.become(greeted)
	p.handle.Authenticated()
	p.handle.Connected()
	p.acknowledge(t.Now, out)
}

// begins takes the next packet of a greeted client: its session begins, and
// the packet waits for that if it must.
func (p *peer) begins(t *core.Turn, ty packet.Type, body []byte, out *adapters.Output) error {
	if _, err := packet.ParseBody(ty, body); err != nil {
		return err
	}
	if p.state == greeted {
		if q, err := packet.ParseDisconnect(body); ty == packet.DISCONNECT && err == nil && q.Duration == 0 { // K4: it needs none
			reply(p, packet.Disconnect{}, out)
			p.forget(t, core.Normal)
			return nil
		}
		p.opening = &opening{told: true, held: &held{}}
		if p.e.room.host.Router.Exists(*p.client()) { // of who came after it, and said something before
			p.fail(t, core.TakenOver, out)
			return nil
		}
	}
	h := p.opening.held
	if len(h.packets) == maxWaiting {
		p.e.drop("waiting")
		return nil
	}
	h.packets = append(h.packets, append([]byte{byte(ty)}, body...))
	if p.state == greeted {
		p.claim(t, out)
	}
	return nil
}

// arrive makes the client active whose session has begun after its CONNACK,
// and takes what has waited for that.
func (p *peer) arrive(t *core.Turn, out *adapters.Output) {
	held := p.opening.held.packets
	p.opening = nil
	p.become(active)
	for _, b := range held {
		if p.state != gone {
			if err := p.input(t, packet.Type(b[0]), b[1:], out); err != nil {
				p.e.metrics.malformed(err)
			}
		}
	}
	if p.state == active {
		p.deliver(t, out)
	}
}

// tickUnproven forgets a client that may never have been where it says.
func (p *peer) tickUnproven(t *core.Turn, out *adapters.Output) {
	switch {
	case p.expires() && t.Now >= p.last.After(p.idle()):
		p.e.metrics.timeout("unproven")
		if p.state == greeted && p.affords(2) {
			p.send(packet.Disconnect{}, out)
		}
		p.forget(t, core.IdleTimeout)
	case p.state == greeted && !p.probed && t.Now >= p.last.After(p.idle()/2):
		if p.probed = true; p.affords(2) {
			reply(p, packet.PingReq{}, out)
		}
	}
}

// expires tells whether the client is forgotten when it has been silent for a
// while.
func (p *peer) expires() bool {
	return p.state == greeted || !p.proven() && (p.state == wantWillTopic || p.state == wantWillMsg)
}

// unprovenAt is when tickUnproven has something to do; 0: never.
func (p *peer) unprovenAt() core.Time {
	switch {
	case !p.expires():
		return 0
	case p.state == greeted && !p.probed:
		return p.last.After(p.idle() / 2)
	}
	return p.last.After(p.idle())
}

// idle is for how long a client may be silent that expires.
func (p *peer) idle() time.Duration {
	if p.state == greeted && p.keepAlive() > 0 {
		return min(unprovenIdle, p.keepAlive()) // K1
	}
	return unprovenIdle
}
