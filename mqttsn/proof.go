package mqttsn

import "github.com/entrepot/entrepot/adapters/limit"

// budget is what an origin may be sent before it has proven that it is where
// it says (X7).
func (e *endpoint) budget(at origin) limit.Amplification {
	a := limit.NewAmplification(at.addr.Addr())
	switch {
	case e.cfg.AddressProof == "off", at.secure != nil: // DTLS has proven it
		a.Prove()
	case e.cfg.AddressProof == "on":
		a = limit.Amplification{}
	}
	return a
}

// prove notes that the client has answered what only its address was sent.
func (p *peer) prove() {
	if !p.budget.Proven() {
		p.e.unproven.Remove(p)
		p.budget.Prove()
	}
}

// give replaces the budget of a client that is in its place.
func (p *peer) give(budget limit.Amplification) {
	if !p.budget.Proven() {
		p.e.unproven.Remove(p)
	}
	if p.budget = budget; !budget.Proven() {
		p.e.unproven.Add(p)
	}
}

// affords tells whether a packet of n octets is within the budget; one that is
// not is withheld.
func (p *peer) affords(n int) bool {
	a := p.budget // a copy: nothing is spent
	if !a.Allow(n) {
		p.e.metrics.withheld.Add(1)
		return false
	}
	return true
}

// spend takes n octets from the budget.
func (p *peer) spend(n int) {
	if !p.budget.Proven() {
		p.budget.Allow(n)
		p.e.metrics.set.Counter("mqttsn_unproven_bytes_total").Add(uint64(n))
	}
}
