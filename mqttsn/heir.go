package mqttsn

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// A CONNECT ends the client that was at its address before (C13), but not
// before its login has succeeded: who may be anybody must not end a session by
// a datagram (SECURITY S2). Until then the newcomer is the heir of the other
// one, who keeps the place and the packets.

// elder is the client whose heir p is; nil: p has a place of its own.
func (p *peer) elder() *peer {
	if p.opening == nil {
		return nil
	}
	return p.opening.elder
}

// newHeir begins the login of a CONNECT from the address of a client.
func (p *peer) newHeir(t *core.Turn, id string, c packet.Connect, out *adapters.Output) {
	h := p.e.newPeer(p.at(), id, p.budget())
	h.last = t.Now
	if v := p.evidence; v != nil {
		p.some().evidence, h.some().evidence = nil, v
	}
	if !p.proven() {
		p.doubt.budget = limit.Amplification{} // one budget for both
	}
	h.handle = p.e.loop.Handle(h)
	p.some().heir, h.opening = h, &opening{elder: p}
	h.begin(t, c, out)
	h.schedule(t.Now)
}

// asks tells whether an heir waits for a packet of that type.
func (p *peer) asks(ty packet.Type) bool {
	return (p.state == wantWillTopic || p.state == wantWillMsg) && (ty == packet.WILLTOPIC || ty == packet.WILLMSG)
}

// inherit puts an heir whose login has succeeded in its place; false when it
// is refused.
func (p *peer) inherit(t *core.Turn) bool {
	old := p.elder()
	if old == nil {
		return true
	}
	p.opening.elder, old.some().heir = nil, nil
	old.forget(t, replaced(old.id == p.id))
	if p.e.enter(p) != nil { // the bounds are lower than when the other one came
		p.opening.elder = old // so that it does not leave what it has not entered
		return false
	}
	return true
}

// replaced is how the session of an address ends when another CONNECT comes.
func replaced(sameClient bool) core.Reason {
	if sameClient {
		return core.TakenOver
	}
	return core.ConnectionLost
}

// disinherit gives up the login of another CONNECT from there.
func (p *peer) disinherit(t *core.Turn) {
	if h := p.heir; h != nil {
		h.forget(t, core.Normal)
	}
}

// vacate leaves the place of p to its heir, if it has one; an heir leaves its
// elder alone.
func (p *peer) vacate(t *core.Turn) {
	if old := p.elder(); old != nil {
		if old.some().heir = nil; !old.proven() {
			old.doubt.budget = p.budget()
		}
		p.opening.elder = nil
		return
	}
	p.e.leave(p)
	h := p.heir
	if h == nil {
		return
	}
	p.some().heir, h.opening.elder = nil, nil
	if h.e.enter(h) != nil {
		h.opening.elder = p
		h.forget(t, core.Quota)
	}
}
