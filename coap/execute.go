package coap

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// maxSuspended bounds the requests of one peer that wait for the core.
const maxSuspended = 64

// request takes a request: a duplicate is answered as before, a new one is
// executed.
func (p *peer) request(t *core.Turn, m *message.Message, in []byte, out *adapters.Output) {
	p.heard(len(in), t.Now)
	if e := p.dedup.find(m.ID, t.Now); e != nil {
		p.ep.room.count.duplicates[m.Type&1].Add(1)
		if !p.duplicate(e, m, out) {
			return
		}
	} else {
		before := len(p.dedup.ring)
		p.dedup.add(m.ID, m.Type, t.Now, halved(t, p.ep.cfg.DedupPerEndpoint), func(n int) bool { return p.ep.growDedup(t, p, n) })
		p.ep.room.entries.add(len(p.dedup.ring) - before)
		p.asked = min(p.asked+1, 2)
	}
	q, r := &p.ep.req, response{}
	if !check(m, p.ep.cfg.MaxOptions, &r) {
		p.refuse(t, m, &r, out)
		return
	}
	q.read(m, in)
	s := suspension{since: t.Now}
	s.w = p.execute(t, q, &r, &s)
	s.ask = q.ask
	if s.w != nil {
		p.suspend(t, q, s, out)
		return
	}
	p.answer(t, &s, q.key, &r, out)
	p.release(t)
}

// duplicate answers a request that was seen before (M7, M8). True: execute it
// again.
func (p *peer) duplicate(e *seen, m *message.Message, out *adapters.Output) bool {
	if m.Type == message.NON || e.typ == message.NON {
		return false // silence
	}
	switch e.state {
	case repeat:
		return true
	case answered:
		if len(e.answer) > 0 && p.proof.Allow(len(e.answer)) {
			out.B = append(out.B, e.answer...)
			p.end(out)
		}
	case executing: // M8: an empty ACK at most
		for i := range p.suspended {
			if s := &p.suspended[i]; s.id == m.ID && s.typ == message.CON {
				p.acknowledgeEmpty(s, out)
			}
		}
	}
	return false
}

// refuse answers what failed the checks: a NON with too many or unknown
// options is ignored (G3, G11), the rest gets its error.
func (p *peer) refuse(t *core.Turn, m *message.Message, r *response, out *adapters.Output) {
	s := suspension{ask: ask{token: m.Token, id: m.ID, typ: m.Type, method: m.Code}}
	if m.Type == message.NON && (r.code == message.BadOption || len(m.Options) > p.ep.cfg.MaxOptions) {
		p.record(&s.ask, nil, false)
		return
	}
	p.answer(t, &s, nil, r, out)
}

// execute runs a request whose options are sound. nil: r is the answer.
func (p *peer) execute(t *core.Turn, q *request, r *response, s *suspension) waiter {
	if q.method > message.IPATCH {
		r.fail(message.MethodNotAllowed, "unknown method") // M13
		return nil
	}
	if q.hasBlock1 && q.block1.SZX > message.MaxSZX || q.hasBlock2 && q.block2.SZX > message.MaxSZX {
		r.fail(message.BadRequest, "block size 7 is reserved") // RFC 7959, section 2.2
		return nil
	}
	p.echoed(q.echo, t.Now)
	if q.observe == 0 && q.method == message.GET && !p.proof.Proven() {
		p.challenge(t, r) // S1
		return nil
	}
	if p.laterBlock(t, q, r) {
		return nil
	}
	if q.hasBlock2 && q.block2.Num > 0 && q.method != message.GET && q.method != message.FETCH && !(q.hasBlock1 && q.block1.More) {
		p.ep.room.count.blockError("beyond the end")
		r.fail(message.RequestEntityIncomplete, "no such answer any more") // the rest of an answer: nothing is executed for it
		return nil
	}
	if w, ok := p.ep.handler.admit(t, p, q, r); !ok {
		return w
	}
	if q.hasBlock1 {
		return p.receiveBlock(t, q, r, s)
	}
	if len(q.payload) > p.ep.cfg.MaxBody {
		p.tooLarge(r)
		return nil
	}
	return p.ep.handler.serve(t, p, q, r)
}

// laterBlock answers from a transfer under way (B8): any token, same path.
func (p *peer) laterBlock(t *core.Turn, q *request, r *response) bool {
	if p.transfers == nil || !q.hasBlock2 || q.block2.Num == 0 || q.hasBlock1 && q.block1.More {
		return false
	}
	whole := p.transfers.down.find(q.key, t.Now, p.ep.cfg.BlockTTL)
	if whole == nil {
		return false
	}
	*r = *whole
	r.set &^= hasBlock1 // of the exchange that made it
	return true
}

// receiveBlock takes one block of a body (section 4).
func (p *peer) receiveBlock(t *core.Turn, q *request, r *response, s *suspension) waiter {
	u, st := p.moving().up.put(q.tagged, q.block1, q.format, q.size1, q.payload, t.Now, p.uploadLimits())
	echoed := q.block1
	if q.block1.SZX > p.ep.szx {
		echoed.SZX = p.ep.szx // B6
	}
	switch st {
	case stepContinue:
		*r = response{code: message.Continue}
	case stepComplete:
		q.payload = u.body
		w := p.ep.handler.serve(t, p, q, r)
		if w != nil {
			s.upload = u
			return w
		}
		p.finishUpload(u, r)
		return nil
	case stepRepeat:
		*r = u.final
		return nil
	case stepSuspended:
		r.fail(message.ServiceUnavailable, "still executing")
		r.setMaxAge(1)
		return nil
	default:
		p.blockFailed(st, r)
		return nil
	}
	r.set |= hasBlock1
	r.block1 = echoed
	return nil
}

// finishUpload marks r as the answer to the last block of u, which may be nil.
func (p *peer) finishUpload(u *upload, r *response) {
	if u == nil {
		return
	}
	r.set |= hasBlock1
	r.block1 = u.last
	r.block1.SZX = min(u.last.SZX, p.ep.szx)
	u.finish(r, p.ep.room.memory)
}

func (p *peer) blockFailed(st step, r *response) {
	switch st {
	case stepGap:
		p.ep.room.count.blockError("gap")
		r.fail(message.RequestEntityIncomplete, "block out of order") // B3, B7
	case stepBadSize:
		p.ep.room.count.blockError("size")
		r.fail(message.BadRequest, "payload is not the block size") // B4
	case stepTooLarge:
		p.ep.room.count.blockError("too large")
		p.tooLarge(r) // B5
	case stepNoMemory:
		p.ep.room.count.blockError("memory")
		r.refuse(message.ServiceUnavailable, core.Quota, "too many transfers") // B13
		r.setMaxAge(busyFor)
	}
}

func (p *peer) tooLarge(r *response) {
	r.refuse(message.RequestEntityTooLarge, core.TooLarge, "body too large")
	r.setSize1(uint32(p.ep.cfg.MaxBody))
}

// suspend keeps a request until the core is ready.
func (p *peer) suspend(t *core.Turn, q *request, s suspension, out *adapters.Output) {
	if len(p.suspended) >= maxSuspended {
		s.w.cancel(t)
		var r response
		r.refuse(message.ServiceUnavailable, core.Quota, "too many requests at once")
		r.setMaxAge(busyFor)
		p.answer(t, &s, q.key, &r, out)
		return
	}
	s.key = string(q.key)
	a := p.act()
	a.suspended = append(a.suspended, s)
}

// resume answers the requests that the core has finished, in their order.
func (p *peer) resume(t *core.Turn, out *adapters.Output) {
	if len(p.suspended) == 0 {
		return
	}
	kept := p.suspended[:0]
	for _, s := range p.suspended {
		var r response
		if !s.w.poll(t, p, &r) {
			kept = append(kept, s)
			continue
		}
		p.finishUpload(s.upload, &r)
		p.answer(t, &s, []byte(s.key), &r, out)
	}
	clear(p.suspended[len(kept):])
	p.suspended = kept
	p.release(t)
}
