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
	active
	asleep
	awake
	stateCount
)

func (s state) String() string {
	return [stateCount]string{"gone", "want_connect", "want_auth", "authenticating", "will_topic", "will_message",
		"await_turn", "attaching", "active", "asleep", "awake"}[s]
}

// peer is one client.
type peer struct {
	// Immutable, but for at when the client roams, and id that a CONNECT gives
	// whose AUTH came first.
	e      *endpoint
	handle adapters.Handle
	at     origin
	id     string

	// Owned by the loop.
	state      state
	clean      bool
	password   bool      // it logged in by AUTH
	evidence   *evidence // of an AUTH that no login has used
	principal  *core.Principal
	loginEnds  core.Time // 0: never
	session    *core.Session
	hello      hello
	opening    *opening // while connecting
	will       *core.Will
	topics     topics
	inbound    inbound
	outbound   outbound
	known      *predefined
	rate       limit.Bucket        // rate_per_client
	complain   limit.Bucket        // negative answers to QoS 0
	budget     limit.Amplification // until the address is proven
	keepAlive  time.Duration       // with tolerance; 0: none
	sleep      time.Duration       // with tolerance
	last       core.Time           // a packet came last
	tickAt     core.Time           // what was asked of the handle; 0: nothing
	next, prev *peer               // of the same client id
	probed     bool                // PINGREQ was sent since the last packet
}

var _ adapters.Driven = (*peer)(nil)

// addPeer makes the peer of an origin that has none; nil when a limit is
// reached (C14).
func (e *endpoint) addPeer(t *core.Turn, at origin, id string) *peer {
	p := &peer{e: e, at: at, id: id, budget: e.budget(at)}
	if len(e.peers) >= e.cfg.MaxClients && !e.makeRoom(t) || !e.enter(p) {
		return nil
	}
	p.handle = e.loop.Handle(p)
	return p
}

// makeRoom forgets an idle client whose address was never proven, the oldest
// of a few, so that forged addresses do not keep others out (SECURITY L24).
func (e *endpoint) makeRoom(t *core.Turn) bool {
	var oldest *peer
	tries := 64
	for _, p := range e.peers {
		idle := t.Now >= p.last.After(e.cfg.RetryInterval)
		if idle && !p.budget.Proven() && (oldest == nil || p.last < oldest.last) {
			oldest = p
		}
		if tries--; tries == 0 {
			break
		}
	}
	if oldest == nil {
		return false
	}
	oldest.forget(t, core.Quota)
	return true
}

// enter puts the peer in its place; false when nobody more may come from
// there (X5, F6).
func (e *endpoint) enter(p *peer) bool {
	switch {
	case p.at.node == "":
		if !e.perSource.Add(p.at.addr.Addr()) {
			return false
		}
	case e.perNode[p.at.forwarder()] >= e.cfg.MaxNodesPerForwarder:
		return false
	default:
		e.perNode[p.at.forwarder()]++
	}
	e.peers[p.at] = p
	return true
}

// leave takes the peer out of its place.
func (e *endpoint) leave(p *peer) {
	delete(e.peers, p.at)
	if p.at.node == "" {
		e.perSource.Remove(p.at.addr.Addr())
		return
	}
	at := p.at.forwarder()
	if e.perNode[at]--; e.perNode[at] == 0 {
		delete(e.perNode, at)
	}
}

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
		p.e.room.takeovers.GiveUp(&p.opening.client, p.handle)
	}
	p.opening.end()
	p.e.leave(p)
	p.e.unlist(p)
	p.become(gone)
	p.handle.Ended(r)
}

// heard notes that a packet of n octets came.
func (p *peer) heard(now core.Time, n int) {
	p.last, p.probed = now, false
	p.budget.Received(n)
}

// input takes a packet of a known client; CONNECT is the endpoint's.
func (p *peer) input(t *core.Turn, ty packet.Type, body []byte, out *adapters.Output) error {
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
	if p.state == active || p.state == awake { // K6: a sleeping client hears nothing
		p.send(packet.Disconnect{}, out)
	}
	p.forget(t, r)
}

// send sends a control packet to the client.
func (p *peer) send(pkt packet.Packet, out *adapters.Output) { reply(p, pkt, out) }

// reply is send without an allocation.
func reply[P packet.Packet](p *peer, pkt P, out *adapters.Output) {
	p.spend(pkt.Len())
	answer(p.e, p.at, pkt, out)
}
