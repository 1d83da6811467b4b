package coap

import (
	"math/rand/v2"
	"net/netip"

	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

// A peer is remembered for what it may repeat and for what it has proven. Of
// those that nobody would miss, the ones that have proven nothing go first, and
// the one first that was silent longest (SECURITY L24, S7).

// look is how many peers of a list are looked at for one that may go.
const look = 32

// lookAt is the same for one of a certain address.
const lookAt = 256

// places are the bounds of a listener's peers, in all and of an address; the smaller ones hold.
func (r *Room) places() (all, address limit.Bound) {
	return limit.Smaller(limit.Bound{N: r.cfg.MaxEndpoints, Key: "coap.max_endpoints"}, limit.Bound{N: r.limits.UDPPeers, Key: limit.KeyPeers}),
		limit.Bound{N: r.limits.UDPPeersPerAddress, Key: limit.KeyPeersPerAddress}
}

// recent orders peers by when they were heard last.
type recent = limit.Recent[peer, *peer]

// order is the list that a peer stands in.
func (e *Endpoint) order(p *peer) *recent {
	if p.proof.Proven() {
		return &e.recent
	}
	return &e.unsure
}

// peer is the peer of an address, p if it has one, or a new one; nil when there
// are too many and none can go.
func (e *Endpoint) peer(t *core.Turn, from source, p *peer) *peer {
	if p != nil {
		p.seenAt = t.Now
		e.order(p).Heard(p)
		return p
	}
	if !e.admits(t, from) {
		return nil
	}
	p = &peer{ep: e, source: from, activity: &e.nothing, seenAt: t.Now, ids: messageIDs{next: uint16(rand.Uint32())}}
	p.handle = e.loop.Handle(p)
	p.proof = from.atFirst(e.cfg.AddressProof)
	e.peers[from] = p
	e.order(p).Add(p)
	e.room.count.endpoints.add(1)
	return p
}

// admits takes a place for a peer.
func (e *Endpoint) admits(t *core.Turn, from source) bool {
	most := e.places.All().N
	addr := from.addr.Addr()
	why := e.places.Add(addr)
	if why != nil && e.makeRoom(t, why, addr) {
		why = e.places.Add(addr)
	}
	if why != nil {
		limit.Refused(e.room.host, Protocol, e.info.Listener, from.addr, why.Refusal(), why.Key)
		return false
	}
	for range 2 { // two for one, until half of the proofs are left
		if e.places.Len() <= halved(t, most) || !e.makeRoom(t, e.places.All(), addr) {
			break
		}
	}
	return true
}

// makeRoom forgets a peer so that another one has a place within a bound.
func (e *Endpoint) makeRoom(t *core.Turn, within *limit.Bound, addr netip.Addr) bool {
	most, of := look, limit.Key(addr)
	if within.PerAddress {
		most = lookAt
	}
	for _, list := range [...]*recent{&e.unsure, &e.recent} {
		for p := range list.Oldest(most) {
			if len(p.observations)+len(p.suspended) > 0 || within.PerAddress && limit.Key(p.addr.Addr()) != of {
				continue
			}
			p.forget(t, core.Quota)
			p.handle.Ended(core.Quota)
			return true
		}
	}
	return false
}

// leave takes a peer out of its place.
func (e *Endpoint) leave(p *peer) {
	delete(e.peers, p.source)
	e.order(p).Remove(p)
	e.places.Remove(p.addr.Addr())
	e.room.count.endpoints.add(-1)
}

// growDedup asks whether a window may hold n entries more; if the total is
// reached, the windows of the peers that were silent longest go, two at most.
func (e *Endpoint) growDedup(t *core.Turn, keep *peer, n int) bool {
	most := halved(t, e.cfg.DedupTotal)
	cleared := 0
	for _, list := range [...]*recent{&e.unsure, &e.recent} {
		for p := range list.Oldest(len(e.peers)) {
			if e.room.entries.value()+n <= most || cleared == 2 {
				break
			}
			if p == keep {
				continue
			}
			if freed := p.dedup.clear(); freed > 0 {
				e.room.entries.add(-freed)
				cleared++
			}
		}
	}
	return e.room.entries.value()+n <= most
}

// spare lets go of the sessions of a peer that does not need them at the
// moment, so that another one gets its place among the connections (L5).
func (e *Endpoint) spare(t *core.Turn, who *peer) bool {
	for _, list := range [...]*recent{&e.unsure, &e.recent} {
		for p := range list.Oldest(look) {
			if p != who && len(p.identities) > 0 && p.free() {
				for i := len(p.identities) - 1; i >= 0; i-- {
					p.leave(t, i, core.Quota)
				}
				return who.handle.Enter()
			}
		}
	}
	return false
}

// free tells that all a peer has been to the core is forgotten without a loss:
// it has no observation, nothing under way, and no connection.
func (p *peer) free() bool {
	if len(p.observations)+len(p.suspended) > 0 {
		return false
	}
	for _, id := range p.identities {
		if id.named {
			return false
		}
	}
	return true
}
