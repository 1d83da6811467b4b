package coap

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// answer sends the response to a request: piggy-backed (M1), separate (M2) or
// as a NON (M3), in one block or the one that was asked for, or not at all
// (M16).
func (p *peer) answer(t *core.Turn, s *suspension, key []byte, whole *response, out *adapters.Output) {
	a := &s.ask
	p.ep.room.count.request(a.method, whole.code)
	if whole.why.Refuses() && !(whole.silent && a.typ == message.NON) { // that one was dropped
		p.ep.room.count.metrics.Refused(Protocol, whole.why)
	}
	r := response{}
	p.block(t, a, key, p.ep.szx, whole, &r)
	again := a.method == message.GET && !whole.has(hasObserve)
	if muted(a.mute, r.code) || r.silent && a.typ == message.NON {
		p.answerNothing(a, out)
		return
	}
	switch {
	case a.typ == message.NON:
		p.answerNON(t, a, &r, out)
	case a.acked:
		p.ep.room.count.separate.Add(1)
		p.transmit(t, &exchange{frame: r.appendTo(nil, message.CON, 0, a.token), opens: whole.opens}, out)
		p.record(a, nil, false) // a duplicate gets the empty ACK once more
	default:
		start := len(out.B)
		out.B = r.appendTo(out.B, message.ACK, a.id, a.token)
		p.bound(t, a.token, start, out)
		p.record(a, out.B[start:], again)
		p.end(out)
	}
	if whole.opens != nil && !a.acked {
		whole.opens.held = false // O12: from now on notifications may go
		p.queueUp(whole.opens)
		p.advance(t, out)
	}
}

// block cuts what is too large for one datagram, and keeps the whole for the
// blocks to come (M20, B8 to B12). szx is the largest size of a block. Errors
// are never cut.
func (p *peer) block(t *core.Turn, a *ask, key []byte, szx uint8, whole, r *response) {
	if whole.code.Class() != 2 || whole.code == message.Continue {
		*r = *whole
		return
	}
	more, ok := r.cut(whole, a.block2, a.hasBlock2, szx)
	if !ok {
		p.ep.room.count.blockError("beyond the end")
		r.fail(message.BadRequest, "block beyond the end") // B9
		return
	}
	if a.size2 {
		r.set |= hasSize2 // B10
		r.size2 = uint32(len(whole.payload))
	}
	if more && r.block2.Num == 0 {
		kept := *whole
		kept.set &^= hasObserve // O17: of block 0 only
		kept.opens = nil
		p.moving().down.keep(key, &kept, t.Now, p.ep.cfg.BlocksPerEndpoint, p.ep.room.memory)
	}
}

// answerNothing is what a response suppressed by No-Response leaves: a CON is
// acknowledged all the same.
func (p *peer) answerNothing(a *ask, out *adapters.Output) {
	if a.typ == message.NON || a.acked {
		p.record(a, nil, false)
		return
	}
	start := len(out.B)
	out.B = message.AppendEmpty(out.B, message.ACK, a.id)
	p.record(a, out.B[start:], false)
	p.end(out)
}

// answerNON sends with a fresh message id (M3); while none is free there is no
// answer, since none may be used twice (M9).
func (p *peer) answerNON(t *core.Turn, a *ask, r *response, out *adapters.Output) {
	p.record(a, nil, false) // M7: silence for a duplicate
	id, ok := p.ids.take(t.Now)
	if !ok {
		return
	}
	start := len(out.B)
	out.B = r.appendTo(out.B, message.NON, id, a.token)
	p.bound(t, a.token, start, out)
	p.end(out)
}

// record keeps what a duplicate of the request gets. A separate answer leaves
// the empty ACK; nothing at all is for a NON.
func (p *peer) record(a *ask, answer []byte, again bool) {
	e := p.dedup.find(a.id, p.seenAt)
	if e == nil {
		return // overwritten meanwhile
	}
	if a.acked {
		var ack [4]byte
		answer = message.AppendEmpty(ack[:0], message.ACK, a.id)
	}
	e.keep(answer, again)
}

// acknowledgeEmpty promises a separate response (M2).
func (p *peer) acknowledgeEmpty(s *suspension, out *adapters.Output) {
	s.acked = true
	out.B = message.AppendEmpty(out.B, message.ACK, s.id)
	p.end(out)
}

// acknowledgeSlow sends the empty ACK for what took longer than
// separate_after.
func (p *peer) acknowledgeSlow(t *core.Turn, out *adapters.Output) {
	for i := range p.suspended {
		s := &p.suspended[i]
		if s.typ == message.CON && !s.acked && t.Now >= s.since.After(p.ep.cfg.SeparateAfter) {
			p.acknowledgeEmpty(s, out)
		}
	}
}
