package coap

import "github.com/entrepot/entrepot/core"

// activity is what a peer has under way. A peer without any shares the
// endpoint's, which stays empty: read it as it is, and write to it through act.
type activity struct {
	outstanding []*exchange // sent, not acknowledged: at most NSTART
	outbox      []*exchange // responses and farewells that wait for a place
	suspended   []suspension

	observations []*observation
	blocked      []*observation // have something to send and no place
	full         []*observation // have more to send than one output takes
	transfers    *transfers
	checkAt      core.Time // not after the first check of an observation is due; 0: none
}

// act is the peer's own activity, which begins now if there was none.
func (p *peer) act() *activity {
	if p.activity == &p.ep.nothing {
		p.activity = new(activity)
	}
	return p.activity
}

// rest gives back what a peer without activity does not need.
func (p *peer) rest() {
	if p.idle() && p.transfers == nil && len(p.blocked)+len(p.full) == 0 {
		p.activity = &p.ep.nothing
	}
}
