package coap

import (
	"cmp"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// busyFor is the Max-Age of a 5.03, in seconds.
const busyFor = 5

// busyMore is how much longer it may be when the gateway is overloaded.
const busyMore = 26

// peer is one address and port, or one association, that has sent a request.
type peer struct {
	// Immutable.
	ep *Endpoint
	source
	handle adapters.PeerHandle

	links limit.Links[peer] // Owned by the endpoint's lists.

	// Owned by the loop. What a peer does not need that has asked once is behind a pointer.
	*activity
	seenAt     core.Time
	proof      limit.Amplification
	proven     core.Time     // until then the proof holds; 0: it needs none or there is none
	rate       *limit.Bucket // rate_per_client; nil where that is unlimited
	ids        messageIDs
	dedup      dedup
	identities []*identity
	tickAt     core.Time // what the loop was asked for
	logins     uint32    // beside the first
	asked      uint8     // requests so far; 2: or more
	gone       bool

	// Of the first identity: whose peer it is in logs.
	client    string // "" for the name that its address gives it
	principal *core.Principal
}

// Identity is whose peer it is; it may have others besides.
func (p *peer) Identity() adapters.Identity {
	return adapters.Identity{Client: cmp.Or(p.client, p.name()), Principal: p.principal, Addr: p.addr}
}

// Links are the peer's place in one of the endpoint's lists.
func (p *peer) Links() *limit.Links[peer] { return &p.links }

// name is the client identifier of who brings none.
func (p *peer) name() string { return "coap-" + p.addr.String() }

// transfers are the bodies under way, made when the first begins.
type transfers struct {
	up   uploads
	down downloads
}

// suspension is a request whose answer is not there yet.
type suspension struct {
	ask
	key    string
	since  core.Time
	w      waiter
	upload *upload // the body that it executes
}

// schedule asks the loop for a tick if one is needed before the one that was
// asked for. An early tick finds nothing to do and asks anew, so that the
// usual datagram costs no call.
func (p *peer) schedule(now core.Time) {
	if p.gone {
		return
	}
	next := p.seenAt.After(p.patience())
	for _, x := range p.outstanding {
		next = min(next, x.next)
	}
	for i := range p.suspended {
		if s := &p.suspended[i]; s.typ == message.CON && !s.acked {
			next = min(next, s.since.After(p.ep.cfg.SeparateAfter))
		}
	}
	for _, id := range p.identities {
		if id.token != "" {
			next = min(next, id.until)
		}
		if id.expires != 0 {
			next = min(next, id.expires)
		}
		if id.lasting != nil && id.lasting.stalled(p, now) {
			next = min(next, id.lasting.grace)
		}
	}
	if p.checkAt != 0 {
		next = min(next, p.checkAt)
	}
	if len(p.outbox)+len(p.blocked) > 0 && len(p.outstanding) == 0 {
		next = min(next, now.After(p.ep.cfg.AckTimeout)) // waits for a message id
	}
	if p.tickAt == 0 || next < p.tickAt || p.tickAt <= now {
		p.tickAt = max(next, now+1)
		p.handle.TickAt(p.tickAt)
	}
}

// Tick does what is due: retransmissions, empty acknowledgements, checks of
// observers, the end of an idle peer.
func (p *peer) Tick(t *core.Turn, out *adapters.Output) {
	if p.gone {
		return
	}
	p.tickAt = 0
	p.retransmit(t, out)
	p.acknowledgeSlow(t, out)
	p.checkObservers(t, out)
	p.expireTransfers(t.Now)
	p.expireConnections(t)
	p.expireLogins(t, out)
	p.goOn(t, out)
	p.advance(t, out)
	if t.Now >= p.seenAt.After(p.patience()) {
		if p.idle() {
			p.forget(t, core.IdleTimeout)
			p.handle.Ended(core.IdleTimeout)
			return
		}
		p.seenAt = t.Now
	}
	p.rest()
	p.schedule(t.Now)
}

// inTime holds rate_per_client.
func (p *peer) inTime(now core.Time) bool {
	if p.ep.cfg.RatePerClient == limit.Unlimited {
		return true
	}
	if p.rate == nil {
		p.rate = new(limit.Bucket)
	}
	return p.ep.cfg.RatePerClient.Take(p.rate, now)
}

// unprovenIdle is when a silent peer is forgotten whose address may be forged (SECURITY K5).
const unprovenIdle = 30 * time.Second

// patience is when a silent peer is forgotten.
func (p *peer) patience() time.Duration {
	if p.proof.Proven() {
		return p.ep.cfg.EndpointIdle
	}
	return min(p.ep.cfg.EndpointIdle, unprovenIdle)
}

// idle says that nothing would be lost if the peer were forgotten.
func (p *peer) idle() bool {
	return len(p.observations) == 0 && len(p.suspended) == 0 && len(p.outstanding) == 0 && len(p.outbox) == 0
}

// Wake follows core's Ready: what is safe now is answered, what waits in the
// observations' queues is sent.
func (p *peer) Wake(t *core.Turn, out *adapters.Output) {
	if p.gone {
		return
	}
	if !p.evict(t, out) {
		return
	}
	p.ep.handler.wake(t, p)
	p.resume(t, out)
	p.collect(t, out)
	p.schedule(t.Now)
}

// Evict ends the peer with all of its identities.
func (p *peer) Evict(t *core.Turn, r core.Reason, out *adapters.Output) {
	if p.gone {
		return
	}
	p.farewell(t, r, out)
	p.forget(t, r)
	out.CloseAfterFlush(r)
}

// forget lets everything go. What was not acknowledged goes back to its queue.
func (p *peer) forget(t *core.Turn, r core.Reason) {
	p.gone = true
	for len(p.observations) > 0 {
		p.drop(t, p.observations[0], removedWith(r))
	}
	for i := range p.suspended {
		p.suspended[i].w.cancel(t)
	}
	for _, x := range p.outstanding {
		x.consume.settle(t, core.Released)
	}
	for _, id := range p.identities {
		delete(p.ep.tokens, id.token)
		id.close(t, r)
	}
	if p.transfers != nil {
		p.transfers.up.clear(p.ep.room.memory)
		p.transfers.down.clear(p.ep.room.memory)
	}
	p.ep.room.entries.add(-p.dedup.clear())
	p.activity, p.identities = &p.ep.nothing, nil
	p.ep.leave(p)
}

func removedWith(r core.Reason) string {
	if r == core.Normal || r == core.IdleTimeout {
		return "limit"
	}
	return "deleted"
}

// moving returns the transfers of the peer.
func (p *peer) moving() *transfers {
	if p.transfers == nil {
		p.act().transfers = new(transfers)
	}
	return p.transfers
}

func (p *peer) expireTransfers(now core.Time) {
	if p.transfers == nil {
		return
	}
	p.transfers.up.expire(now, p.uploadLimits())
	p.transfers.down.expire(now, p.ep.cfg.BlockTTL, p.ep.room.memory)
	if len(p.transfers.up.list)+len(p.transfers.down.list) == 0 {
		p.transfers = nil
	}
}

func (p *peer) uploadLimits() uploadLimits {
	c := p.ep.cfg
	return uploadLimits{body: c.MaxBody, count: c.BlocksPerEndpoint, ttl: c.BlockTTL, memory: p.ep.room.memory}
}
