package coap

import (
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// checkAgain is how soon a check is tried again that found no place.
const checkAgain = time.Second

// checkObservers sends the current value as a CON to those that got none for
// observer_check (O13): it keeps address bindings open and finds the dead.
func (p *peer) checkObservers(t *core.Turn, out *adapters.Output) {
	if p.checkAt == 0 || t.Now < p.checkAt {
		return
	}
	p.checkAt = 0
	for _, o := range append([]*observation(nil), p.observations...) {
		due := o.checked.After(p.ep.cfg.CheckEvery)
		if due <= t.Now {
			if o.held || p.places() <= 0 || len(p.outbox) > 0 {
				due = t.Now.After(checkAgain)
			} else {
				p.repeatValue(t, o, out)
				due = t.Now.After(p.ep.cfg.CheckEvery)
			}
		}
		if !o.gone && (p.checkAt == 0 || due < p.checkAt) {
			p.checkAt = due
		}
	}
}

// repeatValue sends what a registration would be answered with.
func (p *peer) repeatValue(t *core.Turn, o *observation, out *adapters.Output) {
	whole := response{code: message.Content}
	if o.exact && !o.queue {
		if m, r := o.who.session.Retained(t, o.filter); r == core.OK && m != nil {
			represent(&whole, m, envelope{on: o.env, qos: m.QoS, retain: true}, p.ep, t.Now)
		}
	}
	if !acceptable(o.accept, &whole) {
		p.final(t, o, message.NotAcceptable, out)
		return
	}
	p.tell(t, o, &whole, true, settlement{}, out)
}
