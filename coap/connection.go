package coap

import (
	"crypto/rand"
	"encoding/base64"
	"unicode"
	"unicode/utf8"

	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// The connection mode of section 5.2: a login once, and a token with each request instead of the password. A token is
// 128 random bits, stands for the principal and client identifier of one login at one listener, and dies with it.

// connectionPath is where connections are made; there is no listener where they are not.
const connectionPath = "/mqtt/connection"

// isConnection tells whether a path is that of the connection resource.
func isConnection(path message.Options) bool {
	return len(path) == 2 && string(path[0].Value) == "mqtt" && string(path[1].Value) == "connection"
}

// patience is how long a connection may be silent (N2).
func (c *Config) patience(now core.Time) core.Time { return now.After(c.Heartbeat * 3 / 2) }

// checkConnection refuses what lacks a clientid, or a token where one is needed (N1, N2, N3).
func (h *topics) checkConnection(q *request, r *response) bool {
	switch {
	case h.query.clientID == "":
		r.fail(message.BadRequest, "clientid is missing")
	case q.method != message.POST && !h.query.hasToken:
		r.fail(message.BadRequest, "token is missing")
	case q.method == message.POST && h.query.hasToken:
		r.fail(message.BadRequest, "a new connection has no token")
	default:
		return true
	}
	return false
}

// legalID tells whether every protocol can carry a client identifier (SECURITY U6).
func legalID(id string) bool {
	for _, r := range id {
		if r == '+' || r == '#' || unicode.IsControl(r) {
			return false
		}
	}
	return utf8.ValidString(id)
}

// connection executes a request to the connection resource, whose sender is known.
func (h *topics) connection(t *core.Turn, p *peer, q *request, r *response) {
	switch q.method {
	case message.POST:
		p.issue(t, h.who)
		*r = response{code: message.Created, payload: []byte(h.who.token)}
		r.setFormat(message.TextPlain)
	case message.PUT:
		*r = response{code: message.Changed}
	case message.DELETE:
		h.who.reason = core.Normal
		p.disown(t, h.who)
		*r = response{code: message.Deleted}
	}
}

// issue gives an identity a new token; an old one dies (N6).
func (p *peer) issue(t *core.Turn, id *identity) {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, says its documentation
	delete(p.ep.tokens, id.token)
	id.token, id.until = base64.RawURLEncoding.EncodeToString(b[:]), p.ep.cfg.patience(t.Now)
	p.ep.tokens[id.token] = p
}

// byToken finds the identity of a token and client identifier. nil: r is the answer, which does not tell a token that
// never was from another's (N4, SECURITY F6).
func (p *peer) byToken(t *core.Turn, q *query, r *response) *identity {
	holder := p.ep.tokens[q.token]
	if holder == nil {
		p.denied(q, "token")
		r.refuse(message.Unauthorized, core.NotAuthenticated, "unknown token")
		return nil
	}
	id := holder.holding(q.token)
	switch {
	case id.client != q.clientID || q.hasUser && q.user != id.user || holder != p && !holder.secure.Same(p.secure): // N5
		p.denied(q, "token")
		r.refuse(message.Unauthorized, core.NotAuthenticated, "unknown token")
		return nil
	case t.Now >= id.until, id.expires != 0 && t.Now >= id.expires:
		id.reason = core.LoginExpired
		holder.disown(t, id)
		r.fail(message.Unauthorized, "the connection has ended")
		return nil
	case holder != p:
		id = p.adopt(t, holder, id)
	}
	id.until = p.ep.cfg.patience(t.Now)
	return id
}

// holding is the identity of a token that the peer holds.
func (p *peer) holding(token string) *identity {
	for _, id := range p.identities {
		if id.token == token {
			return id
		}
	}
	return nil
}

// adopt moves a connection here from another address (N5). Its observations end there, unless its session lasts: then they
// come along.
func (p *peer) adopt(t *core.Turn, from *peer, old *identity) *identity {
	id := &identity{proof: old.proof, client: old.client, user: old.user, token: old.token, until: old.until, expires: old.expires, handle: p.handle, named: old.named}
	who := old.session.Principal()
	if old.lasting != nil {
		id.lasting = new(lasting)
		id.lasting.follow(t, from, old)
	}
	old.reason = core.TakenOver
	from.disown(t, old)
	if len(p.identities) >= maxIdentities {
		p.leave(t, 0, core.Normal)
	}
	p.identities = append(p.identities, id)
	p.ep.tokens[id.token] = p
	id.attach(t, p, who)
	id.move(t, p)
	return id
}

// expireConnections ends those that were silent for too long (N2, N8).
func (p *peer) expireConnections(t *core.Turn) {
	for i := len(p.identities) - 1; i >= 0; i-- {
		if id := p.identities[i]; id.token != "" && t.Now >= id.until {
			p.leave(t, i, core.IdleTimeout)
		}
	}
}
