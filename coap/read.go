package coap

import (
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// get executes GET: it registers, cancels or reads.
func (h *topics) get(t *core.Turn, p *peer, q *request, r *response) {
	switch q.observe {
	case 0:
		h.observe(t, p, q, r)
		return
	case 1: // O2: removed, then a plain GET
		if o := p.observing(q.token); o != nil {
			p.drop(t, o, "cancel")
		}
		if h.where == queue {
			r.code = message.Content
			return
		}
		defer h.cancelled(r)
	case -2:
		if h.cfg.EmqxCompat {
			r.fail(message.BadRequest, "Observe value") // O3
			return
		}
	}
	if h.where == queue {
		r.fail(message.MethodNotAllowed, "a queue is consumed by Observe") // R5q
		return
	}
	h.read(t, q, r)
}

// cancelled gives EMQX's clients the code that they expect (O2).
func (h *topics) cancelled(r *response) {
	if h.cfg.EmqxCompat {
		*r = response{code: 2<<5 | 7}
	}
}

// read answers with the retained value.
func (h *topics) read(t *core.Turn, q *request, r *response) {
	m, reason := h.who.session.Retained(t, string(h.topic))
	if reason != core.OK {
		r.failWith(reason, h.cfg)
		return
	}
	represent(r, m, envelope{on: h.query.cbor, qos: m.QoS, retain: true}, h.endpoint, t.Now)
	if !acceptable(q.accept, r) {
		r.fail(message.NotAcceptable, "the value has another format") // R9
		return
	}
	h.validate(q, r)
}

// validate answers 2.03 when the client has the value already (R7).
func (h *topics) validate(q *request, r *response) {
	for _, o := range q.etags {
		if isETag(o.Value, r.etag) {
			r.code, r.payload = message.Valid, nil
			r.set &^= hasFormat
			return
		}
	}
}
