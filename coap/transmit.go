package coap

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// places returns how many more CONs may be outstanding (M11).
func (p *peer) places() int { return p.ep.cfg.NStart - len(p.outstanding) }

// transmit sends a CON, or puts it behind those that wait for a place.
func (p *peer) transmit(t *core.Turn, x *exchange, out *adapters.Output) {
	if len(p.outbox) > 0 || p.places() <= 0 || !p.send(t, x, out) {
		a := p.act()
		a.outbox = append(a.outbox, x)
	}
}

// send gives x its message id and sends it for the first time; false while no
// id is free (M9).
func (p *peer) send(t *core.Turn, x *exchange, out *adapters.Output) bool {
	id, ok := p.ids.take(t.Now)
	if !ok {
		return false
	}
	x.setID(id)
	x.start(t.Now, p.ep.cfg, p.ep.spread())
	a := p.act()
	a.outstanding = append(a.outstanding, x)
	if x.note != nil {
		x.note.sent(id)
	}
	p.emit(x, out)
	return true
}

// setID patches the message id into the datagram.
func (x *exchange) setID(id uint16) {
	x.id = id
	x.frame[2], x.frame[3] = byte(id>>8), byte(id)
}

// emit sends the datagram, unless the address is unproven and has had enough.
func (p *peer) emit(x *exchange, out *adapters.Output) {
	if !p.proof.Allow(len(x.frame)) {
		p.ep.room.count.withheld.Add(1)
		return
	}
	out.B = append(out.B, x.frame...)
	p.end(out)
}

// find takes the outstanding exchange with a message id out of the list.
func (p *peer) take(id uint16) *exchange {
	for i, x := range p.outstanding {
		if x.id == id {
			p.outstanding = append(p.outstanding[:i], p.outstanding[i+1:]...)
			return x
		}
	}
	return nil
}

// acknowledged takes an ACK, whatever its code (M10): it settles the delivery
// and makes a place.
func (p *peer) acknowledged(t *core.Turn, id uint16, out *adapters.Output) {
	x := p.take(id)
	if x == nil {
		return
	}
	p.prove(t.Now) // S1: it receives what we send
	x.consume.settle(t, core.Accepted)
	p.opened(x)
	p.advance(t, out)
}

// opened lets the notifications follow the registration's response (O12).
func (p *peer) opened(x *exchange) {
	if x.opens != nil {
		x.opens.held = false
		p.queueUp(x.opens)
	}
}

// rejected takes an RST. To a notification, CON or NON, it ends the
// observation (O8); to a response it ends the retransmission.
func (p *peer) rejected(t *core.Turn, id uint16, out *adapters.Output) {
	x := p.take(id)
	if x != nil {
		x.consume.settle(t, core.Released)
	}
	if o := p.notifiedBy(id); o != nil {
		p.drop(t, o, "rst")
	} else if x != nil && x.opens != nil {
		p.drop(t, x.opens, "rst")
	}
	p.advance(t, out)
}

// retransmit sends again what is due, and gives up what was sent often enough:
// then nobody is there, and all observations end (O9).
func (p *peer) retransmit(t *core.Turn, out *adapters.Output) {
	for i := 0; i < len(p.outstanding); {
		x := p.outstanding[i]
		if t.Now < x.next {
			i++
			continue
		}
		if !x.again(t.Now, p.ep.cfg) {
			p.unanswered(t)
			return
		}
		p.ep.room.count.retransmissions.Add(1)
		p.refresh(t, x)
		p.emit(x, out)
		i++
	}
}

// unanswered ends what the peer no longer acknowledges.
func (p *peer) unanswered(t *core.Turn) {
	p.ep.room.count.timeouts.Add(1)
	for len(p.observations) > 0 {
		p.drop(t, p.observations[0], "timeout")
	}
	for _, x := range p.outstanding {
		x.consume.settle(t, core.Released)
	}
	p.outstanding, p.outbox = nil, nil
}

// advance gives free places to responses first, then to the observations in
// turn.
func (p *peer) advance(t *core.Turn, out *adapters.Output) {
	for len(p.outbox) > 0 && p.places() > 0 {
		x := p.outbox[0]
		if !p.send(t, x, out) {
			return
		}
		p.outbox = append(p.outbox[:0], p.outbox[1:]...)
	}
	for len(p.blocked) > 0 && p.places() > 0 && len(p.outbox) == 0 && p.ids.free(t.Now) {
		o := p.blocked[0]
		p.blocked = append(p.blocked[:0], p.blocked[1:]...)
		o.blocked = false
		p.pump(t, o, out)
	}
}
