package mqttsn

import (
	"slices"

	"github.com/entrepot/entrepot/core"
)

// maxTaken bounds the messages that a client's state holds: what is in
// flight, and what waits for a REGACK while other topics go on (R7).
const maxTaken = 16

// phase is how far a message is on its way to the client.
type phase uint8

const (
	unsent    phase = iota // waits for an id, or for its turn
	sent                   // PUBLISH was sent; PUBACK or PUBREC is awaited
	releasing              // PUBREC came; the core is making it durable
	released               // PUBREL was sent; PUBCOMP is awaited
)

// outgoing is a message that was taken from the core and is not done.
type outgoing struct {
	core.Delivery
	mid     uint16
	phase   phase
	tries   uint8
	renamed uint8 // the client did not know the id, so many times
	dup     bool
	next    core.Time // when it is sent again
	safe    uint64    // releasing: the watermark to wait for
}

func (m *outgoing) acknowledged() bool { return m.QoS > 0 }

// outbound is what is on its way to a client.
type outbound struct {
	list        []outgoing // in the order of taking
	more        []*core.Consumer
	registering registering
	congested   core.Time // the client said so: no REGISTER before
	woken       int       // messages of this wake
}

// mid is a message id that is not in flight, after the last one (O7).
func (o *outbound) mid(last uint16) uint16 {
	for {
		if last++; last != 0 && o.free(last) {
			return last
		}
	}
}

func (o *outbound) free(mid uint16) bool {
	return o.find(mid) == nil && (o.registering.id == 0 || o.registering.mid != mid)
}

// find is the message in flight with a message id, nil when there is none.
func (o *outbound) find(mid uint16) *outgoing {
	for i := range o.list {
		if o.list[i].mid == mid && o.list[i].phase != unsent {
			return &o.list[i]
		}
	}
	return nil
}

// inflight counts what the client has not acknowledged (O3).
func (o *outbound) inflight() int {
	n := 0
	for i := range o.list {
		if o.list[i].phase != unsent {
			n++
		}
	}
	return n
}

// blocked tells whether m must wait for a message before it, the i-th of the
// list and later: of its topic, or in strict order for any.
func (o *outbound) blocked(m *outgoing, i int, strict bool) bool {
	for j := range o.list[:i] {
		if o.list[j].phase == unsent && (strict || o.list[j].Message.Topic == m.Message.Topic) {
			return true
		}
	}
	return false
}

// remove takes out m, an element of the list.
func (o *outbound) remove(m *outgoing) {
	for i := range o.list {
		if &o.list[i] == m {
			o.list = slices.Delete(o.list, i, i+1)
			break
		}
	}
}

// rest gives memory back that an idle client does not need.
func (o *outbound) rest() {
	if len(o.list) == 0 {
		o.list = nil
	}
	if len(o.more) == 0 {
		o.more = nil
	}
}

// idle tells that nothing is on its way.
func (o *outbound) idle() bool {
	return len(o.list)+len(o.more) == 0 && o.registering.id == 0 && o.congested == 0
}

// window is how many more messages of QoS 1 and 2 may be taken: those that
// wait for an id do not count, so that other topics go on, unless the order
// is strict.
func (o *outbound) window(limit int, strict bool) int {
	for i := range o.list {
		if m := &o.list[i]; m.acknowledged() && (strict || m.phase != unsent || o.registering.id == 0) {
			limit--
		}
	}
	return max(limit, 0)
}

// nextConsumer is a consumer that has, or may have, something to take.
func (o *outbound) nextConsumer(s *core.Session) *core.Consumer {
	if n := len(o.more); n > 0 {
		c := o.more[0]
		o.more = slices.Delete(o.more, 0, 1)
		return c
	}
	return s.NextReady()
}
