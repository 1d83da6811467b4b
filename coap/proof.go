package coap

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// An address may be forged: until it has echoed a value of ours or
// acknowledged a CON, all that it is sent is bounded by three times what came
// from it (S1).

// heard counts a request of n octets, and lets an old proof expire (S2).
func (p *peer) heard(n int, now core.Time) {
	if p.proven != 0 && now >= p.proven {
		p.ep.order(p).Remove(p)
		p.proof, p.proven = p.atFirst(p.ep.cfg.AddressProof), 0
		p.ep.order(p).Add(p)
	}
	p.proof.Received(n)
}

// prove notes that the peer received what only its address was sent.
func (p *peer) prove(now core.Time) {
	if !p.proof.Proven() {
		p.ep.order(p).Remove(p)
		p.proof.Prove()
		p.ep.order(p).Add(p)
	}
	p.proven = now.After(proofHolds)
}

// echoed takes the Echo option of a request.
func (p *peer) echoed(value []byte, now core.Time) {
	if len(value) == 0 || p.proof.Proven() {
		return
	}
	if p.ep.room.echo.proves(p.addr, value, now) {
		p.prove(now)
		p.ep.room.count.echoed("proven")
	} else {
		p.ep.room.count.echoed("stale")
	}
}

// challenge asks for an Echo (RFC 9175, section 2.3).
func (p *peer) challenge(t *core.Turn, r *response) {
	p.ep.room.count.challenged()
	*r = response{code: message.Unauthorized, echo: p.ep.room.echo.challenge(p.addr, t.Now)}
}

// bound replaces the answer that begins at start by a challenge if it is too
// large for an unproven address, and by nothing if even that is.
func (p *peer) bound(t *core.Turn, tok message.Token, start int, out *adapters.Output) {
	if p.proof.Allow(len(out.B) - start) {
		return
	}
	p.ep.room.count.withheld.Add(1)
	b := out.B[start:]
	typ, id := message.Type(b[0]>>4&3), uint16(b[2])<<8|uint16(b[3])
	var r response
	p.challenge(t, &r)
	out.B = r.appendTo(out.B[:start], typ, id, tok)
	if !p.proof.Allow(len(out.B) - start) {
		out.B = out.B[:start]
	}
}
