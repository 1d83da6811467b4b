package mqttsn

import (
	"time"

	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

// look is how many clients of an unproven address are looked at for one that
// may go, lookAt the same for one of a certain address.
const (
	look   = 64
	lookAt = 256
)

// places are the bounds of a listener's clients, in all and of an address; the
// smaller ones hold.
func (r *Room) places() (all, address limit.Bound) {
	return limit.Smaller(limit.Bound{N: r.cfg.MaxClients, Key: "mqttsn.max_clients"}, limit.Bound{N: r.limits.UDPPeers, Key: limit.KeyPeers}),
		limit.Smaller(limit.Bound{N: r.cfg.MaxClientsPerSource, Key: "mqttsn.max_clients_per_source"},
			limit.Bound{N: r.limits.UDPPeersPerAddress, Key: limit.KeyPeersPerAddress})
}

// nodes is the bound of a forwarder's nodes.
func (e *endpoint) nodes() *limit.Bound {
	return &limit.Bound{N: e.cfg.MaxNodesPerForwarder, Key: "mqttsn.max_nodes_per_forwarder", PerAddress: true}
}

// addPeer makes the peer of an origin that has none; nil when a limit is
// reached (C14).
func (e *endpoint) addPeer(t *core.Turn, at origin, id string) *peer {
	p := e.newPeer(at, id, e.budget(at))
	why := e.enter(p)
	if why != nil && e.makeRoom(t, why, at) {
		why = e.enter(p)
	}
	if why != nil {
		limit.Refused(e.room.host, Name, e.listener, at.addr, why.Refusal(), why.Key)
		return nil
	}
	p.handle = e.loop.Handle(p)
	return p
}

// makeRoom forgets a client whose address was never proven, the one that was
// silent longest, so that forged addresses do not keep others out (SECURITY
// L24).
func (e *endpoint) makeRoom(t *core.Turn, within *limit.Bound, at origin) bool {
	most, of := look, limit.Key(at.addr.Addr())
	if within.PerAddress {
		most = lookAt
	}
	for p := range e.unproven.Oldest(most) {
		switch {
		case within.PerAddress && limit.Key(p.at().addr.Addr()) != of:
		case t.Now < p.last.After(p.idleBefore()):
		case within.PerAddress && (p.at().node != "") != (at.node != ""):
		default:
			p.disinherit(t)
			p.forget(t, core.Quota)
			return true
		}
	}
	return false
}

// idleBefore is how long a client was silent that may make room.
func (p *peer) idleBefore() time.Duration {
	if p.connected() {
		return p.e.cfg.RetryInterval
	}
	return time.Second
}

// enter puts the peer in its place, or tells what bounds those that may come
// from there (X5, F6).
func (e *endpoint) enter(p *peer) *limit.Bound {
	at, full := p.at(), e.peers.len() >= e.perSource.All().N
	switch {
	case at.node == "":
		if why := e.perSource.Add(at.addr.Addr()); why != nil {
			return why
		}
		if full { // nodes take places, too
			e.perSource.Remove(at.addr.Addr())
			return e.perSource.All()
		}
	case e.perNode[at.forwarder()] >= e.cfg.MaxNodesPerForwarder:
		return e.nodes()
	case full:
		return e.perSource.All()
	default:
		e.perNode[at.forwarder()]++
	}
	e.peers.put(p)
	if !p.proven() {
		e.unproven.Add(p)
	}
	return nil
}

// leave takes the peer out of its place.
func (e *endpoint) leave(p *peer) {
	at := p.at()
	e.peers.remove(at)
	if !p.proven() {
		e.unproven.Remove(p)
	}
	if at.node == "" {
		e.perSource.Remove(at.addr.Addr())
		return
	}
	at = at.forwarder()
	if e.perNode[at]--; e.perNode[at] == 0 {
		delete(e.perNode, at)
	}
}

// inTime holds rate_per_client.
func (p *peer) inTime(now core.Time) bool {
	if p.e.cfg.RatePerClient == Unlimited {
		return true
	}
	if p.rate == nil {
		p.rate = new(limit.Bucket)
	}
	return p.e.cfg.RatePerClient.Take(p.rate, now)
}

// placed takes a place among the connections (L5).
func (p *peer) placed() bool {
	if p.handle.Enter() {
		return true
	}
	limit.Refused(p.e.room.host, Name, p.e.listener, p.at().addr, limit.Connections, limit.KeyConnections)
	return false
}
