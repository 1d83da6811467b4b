package limit

import "net/netip"

// The keys of L5 and L24, as a log names them.
const (
	KeyConnections     = "limits.connections"
	KeyPeers           = "limits.udp.peers"
	KeyPeersPerAddress = "limits.udp.peers_per_address"
)

// Bound is how many there may be, and the key of the configuration that says
// so.
type Bound struct {
	N          int
	Key        string
	PerAddress bool // of one address; else in all
}

// Smaller is the bound that holds of two, the first one if they are equal.
func Smaller(a, b Bound) Bound {
	if b.N < a.N {
		return b
	}
	return a
}

// Refusal is the bound as metrics show it.
func (b *Bound) Refusal() Refusal {
	if b.PerAddress {
		return UDPPeersPerAddress
	}
	return UDPPeers
}

// Peers counts the peers of a datagram room, in all and by address (L24).
// Trusted addresses are counted like any other: they are exempt from rates and
// from places before a login, not from what a peer takes of memory. The zero
// value refuses everything; see NewPeers. It is not safe for concurrent use.
type Peers struct {
	all, address Bound
	n            int
	by           map[[16]byte]int32
}

// NewPeers makes a counter.
func NewPeers(all, address Bound) *Peers {
	p := &Peers{by: map[[16]byte]int32{}}
	p.SetLimits(all, address)
	return p
}

// SetLimits makes other bounds hold for who comes next.
func (p *Peers) SetLimits(all, address Bound) {
	all.PerAddress, address.PerAddress = false, true
	p.all, p.address = all, address
}

// Add counts a peer in, or tells the bound that is reached.
func (p *Peers) Add(a netip.Addr) *Bound {
	k := Key(a).As16()
	switch {
	case int(p.by[k]) >= p.address.N:
		return &p.address
	case p.n >= p.all.N:
		return &p.all
	}
	p.by[k]++
	p.n++
	return nil
}

// Remove counts a peer out that Add counted in.
func (p *Peers) Remove(a netip.Addr) {
	p.n--
	k := Key(a).As16()
	if p.by[k]--; p.by[k] <= 0 {
		delete(p.by, k)
	}
}

// Len is the number of peers.
func (p *Peers) Len() int { return p.n }

// All is the bound of all together.
func (p *Peers) All() *Bound { return &p.all }
