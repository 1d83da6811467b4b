package coap

import (
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// observe registers (section 3): the answer is the value as it is now, with
// an Observe option if the client was entered into the list.
func (h *topics) observe(t *core.Turn, p *peer, q *request, r *response) waiter {
	if q.token.Len() == 0 {
		r.fail(message.BadRequest, "token required") // O4
		return nil
	}
	old := p.observing(q.token)
	again := old != nil && old.key == string(q.key) && old.who == h.who
	o := old
	var wait waiter
	if !again {
		if old != nil {
			if old.kept != nil && old.who == h.who && old.filter == string(h.topic) {
				p.remove(t, old) // the subscription goes on
				p.ep.room.count.observerRemoved("cancel")
			} else {
				p.drop(t, old, "cancel") // O6
			}
		}
		o = h.observation(p, q)
		w, ok := h.enter(t, p, o, r)
		if !ok {
			return nil
		}
		wait = w
	}
	first, reason := h.initial(t, o, again || o.resumed) // after subscribing, so that nothing falls between
	if reason != core.OK {
		h.abandon(t, p, o)
		r.failWith(reason, h.cfg)
		return nil
	}
	r.code = message.Content
	if first != nil {
		represent(r, first, envelope{on: o.env, qos: min(first.QoS, o.qos), retain: true}, p.ep, t.Now)
	}
	o.accept, o.szx = q.accept, message.MaxSZX
	if q.hasBlock2 {
		o.szx = q.block2.SZX
	}
	if !acceptable(q.accept, r) {
		h.abandon(t, p, o)
		r.fail(message.NotAcceptable, "the value has another format") // R9
		return nil
	}
	h.validate(q, r)
	if o.consumer == nil && o.kept == nil {
		return nil // O18: the value, and no Observe
	}
	r.setObserve(o.next(t.Now)) // O11
	r.opens, o.held = o, true
	if x, ok := wait.(*registered); ok {
		x.then = *r
		*r = response{}
		return x
	}
	return nil
}

// observation describes the registration that a request asks for.
func (h *topics) observation(p *peer, q *request) *observation {
	o := &observation{
		token: q.token, who: h.who, key: string(q.key), filter: string(h.topic), accept: q.accept,
		env: h.query.cbor, queue: h.where == queue, qos: qosOf(h.cfg.SubscribeQoS, true),
	}
	o.exact = h.where == value && !h.wild(q)
	if h.query.qos >= 0 {
		o.qos = uint8(h.query.qos)
	}
	return o
}

// initial finds the value that answers the registration; nil when there is
// none to send (R13, rh).
func (h *topics) initial(t *core.Turn, o *observation, again bool) (*core.Message, core.Reason) {
	if o.queue || h.query.retainHandling == 2 || h.query.retainHandling == 1 && again {
		return nil, core.OK
	}
	if !o.exact {
		o.after, o.walking = "", false
		return firstRetained(t, o)
	}
	m, reason := h.who.session.Retained(t, o.filter)
	if reason == core.NotFound {
		return nil, core.OK
	}
	return m, reason
}

// enter subscribes and adds o to the list; beyond the limits it does neither
// (O18). False: r is the answer. What is stored is answered by the waiter.
func (h *topics) enter(t *core.Turn, p *peer, o *observation, r *response) (waiter, bool) {
	if !p.mayObserve() {
		return nil, true
	}
	var wait waiter
	if l := h.who.lasting; l != nil && !o.queue {
		seq, pending, reason := l.subscribe(t, o, h.query.noLocal)
		if reason != core.OK {
			r.failWith(reason, h.cfg)
			return nil, false
		}
		if pending {
			wait = &registered{accepted: accepted{session: l.session, seq: seq, cfg: h.cfg}, p: p, o: o}
		}
	}
	if o.kept == nil {
		c, reason := h.subscribe(t, o)
		if reason != core.OK {
			r.failWith(reason, h.cfg)
			return nil, false
		}
		c.Data, o.consumer = o, c
	}
	p.enter(o, t.Now)
	return wait, true
}

// subscribe opens the queue of the observation: a private one that keeps the
// latest of QoS 0 (O14), or the named one.
func (h *topics) subscribe(t *core.Turn, o *observation) (*core.Consumer, core.Reason) {
	opts := core.ConsumeOptions{QoS: o.qos, NoLocal: h.query.noLocal}
	if o.queue {
		return h.consume(t, o.filter, opts)
	}
	spec := core.QueueSpec{Latest: true, Limits: core.QueueLimits{Messages: h.cfg.ObserveQueue, Overflow: core.DropOldest}}
	return h.who.session.Open(t, spec, opts, core.Subscription{
		Filter: o.filter, QoS: o.qos, NoLocal: h.query.noLocal, RetainAsPublished: true,
		RetainHandling: 2, // the walk of the room sends them in topic order
	})
}

// abandon gives up a registration that cannot be answered with a value.
func (h *topics) abandon(t *core.Turn, p *peer, o *observation) {
	switch {
	case o.kept != nil && o.resumed: // the subscription is older than this registration
		p.drop(t, o, "deleted")
	case o.kept != nil || o.consumer != nil:
		p.drop(t, o, "cancel")
	}
}
