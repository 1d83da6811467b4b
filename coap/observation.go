package coap

import (
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// remembered is how many message ids of its notifications an observation
// knows, so that a Reset finds it (O8).
const remembered = 4

// observation is one entry in the list of observers (RFC 7641, section 4.1):
// the token of a peer, and the consumer of a queue in the core.
type observation struct {
	token    message.Token
	who      *identity
	consumer *core.Consumer // nil: kept
	kept     *kept          // the subscription of the session that it is; nil: consumer
	key      string         // of the registration, as request.key
	filter   string
	since    uint64 // deliveries with lower numbers were published before the registration
	after    string // retained values up to this topic have been sent
	accept   int32  // Accept of the registration, -1 none
	seq      uint32 // the last Observe value, 24 bits
	ids      [remembered]uint16
	count    uint8 // how many of ids are set, saturated
	qos      uint8 // granted
	szx      uint8 // the largest block of a notification (RFC 7959, section 2.6)
	env      bool
	queue    bool      // a named queue: each delivery is a CON
	exact    bool      // the filter is a topic
	walking  bool      // retained values of a wildcard are still to be sent
	begun    bool      // seq is set
	held     bool      // the registration has not been answered yet
	blocked  bool      // in peer.blocked
	gone     bool      // dropped
	resumed  bool      // its subscription was there before it
	checked  core.Time // the last CON
}

const seqMask = 1<<24 - 1

// next returns the Observe value of the next notification: the time in units
// of 32 µs, or one more than the last, whichever is newer (O11; RFC 7641,
// section 3.4).
func (o *observation) next(now core.Time) uint32 {
	n := uint32(int64(now)*1000/32) & seqMask
	if o.begun && !newer(n, o.seq) {
		n = (o.seq + 1) & seqMask
	}
	o.begun, o.seq = true, n
	return n
}

// newer compares in serial arithmetic modulo 2**24.
func newer(a, than uint32) bool {
	d := (a - than) & seqMask
	return d != 0 && d < 1<<23
}

// sent remembers the message id of a notification.
func (o *observation) sent(id uint16) {
	copy(o.ids[1:], o.ids[:])
	o.ids[0] = id
	o.count = min(o.count+1, remembered)
}

func (o *observation) sentAs(id uint16) bool {
	for _, x := range o.ids[:o.count] {
		if x == id {
			return true
		}
	}
	return false
}

// observing finds the observation with a token (O5).
func (p *peer) observing(tok message.Token) *observation {
	for _, o := range p.observations {
		if o.token == tok {
			return o
		}
	}
	return nil
}

func (p *peer) notifiedBy(id uint16) *observation {
	for _, o := range p.observations {
		if o.sentAs(id) {
			return o
		}
	}
	return nil
}

// mayObserve reports whether one observation more is within the limits (O18).
func (p *peer) mayObserve() bool {
	c := p.ep.cfg
	return len(p.observations) < c.ObservesPerEndpoint &&
		(p.secure != nil || int(p.ep.sources[p.addr.Addr().As16()]) < c.ObservesPerSource) &&
		p.ep.room.observes.value() < c.MaxObserves
}

// enter adds an observation to the list.
func (p *peer) enter(o *observation, now core.Time) {
	o.checked = now
	a := p.act()
	a.observations = append(a.observations, o)
	p.ep.sources[p.addr.Addr().As16()]++
	p.ep.room.observes.add(1)
	if due := now.After(p.ep.cfg.CheckEvery); a.checkAt == 0 || due < a.checkAt {
		a.checkAt = due
	}
}

// drop removes an observation and its consumer; what it had not acknowledged
// goes back (O8). why is rst, timeout, cancel, deleted or limit.
func (p *peer) drop(t *core.Turn, o *observation, why string) {
	if o.kept != nil && (why == "rst" || why == "cancel") {
		o.who.lasting.leave(t, o, true)
	}
	p.remove(t, o)
	p.ep.room.count.observerRemoved(why)
}

// remove takes an observation off the list. A subscription of a session that lasts goes on without it.
func (p *peer) remove(t *core.Turn, o *observation) {
	o.gone = true
	p.observations = without(p.observations, o)
	p.blocked = without(p.blocked, o)
	p.full = without(p.full, o)
	for i := 0; i < len(p.outstanding); {
		if x := p.outstanding[i]; x.note == o {
			x.consume.settle(t, core.Released)
			p.outstanding = append(p.outstanding[:i], p.outstanding[i+1:]...)
			continue
		}
		i++
	}
	for i := 0; i < len(p.outbox); {
		if x := p.outbox[i]; x.note == o {
			x.consume.settle(t, core.Released)
			p.outbox = append(p.outbox[:i], p.outbox[i+1:]...)
			continue
		}
		i++
	}
	switch {
	case o.kept != nil:
		o.who.lasting.leave(t, o, false)
	case o.consumer != nil:
		o.consumer.Cancel(t)
	}
	src := p.addr.Addr().As16()
	if p.ep.sources[src]--; p.ep.sources[src] <= 0 {
		delete(p.ep.sources, src)
	}
	p.ep.room.observes.add(-1)
}

func without(list []*observation, o *observation) []*observation {
	for i, x := range list {
		if x == o {
			copy(list[i:], list[i+1:])
			list[len(list)-1] = nil
			return list[:len(list)-1]
		}
	}
	return list
}
