package mqttsn

import (
	"time"

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

// peer is one client.
type peer struct {
	// Immutable, but for at when the client roams, and id that a CONNECT gives
	// whose AUTH came first.
	e      *endpoint
	handle adapters.PeerHandle
	at     origin
	id     string

	// Owned by the loop. What a client does not need that has said no more than
	// CONNECT is behind a pointer.
	*traffic  // nil before the session
	state     state
	clean     bool
	password  bool // it logged in by AUTH
	probed    bool // PINGREQ was sent since the last packet
	holds     bool // the session of its client identifier and user is its own
	hello     hello
	evidence  *evidence // of an AUTH that no login has used
	principal *core.Principal
	session   *core.Session
	opening   *opening // while connecting
	heir      *peer    // another CONNECT from there, which nobody has logged in by yet
	will      *core.Will
	rate      *limit.Bucket       // rate_per_client; nil where that is unlimited
	budget    limit.Amplification // until the address is proven
	last      core.Time           // a packet came last
	tickAt    core.Time           // what was asked of the handle; 0: nothing
	links     limit.Links[peer]   // of those whose address is not proven
}

// traffic is what a client needs that has a session.
type traffic struct {
	topics     topics
	inbound    inbound
	outbound   outbound
	known      *predefined
	complain   *limit.Bucket // negative answers to QoS 0; nil before the first
	sleep      time.Duration // with tolerance
	next, prev *peer         // of the same client id
}

var _ adapters.Driven = (*peer)(nil)

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
		p.e.room.takeovers.GiveUp(&p.opening.claim.client, p.handle)
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
	p.budget.Received(n)
	if !p.budget.Proven() && p.elder() == nil {
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
	p.hello.fresh, p.evidence = false, nil
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
	answer(p.e, p.at, pkt, out)
}
