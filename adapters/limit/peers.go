package limit

import "net/netip"

// Peers counts the peers of a datagram room, in all and by address (L24). The
// zero value refuses everything; see NewPeers. It is not safe for concurrent
// use.
type Peers struct {
	max, perAddress int
	all             int
	by              map[netip.Addr]int
	exempt          func(netip.Addr) bool
}

// NewPeers makes a counter that holds max peers and perAddress of one
// address; loopback is exempt from the second, unless Exempt says otherwise.
func NewPeers(max, perAddress int) *Peers {
	return &Peers{max: max, perAddress: perAddress, by: map[netip.Addr]int{}, exempt: Loopback}
}

// SetLimits makes other numbers hold for who comes next.
func (p *Peers) SetLimits(max, perAddress int) { p.max, p.perAddress = max, perAddress }

// Exempt says which addresses are not counted one by one
// (adapters.Limits.Exempt). Call it before the first Add.
func (p *Peers) Exempt(f func(netip.Addr) bool) { p.exempt = f }

// Add counts a peer in; false when it must be refused.
func (p *Peers) Add(a netip.Addr) bool {
	if p.all >= p.max {
		return false
	}
	if !p.exempt(a) {
		k := Key(a)
		if p.by[k] >= p.perAddress {
			return false
		}
		p.by[k]++
	}
	p.all++
	return true
}

// Remove counts a peer out that Add counted in.
func (p *Peers) Remove(a netip.Addr) {
	p.all--
	if p.exempt(a) {
		return
	}
	k := Key(a)
	if p.by[k]--; p.by[k] <= 0 {
		delete(p.by, k)
	}
}

// Len is the number of peers.
func (p *Peers) Len() int { return p.all }
