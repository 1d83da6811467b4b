package coap

import (
	"bytes"

	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// topics is the handler of the room: the resources of section 5, on the core.
type topics struct {
	room     *Room
	cfg      *Config
	endpoint *Endpoint

	// Scratch of the request under way: one goroutine at a time drives an
	// endpoint, and each endpoint has its own.
	query query
	topic []byte
	who   *identity
	where place
	cond  condition
}

func newTopics(r *Room, e *Endpoint) *topics { return &topics{room: r, cfg: &r.cfg, endpoint: e} }

// place is what a path leads to.
type place uint8

const (
	nowhere    place = iota
	wellKnown        // /.well-known/core
	collection       // /ps
	connection       // /mqtt/connection
	value            // /ps/TOPIC
	queue            // /ps/$queue/NAME
)

var queueSegment = []byte("$queue")

// locate finds the place of a path, and the topic of a value.
func (h *topics) locate(path message.Options) place {
	switch {
	case len(path) == 2 && string(path[0].Value) == ".well-known" && string(path[1].Value) == "core":
		return wellKnown
	case isConnection(path):
		return connection
	case len(path) == 0 || string(path[0].Value) != h.cfg.Prefix:
		return nowhere
	case len(path) == 1:
		return collection
	}
	h.topic = message.AppendTopic(h.topic[:0], path[1:])
	if h.cfg.EmqxCompat {
		h.topic = appendDecoded(h.topic[:0], bytes.Clone(h.topic))
	}
	if len(path) > 2 && bytes.Equal(path[1].Value, queueSegment) {
		return queue
	}
	return value
}

// admit refuses unknown paths and methods, bad queries and wrong credentials,
// before a body is taken in.
func (h *topics) admit(t *core.Turn, p *peer, q *request, r *response) (waiter, bool) {
	h.where = h.locate(q.path)
	if !h.allowed(q, r) {
		return nil, false
	}
	if h.where == wellKnown && !h.cfg.ListTopics {
		return nil, true // says nothing that needs a login
	}
	if bad := h.query.parse(q.query, h.cfg.QueryProperties); bad != "" && h.where >= connection {
		r.fail(message.BadRequest, "bad query: "+bad) // R11
		return nil, false
	}
	if h.where >= value && (q.observe < 0 || q.method != message.GET) && h.wild(q) {
		r.refuse(message.BadRequest, core.BadTopic, "wildcard in a topic") // R5
		return nil, false
	}
	if id := h.query.clientID; h.where >= connection && (!legalID(id) || len(id) > h.room.host.Limits.WithDefaults().ClientIDBytes) {
		r.refuse(message.BadRequest, core.BadClientID, "bad query: clientid") // SECURITY U6
		return nil, false
	}
	if h.query.connects = h.where == connection && q.method == message.POST; h.where == connection && !h.checkConnection(q, r) {
		return nil, false
	}
	if h.where >= value && h.cfg.ConnectionRequired && !h.query.hasToken {
		r.refuse(message.Unauthorized, core.NotAuthenticated, "a connection is required") // N7
		return nil, false
	}
	h.who = p.identify(t, &h.query, r)
	if h.who == nil {
		return nil, false
	}
	switch h.who.state {
	case ready:
		return nil, true
	case refused:
		r.failWith(h.who.reason, h.cfg)
		p.disown(t, h.who)
		return nil, false
	}
	return &parked{who: h.who, in: bytes.Clone(q.raw)}, false
}

func (h *topics) wild(q *request) bool {
	if h.cfg.EmqxCompat {
		for l := range bytes.SplitSeq(h.topic, []byte("/")) {
			if string(l) == "+" || string(l) == "#" {
				return true
			}
		}
		return false
	}
	return hasWildcard(q.path[1:])
}

// allowed says whether the place knows the method (M13, M15).
func (h *topics) allowed(q *request, r *response) bool {
	ok := false
	switch h.where {
	case nowhere:
		r.fail(message.NotFound, "no such resource")
		return false
	case wellKnown, collection:
		ok = q.method == message.GET
	case connection:
		ok = q.method == message.POST || q.method == message.PUT || q.method == message.DELETE
	case value:
		ok = q.method >= message.GET && q.method <= message.DELETE
	case queue:
		ok = q.method == message.PUT || q.method == message.POST || q.method == message.GET && q.observe >= 0 // R5q: a plain GET is 4.05
	}
	if !ok {
		r.fail(message.MethodNotAllowed, "method not allowed here")
	}
	return ok
}

// serve executes an admitted request.
func (h *topics) serve(t *core.Turn, p *peer, q *request, r *response) waiter {
	switch h.where {
	case wellKnown:
		h.wellKnown(t, q, r)
	case collection:
		h.collection(t, q, r)
	case connection:
		h.connection(t, p, q, r)
	case queue:
		if q.method == message.GET {
			return h.get(t, p, q, r)
		}
		return h.publish(t, p, q, r)
	case value:
		switch q.method {
		case message.GET:
			return h.get(t, p, q, r)
		case message.DELETE:
			return h.remove(t, p, q, r)
		default:
			return h.publish(t, p, q, r)
		}
	}
	return nil
}

// wake moves the logins that have news.
func (h *topics) wake(t *core.Turn, p *peer) {
	for _, id := range p.identities {
		if id.state < ready {
			id.move(t, p)
		}
	}
}

// accepted waits for a write of the core to be safe, then answers what was
// prepared.
type accepted struct {
	session *core.Session
	seq     uint64
	then    response
	cfg     *Config
}

func (a *accepted) poll(_ *core.Turn, _ *peer, r *response) bool {
	if a.session.Safe() < a.seq {
		return false
	}
	*r = a.then
	if a.session.Failed(a.seq) {
		*r = response{}
		r.failWith(core.Unavailable, a.cfg)
	}
	return true
}

func (a *accepted) cancel(*core.Turn) {}
