package mqttsn

// amplification is what an unproven address may be sent, in octets for each
// octet that it sent (X7).
const amplification = 3

// provenFromStart tells whether the address of a client needs no proof.
func (e *endpoint) provenFromStart(at origin) bool {
	switch a := at.addr.Addr().Unmap(); e.cfg.AddressProof {
	case "off":
		return true
	case "on":
		return false
	default:
		return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
	}
}

// prove notes that the client answered with a message id of ours, which only
// the owner of the address has seen.
func (p *peer) prove() { p.proven = true }

// affords tells whether a packet of n octets is within the budget.
func (p *peer) affords(n int) bool {
	return p.proven || uint64(p.sent)+uint64(n) <= amplification*uint64(p.received)
}

// spend counts n octets against the budget.
func (p *peer) spend(n int) {
	if !p.proven {
		p.sent += uint32(n)
		p.e.metrics.set.Counter("mqttsn_unproven_bytes_total").Add(uint64(n))
	}
}
