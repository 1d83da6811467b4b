package coap

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// walkAtOnce is how many retained topics one step of a walk visits.
const walkAtOnce = 64

// walk sends retained values of a wildcard, in topic order (R13), one step.
// False: it needs a place for a CON.
func (p *peer) walk(t *core.Turn, o *observation, out *adapters.Output) bool {
	ms, next, done, r := o.who.session.ScanRetained(t, o.filter, o.after, walkAtOnce)
	if r != core.OK {
		o.walking = false
		return true
	}
	for _, m := range ms {
		qos := min(m.QoS, o.qos)
		if p.confirms(o, qos, t.Now) && (p.places() <= 0 || len(p.outbox) > 0) {
			return false
		}
		o.after = m.Topic
		var whole response
		represent(&whole, m, envelope{on: o.env, qos: qos, retain: true}, p.ep, t.Now)
		if !acceptable(o.accept, &whole) {
			p.ep.room.count.translated.Count(out, m, adapters.Untranslated)
			p.final(t, o, message.NotAcceptable, out) // O16
			return true
		}
		p.ep.room.count.traffic.Count(t, adapters.Out, qos, len(m.Payload))
		p.ep.room.count.translated.Count(out, m, adapters.Outcome(whole.lossy))
		p.tell(t, o, &whole, p.confirms(o, qos, t.Now), settlement{}, out)
	}
	o.after, o.walking = next, !done
	return true
}

// firstRetained finds the first retained message of a wildcard, visiting a
// bounded number of topics; the walk goes on behind it.
func firstRetained(t *core.Turn, o *observation) (*core.Message, core.Reason) {
	for range 16 {
		ms, next, done, r := o.who.session.ScanRetained(t, o.filter, o.after, walkAtOnce)
		if r != core.OK {
			return nil, r
		}
		if len(ms) > 0 {
			o.after, o.walking = ms[0].Topic, len(ms) > 1 || !done
			return ms[0], core.OK
		}
		if o.after, o.walking = next, !done; done {
			return nil, core.OK
		}
	}
	return nil, core.OK
}
