package coap

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"strconv"
	"sync/atomic"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// maxIdentities bounds the different credentials that one peer may use at a
// time; the oldest makes room.
const maxIdentities = 4

// identity is who a request of a peer comes from, with the session that it
// works through. Most peers have one, the anonymous one.
type identity struct {
	proof   [32]byte // hash of the credentials; zero for none
	client  string
	user    string    // that it named; "" for none
	token   string    // of its connection; "" for none
	until   core.Time // the connection ends, unless it is heard of
	login   *adapters.Login
	session *core.Session
	expires core.Time // end of the login; 0: none
	named   bool      // by a client identifier of its own, which another connection may have
	state   identityState
	reason  core.Reason
	handle  adapters.Handle // Immutable: of its peer
	evicted atomic.Uint32   // the core.Reason for which it has to go; 0: it may stay
	lasting *lasting        // nil: the session ends with it
}

var _ core.Sink = (*identity)(nil)

// Ready is the peer's.
func (id *identity) Ready(t *core.Turn) { id.handle.Ready(t) }

// Evict ends this identity when the loop wakes the peer, who may have others.
func (id *identity) Evict(r core.Reason) {
	id.evicted.CompareAndSwap(0, uint32(r))
	id.handle.Ready(nil)
}

// evict ends the identities that the core wants to go: observations are told
// so. The last one takes its peer along. It reports whether the peer stays.
func (p *peer) evict(t *core.Turn, out *adapters.Output) bool {
	for i := len(p.identities) - 1; i >= 0; i-- {
		id := p.identities[i]
		r := core.Reason(id.evicted.Load())
		switch {
		case r == core.OK:
			continue
		case len(p.identities) == 1:
			p.Evict(t, r, out)
			return false
		}
		p.dismiss(t, id, endOf(r), out)
		p.leave(t, i, r)
	}
	return true
}

// dismiss ends the observations of an identity with a last word.
func (p *peer) dismiss(t *core.Turn, id *identity, word message.Code, out *adapters.Output) {
	for j := len(p.observations) - 1; j >= 0; j-- {
		if o := p.observations[j]; o.who == id {
			p.final(t, o, word, out)
		}
	}
}

type identityState uint8

const (
	loggingIn identityState = iota
	attaching
	ready
	refused
)

// identify finds or makes the identity that the credentials in the query ask
// for. A nil identity means that r is the answer.
func (p *peer) identify(t *core.Turn, q *query, r *response) *identity {
	plain := p.secure != nil || p.addr.Addr().Unmap().IsLoopback() || p.ep.cfg.AllowPlain
	switch {
	case q.hasUser && !plain:
		p.denied(q, "password without DTLS")
		r.refuse(message.Unauthorized, core.NotAuthenticated, "a user and password need DTLS, or a client on this machine")
		return nil
	case q.hasToken:
		return p.byToken(t, q, r)
	}
	var proof [32]byte
	if q.hasUser || q.connects || p.secure.Proves() && q.clientID != "" {
		mode := "request"
		if q.connects {
			mode = "connection"
		}
		if q.connects && q.keeps {
			mode = "lasting connection"
		}
		proof = sha256.Sum256([]byte(mode + "\x00" + q.clientID + "\x00" + q.user + "\x00" + q.password))
	}
	for i, id := range p.identities {
		if id.proof != proof {
			continue
		}
		if id.expires == 0 || t.Now < id.expires {
			return id
		}
		p.leave(t, i, core.LoginExpired)
		break
	}
	return p.login(t, q, proof)
}

// denied logs credentials that are refused here, without that anybody was asked about them.
func (p *peer) denied(q *query, why string) {
	c := adapters.Credentials{Protocol: Protocol, Listener: p.ep.info.Listener, Addr: p.addr.String(), User: q.user, ClientID: q.clientID}
	adapters.Denied(p.ep.room.host.Log, slog.LevelInfo, &c, why)
}

// login begins a login.
func (p *peer) login(t *core.Turn, q *query, proof [32]byte) *identity {
	if len(p.identities) >= maxIdentities {
		p.leave(t, 0, core.Normal)
	}
	id := &identity{proof: proof, client: p.name(), user: q.user, handle: p.handle}
	if len(p.identities) > 0 { // one user may have several sessions here, none of which takes the other over
		p.logins++
		id.client += "-" + strconv.FormatUint(uint64(p.logins), 10)
	}
	c := adapters.Credentials{
		Protocol: Protocol, Listener: p.ep.info.Listener, Addr: p.addr.String(), ClientID: id.client,
		User: q.user, Password: []byte(q.password), HasUser: q.hasUser,
		Loopback: p.addr.Addr().Unmap().IsLoopback(),
	}
	p.secure.Show(&c)
	if (q.hasUser || q.connects || p.secure.Proves()) && q.clientID != "" {
		c.ClientID = q.clientID
	}
	if q.connects {
		id.client, id.named = q.clientID, true
		if q.keeps {
			id.lasting = new(lasting)
		}
	}
	id.login = p.ep.room.host.Login(context.Background(), c, p.handle)
	p.identities = append(p.identities, id)
	id.move(t, p)
	return id
}

// leave ends the identity at i, with its observations.
func (p *peer) leave(t *core.Turn, i int, r core.Reason) {
	id := p.identities[i]
	for j := len(p.observations) - 1; j >= 0; j-- {
		if p.observations[j].who == id {
			p.drop(t, p.observations[j], "deleted")
		}
	}
	delete(p.ep.tokens, id.token)
	id.close(t, r)
	if p.identities = append(p.identities[:i], p.identities[i+1:]...); len(p.identities) == 0 {
		p.handle.Leave()
	}
}

// release lets go of the session that the first request of a peer was executed in, when it is answered and nothing is left
// that needs one: most of those who ask from a forged address ask once, and so do many others. The next request makes
// another, which stays. (SECURITY K5)
func (p *peer) release(t *core.Turn) {
	if p.asked > 1 || p.secure != nil || len(p.observations)+len(p.suspended) > 0 {
		return
	}
	for i := len(p.identities) - 1; i >= 0; i-- {
		if id := p.identities[i]; id.proof == ([32]byte{}) {
			p.leave(t, i, core.Normal)
		}
	}
	if len(p.identities) == 0 {
		p.identities = nil
	}
}

// expireLogins ends what came by logins that have ended: observations are told
// so by 4.01.
func (p *peer) expireLogins(t *core.Turn, out *adapters.Output) {
	for i := len(p.identities) - 1; i >= 0; i-- {
		id := p.identities[i]
		if id.expires == 0 || t.Now < id.expires {
			continue
		}
		p.dismiss(t, id, message.Unauthorized, out)
		p.leave(t, i, core.LoginExpired)
	}
}

// disown forgets a refused identity, so that the next request tries again.
func (p *peer) disown(t *core.Turn, id *identity) {
	for i, x := range p.identities {
		if x == id {
			p.leave(t, i, id.reason)
			return
		}
	}
}

// move takes an identity as far as it goes without waiting: login, attachment.
func (id *identity) move(t *core.Turn, p *peer) {
	if id.state == loggingIn {
		who, r, done := id.login.Result()
		if !done {
			return
		}
		id.login = nil
		if r != core.OK {
			id.state, id.reason = refused, r
			return
		}
		id.attach(t, p, who)
	}
	if id.state == attaching {
		attached, failed := id.session.State()
		switch {
		case failed != core.OK:
			id.state, id.reason = refused, failed
		case attached:
			id.state = ready
			if id.lasting != nil {
				id.lasting.resume(t, p, id)
			}
			p.handle.Authenticated()
			if p.principal == nil {
				p.principal = id.session.Principal()
				if id.named || p.logins > 0 {
					p.client = id.client
				}
			}
			p.handle.Connected()
		}
	}
}

// attach opens the session of the identity.
func (id *identity) attach(t *core.Turn, p *peer, who *core.Principal) {
	id.expires = who.Ends(t.Clock())
	if !p.handle.Enter() && !p.ep.spare(t, p) { // L5
		limit.Refused(p.ep.room.host, Protocol, p.ep.info.Listener, p.addr, limit.Connections, limit.KeyConnections)
		id.state, id.reason = refused, core.Quota
		return
	}
	c := core.Client{ID: id.client, Principal: who, Protocol: Protocol, Addr: p.addr.String(), Clean: true}
	if id.lasting != nil {
		c.Clean, c.Expiry, c.Each = false, p.ep.cfg.SessionExpiry, true
	}
	router := p.ep.room.host.Router
	if id.named && !p.ep.room.takeovers.Allow(t.Now, &c, router.Holds(c)) { // SECURITY F3
		id.state, id.reason = refused, core.RateExceeded
		return
	}
	s, r := router.Attach(t, c, id)
	if r != core.OK {
		id.state, id.reason = refused, r
		return
	}
	id.session, id.state = s, attaching
}

func (id *identity) close(t *core.Turn, r core.Reason) {
	if id.session != nil {
		id.session.Detach(t, r)
		id.session = nil
	}
	id.state, id.reason = refused, r
}
