package mqttsn

import (
	"net/netip"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// state is a client's (section 6.14, figure 4), with the steps of connecting.
type state uint8

const (
	gone           state = iota // no longer the endpoint's
	wantConnect                 // AUTH came first
	wantAuth                    // CONNECT came, AUTH may follow
	authenticating              // the login is under way
	wantWillTopic               // WILLTOPICREQ was sent
	wantWillMsg                 // WILLMSGREQ was sent
	awaitTurn                   // the session is taken over too often; this one is the next
	attaching                   // the core has not yet made room
	greeted                     // it has its CONNACK, has proven nothing and said nothing since: it has no session yet
	active
	asleep
	awake
	stateCount
)

func (s state) String() string {
	return [stateCount]string{"gone", "want_connect", "want_auth", "authenticating", "will_topic", "will_message",
		"await_turn", "attaching", "greeted", "active", "asleep", "awake"}[s]
}

// peer is one client. There may be a hundred thousand that say nothing, so what
// a client does not need that is only there is behind pointers.
type peer struct {
	// Immutable, but for id that a CONNECT gives whose AUTH came first.
	e      *endpoint
	handle adapters.PeerHandle
	id     string
	from   netip.Addr // with port: where it came from first
	port   uint16

	// Owned by the loop.
	state    state
	clean    bool
	password bool // it logged in by AUTH
	probed   bool // PINGREQ was sent since the last packet
	holds    bool // the session of its client identifier and user is its own
	hello    hello
	lastMid  uint16  // the message id that was given last
	subs     int32   // subscriptions
	sleep    uint32  // milliseconds, with tolerance
	moved    *origin // where it is; nil: where it came from, and no more than that
	topics   topics
	known    *predefined // nil before the session

	principal *core.Principal
	session   *core.Session
	opening   *opening      // while connecting
	rate      *limit.Bucket // rate_per_client; nil where that is unlimited
	doubt     *doubt        // nil: the address is proven
	*traffic                // the endpoint's quiet while nothing is on its way
	*rare                   // the endpoint's plain while there is none
	last      core.Time     // a packet came last
	until     core.Time     // hello.fresh: a repetition of the CONNECT comes no later
	next      *peer         // of the same client id, or of one with the same hash
}

// rare is what few clients have. Read it as it is, and write to it through
// some.
type rare struct {
	evidence *evidence // of an AUTH that no login has used
	heir     *peer     // another CONNECT from there, which nobody has logged in by yet
	will     *core.Will
	complain *limit.Bucket // negative answers to QoS 0; nil before the first
	shorts   []string      // topics that were subscribed to by short name
}

// some is the peer's own rare, which it has from now on.
func (p *peer) some() *rare {
	if p.rare == &p.e.plain {
		p.rare = new(rare)
	}
	return p.rare
}

var (
	_ adapters.Driven = (*peer)(nil)
	_ core.Addressed  = (*peer)(nil)
)

// newPeer makes the peer of an origin; it has its handle still to get.
func (e *endpoint) newPeer(at origin, id string, budget limit.Amplification) *peer {
	p := &peer{e: e, from: at.addr.Addr(), port: at.addr.Port(), id: id, traffic: &e.quiet, rare: &e.plain}
	p.goTo(at)
	p.grant(budget)
	return p
}

// at is where the client is.
func (p *peer) at() origin {
	if p.moved != nil {
		return *p.moved
	}
	return origin{addr: netip.AddrPortFrom(p.from, p.port)}
}

// goTo puts the client to another origin.
func (p *peer) goTo(at origin) {
	if p.moved = nil; at != p.at() {
		x := at // so that only what is kept leaves the stack
		p.moved = &x
	}
}

// PeerAddr is the address that the client came from first, as logs show it.
func (p *peer) PeerAddr() string { return netip.AddrPortFrom(p.from, p.port).String() }

// become changes the state.
func (p *peer) become(s state) {
	p.e.metrics.moved(p.state, s)
	if p.state == wantConnect {
		p.e.early--
	}
	if p.state = s; s == wantConnect {
		p.e.early++
	}
}

// connected tells whether the client has been told so.
func (p *peer) connected() bool { return p.state >= active }

// forget removes the peer; its session, if any, ends for r.
func (p *peer) forget(t *core.Turn, r core.Reason) {
	if p.state == gone {
		return
	}
	if p.session != nil {
		if !p.connected() {
			r = core.Normal // the client was never told that it has a will
		}
		p.park(t.Now)
		p.session.Detach(t, r)
		p.session = nil
	}
	if p.state == awaitTurn {
		p.e.room.takeovers.GiveUp(p.client(), p.handle)
	}
	p.opening.end()
	p.e.unlist(p)
	p.vacate(t)
	p.become(gone)
	p.handle.Ended(r)
}

// heard notes that a packet of n octets came.
func (p *peer) heard(now core.Time, n int) {
	p.last, p.probed = now, false
	if p.proven() {
		return
	}
	p.doubt.budget.Received(n)
	if p.elder() == nil {
		p.e.unproven.Heard(p)
	}
}

// input takes a packet of a known client; CONNECT is the endpoint's.
func (p *peer) input(t *core.Turn, ty packet.Type, body []byte, out *adapters.Output) error {
	if p.state == greeted || p.state == attaching && p.opening.told {
		return p.begins(t, ty, body, out)
	}
	if !p.connected() {
		return p.inputConnecting(t, ty, body, out)
	}
	if p.hello.fresh && (ty == packet.WILLTOPIC || ty == packet.WILLMSG) {
		p.send(packet.Result{Of: packet.CONNACK}, out) // the CONNACK was lost, or overtaken by a repetition
		return nil
	}
	if p.hello.fresh = false; p.evidence != nil {
		p.some().evidence = nil
	}
	switch ty {
	case packet.PUBLISH:
		return p.onPublish(t, body, out)
	case packet.PUBREL:
		return p.onPubrel(t, body, out)
	case packet.PUBACK:
		return p.onPuback(t, body, out)
	case packet.PUBREC:
		return p.onPubrec(t, body, out)
	case packet.PUBCOMP:
		return p.onPubcomp(t, body, out)
	case packet.REGISTER:
		return p.onRegister(t, body, out)
	case packet.REGACK:
		return p.onRegack(t, body, out)
	case packet.SUBSCRIBE:
		return p.onSubscribe(t, body, out)
	case packet.UNSUBSCRIBE:
		return p.onUnsubscribe(t, body, out)
	case packet.PINGREQ:
		return p.onPingReq(t, body, out)
	case packet.DISCONNECT:
		return p.onDisconnect(t, body, out)
	case packet.WILLTOPICUPD:
		return p.onWillTopicUpd(t, body, out)
	case packet.WILLMSGUPD:
		return p.onWillMsgUpd(t, body, out)
	}
	_, err := packet.ParseBody(ty, body)
	return err // an answer that nobody waits for: PINGRESP to a probe and the like
}

// Wake takes what the core has: the end of a login or an attachment, answers
// that became safe, messages.
func (p *peer) Wake(t *core.Turn, out *adapters.Output) {
	if p.state != gone && !p.connected() {
		p.progress(t, out)
	}
	if p.connected() {
		p.flushAnswers(t, out)
		p.flushReleases(t, out)
		p.deliver(t, out)
		p.schedule(t.Now)
	}
}

// Evict says goodbye because the core asks for it: another connection took
// the session over, an administrator, the end of a login.
func (p *peer) Evict(t *core.Turn, r core.Reason, out *adapters.Output) { p.evict(t, r, out) }

func (p *peer) evict(t *core.Turn, r core.Reason, out *adapters.Output) {
	if p.state == awaitTurn && r == core.RateExceeded { // another one waits instead
		p.fail(t, r, out)
		return
	}
	if p.listens() {
		p.send(packet.Disconnect{}, out)
	}
	p.forget(t, r)
}

// listens tells whether the client has its CONNACK and does not sleep (K6).
func (p *peer) listens() bool {
	switch p.state {
	case greeted, active, awake:
		return true
	case attaching:
		return p.opening.told
	}
	return false
}

// send sends a control packet to the client.
func (p *peer) send(pkt packet.Packet, out *adapters.Output) { reply(p, pkt, out) }

// reply is send without an allocation.
func reply[P packet.Packet](p *peer, pkt P, out *adapters.Output) {
	p.spend(pkt.Len())
	answer(p.e, p.at(), pkt, out)
}
