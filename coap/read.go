package coap

import (
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// get executes GET: it registers, cancels or reads.
func (h *topics) get(t *core.Turn, p *peer, q *request, r *response) waiter {
	switch {
	case q.observe == 0:
		return h.observe(t, p, q, r)
	case q.observe == 1:
		h.cancel(t, p, q, r)
	case q.observe == -2 && h.cfg.EmqxCompat:
		r.fail(message.BadRequest, "Observe value") // O3
	default:
		h.read(t, q, r)
	}
	return nil
}

// cancel removes the observation with the token of the request and answers
// with the value as it is now; where a registration would have got an empty
// answer, so does its end (O2).
func (h *topics) cancel(t *core.Turn, p *peer, q *request, r *response) {
	o := p.observing(q.token)
	if o != nil {
		p.drop(t, o, "cancel")
	}
	switch {
	case h.cfg.EmqxCompat:
		r.code = deletedObserve
		return
	case h.where == value && !h.wild(q):
		h.read(t, q, r)
	case o == nil:
		r.fail(message.BadRequest, "nothing is observed with this token")
		return
	}
	if o != nil && r.code == message.NotFound || r.code == message.Empty {
		*r = response{code: message.Content}
	}
}

// deletedObserve is 2.07, which EMQX's clients expect; it is not registered.
const deletedObserve = message.Code(2<<5 | 7)

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
