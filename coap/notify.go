package coap

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

const takeAtOnce = 32 // deliveries of one Take

// collect takes what core says is ready.
func (p *peer) collect(t *core.Turn, out *adapters.Output) {
	if full := p.full; len(full) > 0 {
		p.full = nil
		for _, o := range full {
			p.pump(t, o, out)
		}
	}
	for _, id := range p.identities {
		if id.session == nil {
			continue
		}
		c := id.session.NextReady()
		if c == nil && id.lasting != nil && id.state == ready {
			p.checkRights(t, id.lasting, out)
		}
		others := false
		for ; c != nil; c = id.session.NextReady() {
			o, ok := c.Data.(*observation)
			switch {
			case ok && !o.gone:
				p.pump(t, o, out)
			case id.lasting == nil || id.state != ready:
			case c == id.session.Inbox():
				id.lasting.more = true
				p.collectLasting(t, id.lasting, out)
			default:
				others = true
			}
		}
		if others { // what it has joined by another protocol is not served here
			id.session.PassOn(t)
		}
	}
	p.advance(t, out)
}

// queueUp puts an observation behind those that wait for a place.
func (p *peer) queueUp(o *observation) {
	if !o.blocked && !o.gone {
		o.blocked = true
		a := p.act()
		a.blocked = append(a.blocked, o)
	}
}

// pump sends what waits for an observation: QoS 0 as fast as the output takes
// it, the rest as places allow (O14).
func (p *peer) pump(t *core.Turn, o *observation, out *adapters.Output) {
	if o.held {
		return // O12: its registration is answered first
	}
	for !o.gone {
		if out.Full() {
			out.More = true
			a := p.act()
			a.full = append(without(a.full, o), o)
			return
		}
		limit, window := p.window(o)
		if limit == 0 || !p.ids.free(t.Now) {
			if o.queue {
				o.consumer.Take(t, nil, 0) // passes the turn to another consumer
			}
			p.queueUp(o)
			return
		}
		if o.kept == nil {
			if r, closed := o.consumer.Closed(); closed {
				p.final(t, o, endOf(r), out)
				return
			}
		}
		if o.walking {
			if !p.walk(t, o, out) {
				p.queueUp(o)
				return
			}
			continue
		}
		n, confirmed := p.takeSome(t, o, limit, window, out)
		switch {
		case n == limit:
			continue
		case confirmed == window:
			p.queueUp(o)
		}
		return
	}
}

// window returns how many deliveries o may take, and how many of them of QoS 1
// and above.
func (p *peer) window(o *observation) (limit, window int) {
	places := p.places()
	if len(p.outbox) > 0 {
		places = 0
	}
	switch {
	case o.queue || p.ep.cfg.Notify == "con":
		return min(places, takeAtOnce), places
	case p.ep.cfg.Notify == "non":
		return takeAtOnce, takeAtOnce
	}
	return takeAtOnce, max(places, 0)
}

// takeSome takes deliveries and sends them; confirmed counts those above QoS 0.
func (p *peer) takeSome(t *core.Turn, o *observation, limit, window int, out *adapters.Output) (n, confirmed int) {
	if p.ep.batch == nil {
		p.ep.batch = make([]core.Delivery, 0, takeAtOnce)
	}
	var ds []core.Delivery
	sub := o.kept
	if sub != nil {
		ds = o.who.lasting.take(t, p, o, p.ep.batch[:0:limit], window)
	} else {
		ds = o.consumer.Take(t, p.ep.batch[:0:limit], window)
	}
	for i := range ds {
		d := &ds[i]
		if d.QoS > 0 {
			confirmed++
		}
		if o.gone { // a final notification came before; Cancel released it
			if sub != nil {
				o.who.lasting.release(t, sub, d)
			}
			continue
		}
		p.notify(t, o, d, out)
	}
	clear(ds)
	return len(ds), confirmed
}

// notify sends one delivery.
func (p *peer) notify(t *core.Turn, o *observation, d *core.Delivery, out *adapters.Output) {
	settle := settlement{d.Consumer, d.Seq}
	if d.QoS == 0 {
		settle.consumer = nil
	} else if settle.consumer == nil {
		settle.consumer = o.consumer
	}
	var whole response
	if o.endsWith(d) {
		settle.settle(t, core.Accepted)
		p.ep.room.count.traffic.Count(t, adapters.Out, d.QoS, 0)
		p.ep.room.count.translated.Sent(out, d, adapters.Outcome(false))
		p.final(t, o, message.NotFound, out)
		return
	}
	represent(&whole, d.Message, envelope{on: o.env, qos: d.QoS, retain: d.Retain}, p.ep, t.Now)
	if !acceptable(o.accept, &whole) {
		settle.settle(t, core.Accepted)
		p.ep.room.count.translated.Count(out, d.Message, adapters.Untranslated)
		p.final(t, o, message.NotAcceptable, out) // O16
		return
	}
	p.ep.room.count.traffic.Count(t, adapters.Out, d.QoS, len(d.Message.Payload))
	p.ep.room.count.translated.Sent(out, d, adapters.Outcome(whole.lossy))
	p.tell(t, o, &whole, p.confirms(o, d.QoS, t.Now), settle, out)
}

// endsWith tells that a delivery is the deletion of what is observed (RFC 7641,
// section 4.2). Who observes a wildcard has others to hear of; who is back gets
// what happened before as it was.
func (o *observation) endsWith(d *core.Delivery) bool {
	m := d.Message.Meta
	return m != nil && m.Deletes && o.exact && d.Seq >= o.since
}

// confirms says whether a notification is a CON (O13).
func (p *peer) confirms(o *observation, qos uint8, now core.Time) bool {
	if o.queue {
		return true
	}
	due := now >= o.checked.After(p.ep.cfg.CheckEvery) && p.places() > 0 && len(p.outbox) == 0
	switch p.ep.cfg.Notify {
	case "con":
		return true
	case "non":
		return due
	}
	return qos > 0 || due
}

// tell sends a notification, the first block of it if it is large (O17).
func (p *peer) tell(t *core.Turn, o *observation, whole *response, confirm bool, settle settlement, out *adapters.Output) {
	whole.setObserve(o.next(t.Now))
	var r response
	p.block(t, &ask{}, []byte(o.key), min(o.szx, p.ep.szx), whole, &r)
	if confirm {
		p.ep.room.count.notified[message.CON].Add(1)
		o.checked = t.Now
		p.transmit(t, &exchange{frame: r.appendTo(nil, message.CON, 0, o.token), note: o, consume: settle}, out)
		return
	}
	id, ok := p.ids.take(t.Now)
	if !ok {
		p.ep.room.count.coalesced.Add(1) // M9: none is used twice; the next one tells
		settle.settle(t, core.Accepted)
		return
	}
	p.ep.room.count.notified[message.NON].Add(1)
	o.sent(id)
	out.B = r.appendTo(out.B, message.NON, id, o.token)
	p.end(out)
	settle.settle(t, core.Accepted)
}

// final ends an observation with an error that carries no Observe (O10).
func (p *peer) final(t *core.Turn, o *observation, c message.Code, out *adapters.Output) {
	if o.kept != nil && c == message.NotAcceptable {
		o.who.lasting.leave(t, o, true)
	}
	p.drop(t, o, "deleted")
	r := response{code: c}
	p.transmit(t, &exchange{frame: r.appendTo(nil, message.CON, 0, o.token)}, out)
}

// farewell tells all observers that it is over, without waiting for anything.
func (p *peer) farewell(t *core.Turn, why core.Reason, out *adapters.Output) {
	for len(p.observations) > 0 {
		o := p.observations[0]
		p.drop(t, o, "deleted")
		if id, ok := p.ids.take(t.Now); ok {
			r := response{code: endOf(why)}
			out.B = r.appendTo(out.B, message.NON, id, o.token)
			p.end(out)
		}
	}
}

// refresh puts the newest QoS 0 state into a CON that is sent again, under a
// new message id (O15; RFC 7641, section 4.5.2).
func (p *peer) refresh(t *core.Turn, x *exchange) {
	o := x.note
	if o == nil || o.queue || o.kept != nil || o.walking || x.consume.consumer != nil {
		return
	}
	if p.ep.batch == nil {
		p.ep.batch = make([]core.Delivery, 0, takeAtOnce)
	}
	ds := o.consumer.Take(t, p.ep.batch[:0:1], 0)
	p.queueUp(o) // whether or not there was more
	if len(ds) == 0 {
		return
	}
	if o.endsWith(&ds[0]) {
		p.refreshFinal(t, x)
		clear(ds)
		return
	}
	var whole, r response
	represent(&whole, ds[0].Message, envelope{on: o.env, retain: ds[0].Retain}, p.ep, t.Now)
	clear(ds)
	id, ok := p.ids.take(t.Now)
	if !ok || !acceptable(o.accept, &whole) {
		return
	}
	p.ep.room.count.coalesced.Add(1)
	whole.setObserve(o.next(t.Now))
	p.block(t, &ask{}, []byte(o.key), min(o.szx, p.ep.szx), &whole, &r)
	x.frame = r.appendTo(x.frame[:0], message.CON, id, o.token)
	x.setID(id)
	o.sent(id)
}

// refreshFinal is refresh for the end of the observation (O10): what is sent
// again says so.
func (p *peer) refreshFinal(t *core.Turn, x *exchange) {
	o := x.note
	x.note = nil
	p.drop(t, o, "deleted")
	r := response{code: message.NotFound}
	id, ok := p.ids.take(t.Now)
	if !ok {
		a := p.act()
		a.outbox = append(a.outbox, &exchange{frame: r.appendTo(nil, message.CON, 0, o.token)})
		return
	}
	x.frame = r.appendTo(x.frame[:0], message.CON, id, o.token)
	x.setID(id)
}
