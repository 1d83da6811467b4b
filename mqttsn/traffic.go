package mqttsn

import "github.com/entrepot/entrepot/core"

// traffic is what is on its way from a client and to it, and what is kept of
// it for a while. A client without any shares the endpoint's, which stays
// empty: read it as it is, and write to it through act.
type traffic struct {
	inbound  inbound
	outbound outbound
}

// act is the client's own traffic, which begins now if there was none.
func (p *peer) act() *traffic {
	if p.traffic == &p.e.quiet {
		p.traffic = new(traffic)
	}
	return p.traffic
}

// restsAt is when the client's own traffic can be given back; 0: it has none,
// or something is on its way.
func (p *peer) restsAt() core.Time {
	switch {
	case p.traffic == &p.e.quiet || p.state == awake || !p.outbound.idle() || len(p.inbound.pending) > 0:
		return 0
	case p.state == asleep:
		return max(1, p.inbound.until())
	}
	return max(p.last.After(p.e.cfg.RetryInterval), p.inbound.until())
}

// rest gives back what a client does not need that is only there.
func (p *peer) rest(now core.Time) {
	if at := p.restsAt(); at != 0 && now >= at {
		p.traffic = &p.e.quiet
	}
	x := p.rare
	if x.complain != nil && (p.e.cfg.UnsolicitedRate == Unlimited || x.complain.Full(now, int(p.e.cfg.UnsolicitedRate))) {
		x.complain = nil
	}
	if x.evidence == nil && x.heir == nil && x.will == nil && x.complain == nil && len(x.shorts) == 0 {
		p.rare = &p.e.plain
	}
	p.topics.rest()
}
