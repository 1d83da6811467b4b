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

// doubt is what there is of a client while its address is not proven.
type doubt struct {
	budget limit.Amplification
	links  limit.Links[peer] // of those that are in their places
}

// Links are the client's place among those whose address is not proven.
func (p *peer) Links() *limit.Links[peer] { return &p.doubt.links }

// proven tells whether the client is where it says.
func (p *peer) proven() bool { return p.doubt == nil }

// budget is what the client may be sent.
func (p *peer) budget() (a limit.Amplification) {
	if p.doubt != nil {
		return p.doubt.budget
	}
	a.Prove()
	return a
}

// grant replaces the budget of a client that has no place.
func (p *peer) grant(a limit.Amplification) {
	if p.doubt = nil; !a.Proven() {
		p.doubt = &doubt{budget: a}
	}
}

// prove notes that the client has answered what only its address was sent.
func (p *peer) prove() {
	if !p.proven() {
		p.e.unproven.Remove(p)
		p.doubt = nil
	}
}

// give replaces the budget of a client that is in its place.
func (p *peer) give(budget limit.Amplification) {
	if !p.proven() {
		p.e.unproven.Remove(p)
	}
	if p.grant(budget); !p.proven() {
		p.e.unproven.Add(p)
	}
}

// affords tells whether a packet of n octets is within the budget; one that is
// not is withheld.
func (p *peer) affords(n int) bool {
	if a := p.budget(); !a.Allow(n) { // a copy: nothing is spent
		p.e.metrics.withheld.Add(1)
		return false
	}
	return true
}

// spend takes n octets from the budget.
func (p *peer) spend(n int) {
	if !p.proven() {
		p.doubt.budget.Allow(n)
		p.e.metrics.set.Counter("mqttsn_unproven_bytes_total").Add(uint64(n))
	}
}
