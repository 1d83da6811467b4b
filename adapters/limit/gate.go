package limit

import (
	"net/netip"
	"sync"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// Refusal is the limit that a connection met: its key of the configuration
// without its section, as metrics show it. Empty: none.
type Refusal string

// The refusals of a Gate.
const (
	Admitted     Refusal = ""
	Places       Refusal = "preauth_connections"
	Connections  Refusal = "connections"
	RatePerPeer  Refusal = "accept_rate_address"
	maxAddresses         = 65536 // buckets kept; beyond them the full ones go
)

// The refusals of Peers.
const (
	UDPPeers           Refusal = "udp_peers"
	UDPPeersPerAddress Refusal = "udp_peers_per_address"
)

// Gate admits connections: those in all (L5), the unauthenticated in all and
// of one address (L4), and the rate of one address (L6). It is safe for
// concurrent use.
type Gate struct {
	mu      sync.Mutex // guards what follows
	l       adapters.Limits
	most    int // connections with a descriptor each; 0: L5 alone bounds them
	open    int
	peers   int // of datagrams, which have none
	preauth int
	places  map[netip.Addr]int
	rates   map[netip.Addr]*Bucket
}

// NewGate makes a gate. Zero limits are the defaults.
func NewGate(l adapters.Limits) *Gate {
	return &Gate{l: l.WithDefaults(), places: map[netip.Addr]int{}, rates: map[netip.Addr]*Bucket{}}
}

// SetLimits makes other limits hold for who comes next.
func (g *Gate) SetLimits(l adapters.Limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.l = l.WithDefaults()
}

// SetDescriptors bounds the connections that take a descriptor each.
func (g *Gate) SetDescriptors(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.most = n
}

// Enter counts a datagram peer among the connections (L5); false: there is no
// place. Its end is Leave.
func (g *Gate) Enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open+g.peers >= g.l.Connections {
		return false
	}
	g.peers++
	return true
}

// Leave counts a datagram peer out.
func (g *Gate) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.peers--
}

// Admit counts a connection in, as unauthenticated. Trusted addresses are
// exempt from the parts that count an address. After Admitted, Authenticated and Left
// must follow with the same address.
func (g *Gate) Admit(addr netip.Addr, now core.Time) Refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.open+g.peers >= g.l.Connections, g.most > 0 && g.open >= g.most:
		return Connections
	case g.preauth >= g.l.PreauthConnections:
		return Places
	}
	if r := g.count(addr, now); r != Admitted {
		return r
	}
	g.open++
	g.preauth++
	return Admitted
}

// Locate counts a connection that was admitted with the zero address at its
// own, which a proxy told later. After Admitted, Authenticated must follow
// with that one; after a refusal with the zero one.
func (g *Gate) Locate(addr netip.Addr, now core.Time) Refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.count(addr, now)
}

// count takes a place and a turn of the address. Called with mu held.
func (g *Gate) count(addr netip.Addr, now core.Time) Refusal {
	if g.l.Exempt(addr) {
		return Admitted
	}
	k := Key(addr)
	if g.places[k] >= g.l.PreauthPerAddress {
		return Places
	}
	if !g.bucket(k, now).Take(now, 1, g.l.AcceptRateAddress, 2*g.l.AcceptRateAddress) {
		return RatePerPeer
	}
	g.places[k]++
	return Admitted
}

func (g *Gate) bucket(k netip.Addr, now core.Time) *Bucket {
	b := g.rates[k]
	if b != nil {
		return b
	}
	if len(g.rates) >= maxAddresses {
		for a, old := range g.rates {
			if old.Full(now, g.l.AcceptRateAddress) {
				delete(g.rates, a)
			}
		}
		if len(g.rates) >= maxAddresses {
			clear(g.rates)
		}
	}
	b = new(Bucket)
	g.rates[k] = b
	return b
}

// Authenticated gives the place among the unauthenticated back.
func (g *Gate) Authenticated(addr netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.preauth--
	k := Key(addr) // exempt addresses have none; who is exempt may have changed since
	if n, counted := g.places[k]; counted && n > 1 {
		g.places[k] = n - 1
	} else {
		delete(g.places, k)
	}
}

// Left counts a connection out; Authenticated must have been called first.
func (g *Gate) Left() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
}

// Open is the number of connections, and of those without login.
func (g *Gate) Open() (all, unauthenticated int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open, g.preauth
}
