package mqtt

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

var errWrongStep = &packet.Error{Code: packet.ProtocolError, Rule: "MQ9 acknowledgement of the wrong step"}

// onAck handles the four acknowledgements.
func (c *conn) onAck(t *core.Turn, sc *scratch, kind packet.Type, body []byte, out *adapters.Output) error {
	a := &sc.ack
	a.Type = kind
	if err := a.Parse(&c.room.rules, c.version, 0, body); err != nil {
		return err
	}
	c.room.count.code(kind, a.Code, adapters.In)
	if kind == packet.PUBREL {
		c.onPubrel(t, a.ID, out)
		return nil
	}
	f := c.inflight.get(a.ID)
	if f == nil {
		c.strayAck(t, out, a)
		return nil
	}
	switch kind {
	case packet.PUBACK:
		return c.onPuback(t, f, a)
	case packet.PUBREC:
		return c.onPubrec(t, f, a, out)
	}
	return c.onPubcomp(t, f)
}

// strayAck is an acknowledgement for an identifier that is not in use: of an
// exchange that ended, or of a lost session. MQ9
func (c *conn) strayAck(t *core.Turn, out *adapters.Output, a *packet.Ack) {
	c.room.count.stray(a.Type)
	if a.Type == packet.PUBREC && !a.Code.Failed() {
		c.write(t, out, answer{kind: packet.PUBREL, id: a.ID, code: packet.PacketIdentifierNotFound})
	}
}

// [MQTT-4.3.2-3]
func (c *conn) onPuback(t *core.Turn, f *flight, a *packet.Ack) error {
	if f.qos != 1 {
		return errWrongStep
	}
	c.settle(t, f, outcome(a.Code)) // any code ends it [MQTT-4.4.0-2]
	return nil
}

func outcome(code packet.Code) core.Outcome {
	if code.Failed() {
		return core.Rejected
	}
	return core.Accepted
}

// onPubrec marks the message as received, and answers with PUBREL when that is
// safe. [MQTT-4.3.3-4]
// [MQTT-4.3.3-3] [3: MQTT-4.3.3-1]
func (c *conn) onPubrec(t *core.Turn, f *flight, a *packet.Ack, out *adapters.Output) error {
	switch {
	case f.qos != 2:
		return errWrongStep
	case a.Code.Failed():
		c.settle(t, f, core.Rejected) // no PUBREL, no repetition
	case f.stage == sent:
		f.stage = received
		seq, pending := f.consumer.Settle(t, f.seq, core.Received)
		c.answer(t, out, seq, pending, answer{kind: packet.PUBREL, id: a.ID}) // [MQTT-4.6.0-4] [3: MQTT-4.6.0-4]
	case f.stage == released:
		c.write(t, out, answer{kind: packet.PUBREL, id: a.ID})
	}
	return nil
}

// [MQTT-4.3.3-5]
func (c *conn) onPubcomp(t *core.Turn, f *flight) error {
	if f.qos != 2 || f.stage != released {
		return errWrongStep
	}
	c.settle(t, f, core.Accepted)
	return nil
}

// settle ends an outbound exchange and frees its place. [MQTT-4.9.0-2]
func (c *conn) settle(t *core.Turn, f *flight, o core.Outcome) {
	f.consumer.Settle(t, f.seq, o)
	c.inflight.done(f)
	c.freed = c.freed || c.extra.anyStalled()
}

// onPubrel ends an inbound exchange: PUBCOMP when the identifier's deletion is
// safe. [MQTT-4.3.3-11]
func (c *conn) onPubrel(t *core.Turn, id uint16, out *adapters.Output) {
	if !c.holds(id) {
		a := answer{kind: packet.PUBCOMP, id: id}
		if c.version >= packet.V5 {
			a.code = packet.PacketIdentifierNotFound
		}
		c.answer(t, out, 0, false, a)
		return
	}
	seq, pending := c.forget(t, id) // [MQTT-4.3.3-12]
	c.answer(t, out, seq, pending, answer{kind: packet.PUBCOMP, id: id})
}
