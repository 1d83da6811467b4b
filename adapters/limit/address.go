package limit

import "net/netip"

// Loopback reports whether a is this machine.
func Loopback(a netip.Addr) bool { return !a.IsValid() || a.Unmap().IsLoopback() }

// Trusted reports whether a counts as proven without a sign of life: loopback,
// link-local and private ranges, where a forged source is the owner's own
// affair.
func Trusted(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
}

// Key is the address that limits count: IPv4 whole, IPv6 as its /64, which is
// what one subscriber line holds.
func Key(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
