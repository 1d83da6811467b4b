package coap

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// condition is If-Match and If-None-Match, asked by the core together with the
// write (R8), and what it saw.
type condition struct {
	ifMatch message.Options
	ifNone  bool
	delete  bool // a value must be there
	had     bool // it was
	holds   bool
}

// check is called by the core with the value that is to be replaced.
func (c *condition) check(old *core.Message) bool {
	c.had = old != nil
	c.holds = c.asked(old)
	return c.holds && (c.had || !c.delete)
}

func (c *condition) asked(old *core.Message) bool {
	if c.ifNone && old != nil {
		return false
	}
	if len(c.ifMatch) == 0 {
		return true
	}
	if old == nil {
		return false
	}
	for _, o := range c.ifMatch {
		if len(o.Value) == 0 || isETag(o.Value, etagOf(old)) { // empty: any value
			return true
		}
	}
	return false
}

func isETag(b []byte, etag uint64) bool {
	if len(b) != 8 {
		return false
	}
	var v uint64
	for _, x := range b {
		v = v<<8 | uint64(x)
	}
	return v == etag
}

// publish executes PUT and POST: PUT retains unless told otherwise, POST does
// not.
func (h *topics) publish(t *core.Turn, p *peer, q *request, r *response) waiter {
	if t.Level() >= core.LevelBrake { // a datagram's sender is slowed down by the code
		r.failWith(core.Busy, h.cfg)
		return nil
	}
	s := h.who.session
	if h.hurries(t, p, q, r) {
		return nil
	}
	mt, reason := s.Route(t, h.topic)
	if reason != core.OK {
		h.refuse(r, reason)
		return nil
	}
	retain := q.method == message.PUT && h.query.retain != 0 || h.query.retain == 1
	retain = retain && h.where == value
	conditional := q.ifNone || len(q.ifMatch) > 0
	if conditional && !retain {
		if !h.holds(t, s, q, mt.Topic(), r) {
			return nil
		}
	}
	m, ok := h.message(t, q, mt.Topic(), r)
	if !ok {
		return nil
	}
	m.Retain = retain
	h.room.count.traffic.Count(t, adapters.In, m.QoS, len(q.payload))
	var seq uint64
	var pending bool
	if retain {
		h.cond = condition{ifMatch: q.ifMatch, ifNone: q.ifNone}
		seq, pending, reason = s.PublishIf(t, mt, m, h.cond.check)
	} else {
		seq, pending, reason = s.Publish(t, mt, m)
	}
	if reason.Err() != nil {
		h.refuse(r, reason)
		return nil
	}
	r.code = message.Changed
	if retain && len(m.Payload) > 0 {
		r.setETag(etagOf(m)) // R7
		if q.method == message.PUT && !h.cond.had {
			r.code = message.Created
		}
	}
	return h.later(s, seq, pending, r)
}

// hurries refuses a write beyond a rate (L22). Who does not wait for an answer
// gets none: what it sent is dropped.
func (h *topics) hurries(t *core.Turn, p *peer, q *request, r *response) bool {
	if !h.who.session.Hurries(t, len(q.payload)) && !p.handle.Hurries(len(q.payload)) {
		return false
	}
	r.failWith(core.RateExceeded, h.cfg)
	if q.typ == message.NON {
		r.silent = true
		h.room.host.Metrics.Dropped(Protocol, "rate")
	}
	return true
}

// refuse answers a write that is not accepted. Whoever has not logged in and
// may not do it is told to (SECURITY Z12), unless no login could do it.
func (h *topics) refuse(r *response, why core.Reason) {
	reserved := h.where == value && bytes.HasPrefix(h.topic, []byte("$"))
	if why == core.NotAuthorized && !reserved && h.who.session.Principal().Method == core.Anonymous.Method {
		r.refuse(message.Unauthorized, why, "topic not authorized without a login")
		return
	}
	r.failWith(why, h.cfg)
}

// later is the waiter of a write, nil when it is safe already.
func (h *topics) later(s *core.Session, seq uint64, pending bool, r *response) waiter {
	if !pending {
		return nil
	}
	return &accepted{session: s, seq: seq, then: *r, cfg: h.cfg}
}

// holds evaluates the conditions of a write that is not retained, so that
// there is nothing to be atomic with.
func (h *topics) holds(t *core.Turn, s *core.Session, q *request, topic string, r *response) bool {
	old, reason := s.Retained(t, topic)
	if reason != core.OK && reason != core.NotFound {
		r.failWith(reason, h.cfg)
		return false
	}
	if reason == core.NotFound {
		old = nil
	}
	c := condition{ifMatch: q.ifMatch, ifNone: q.ifNone}
	if !c.asked(old) {
		r.failWith(core.Precondition, h.cfg)
		return false
	}
	return true
}

// deletion is the meta of every message that a DELETE makes.
var deletion = &core.Meta{Deletes: true}

// remove executes DELETE: it clears the retained value, and tells those who
// observe the topic that it did.
func (h *topics) remove(t *core.Turn, p *peer, q *request, r *response) waiter {
	s := h.who.session
	if h.hurries(t, p, q, r) {
		return nil
	}
	mt, reason := s.Route(t, h.topic)
	if reason != core.OK {
		h.refuse(r, reason)
		return nil
	}
	m := core.NewMessage(nil)
	m.Topic, m.Origin, m.Retain, m.Meta = mt.Topic(), Protocol, true, deletion
	m.QoS = h.qos(q)
	h.cond = condition{ifMatch: q.ifMatch, ifNone: q.ifNone, delete: true}
	seq, pending, reason := s.PublishIf(t, mt, m, h.cond.check)
	switch {
	case reason == core.Precondition && h.cond.holds && !h.cond.had:
		r.failWith(core.NotFound, h.cfg)
		return nil
	case reason.Err() != nil:
		h.refuse(r, reason)
		return nil
	}
	r.code = message.Deleted
	return h.later(s, seq, pending, r)
}

// qos is that of a publish: of the query, else by configuration and type.
func (h *topics) qos(q *request) uint8 {
	if h.query.qos >= 0 {
		return uint8(h.query.qos)
	}
	return qosOf(h.cfg.PublishQoS, q.typ == message.CON)
}

// message builds what is published. Section 8.1.
func (h *topics) message(t *core.Turn, q *request, topic string, r *response) (*core.Message, bool) {
	m := core.NewMessage(q.payload)
	m.Topic, m.Origin, m.QoS = topic, Protocol, h.qos(q)
	if h.query.expiry > 0 {
		m.Expires = t.Now.After(h.query.expiry)
	}
	plain := h.query.replyTo == "" && h.query.correlation == "" && h.query.contentType == "" && len(h.query.properties) == 0
	if plain && q.format < 0 {
		return m, true
	}
	if plain {
		if m.Meta = h.room.metas[message.Format(q.format)]; m.Meta != nil && (!m.Meta.Text || utf8.Valid(q.payload)) {
			return m, true // shared: a message's meta never changes
		}
	}
	x := new(core.Meta)
	if q.format >= 0 {
		*x = *metaOf(message.Format(q.format))
		x.Text = x.Text && utf8.Valid(q.payload)
	} else if h.query.contentType != "" {
		x.ContentType = h.query.contentType
	}
	if strings.ContainsAny(h.query.replyTo, "+#") {
		r.fail(message.BadRequest, "wildcard in reply")
		return nil, false
	}
	x.ReplyTo, x.Correlation = h.query.replyTo, []byte(h.query.correlation)
	x.Headers = append(x.Headers, h.query.properties...)
	m.Meta = x
	return m, true
}
