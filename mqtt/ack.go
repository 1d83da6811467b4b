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
	c.room.count.code(kind, a.Code, "in")
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
func (c *conn) onPubrec(t *core.Turn, f *flight, a *packet.Ack, out *adapters.Output) error {
	switch {
	case f.qos != 2:
		return errWrongStep
	case a.Code.Failed():
		c.settle(t, f, core.Rejected) // no PUBREL, no repetition
	case f.stage == sent:
		f.stage = received
		seq, pending := f.consumer.Settle(t, f.seq, core.Received)
		c.answer(t, out, seq, pending, answer{kind: packet.PUBREL, id: a.ID})
	case f.stage == released:
		c.write(t, out, answer{kind: packet.PUBREL, id: a.ID})
	}
	return nil
}

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
	c.freed = c.freed || len(c.stalled) > 0
}

// onPubrel ends an inbound exchange: PUBCOMP when the identifier's deletion is
// safe. [MQTT-4.3.3-11]
func (c *conn) onPubrel(t *core.Turn, id uint16, out *adapters.Output) {
	if !c.mayHold || !c.session.Seen(uint64(id)) {
		a := answer{kind: packet.PUBCOMP, id: id}
		if c.version >= packet.V5 {
			a.code = packet.PacketIdentifierNotFound
		}
		c.answer(t, out, 0, false, a)
		return
	}
	seq, pending := c.session.Forget(t, uint64(id))
	c.answer(t, out, seq, pending, answer{kind: packet.PUBCOMP, id: id})
}

// answer sends an acknowledgement, or queues it: behind those that wait, and
// until the watermark has reached seq when it is pending. MQ10, MQ11
func (c *conn) answer(t *core.Turn, out *adapters.Output, seq uint64, pending bool, a answer) {
	if !pending && c.answers.empty() {
		c.write(t, out, a)
		return
	}
	if pending {
		a.seq = seq
	}
	if a.kind == packet.PUBACK && !a.code.Failed() {
		c.inbound.begin(a.id, packet.PUBACK)
	}
	c.answers.push(a)
}

// flushAnswers sends what has become safe.
func (c *conn) flushAnswers(t *core.Turn, out *adapters.Output) {
	if c.answers.empty() {
		return
	}
	safe := c.session.Safe()
	for c.phase == connected {
		a, ok := c.answers.pop(safe)
		if !ok {
			return
		}
		if a.seq != 0 && c.session.Failed(a.seq) && !c.failed(t, out, &a) {
			continue
		}
		c.write(t, out, a)
	}
}

// failed rewrites an answer whose store write failed; false when nothing may
// be said. Neither PUBCOMP nor PUBREL may: the repetition after a reconnect
// tries again.
func (c *conn) failed(t *core.Turn, out *adapters.Output, a *answer) bool {
	row := codesOf(core.Unavailable)
	switch a.kind {
	case packet.PUBACK, packet.PUBREC:
		if a.kind == packet.PUBREC {
			c.session.Forget(t, uint64(a.id))
			c.release(a.id)
		}
		if c.version < packet.V5 {
			c.withhold(t, out)
			return false
		}
		a.code, a.text = row.puback, core.Unavailable.String()
	case packet.SUBACK, packet.UNSUBACK:
		code := row.suback
		if a.kind == packet.UNSUBACK {
			code = unspecified
		}
		if c.version == packet.V311 {
			code = packet.SubackFailure3
		}
		allOf(a.codes, code)
		a.text = core.Unavailable.String()
		return c.version != packet.V31
	default:
		return false
	}
	return true
}

// write appends an acknowledgement of ours and frees the identifier that it
// ends. What the client cannot take at all ends the connection. MC22
func (c *conn) write(t *core.Turn, out *adapters.Output, a answer) {
	c.complete(a)
	start := len(out.B)
	out.B = c.encode(out.B, a)
	if c.maxOut > 0 && len(out.B)-start > c.maxOut && a.text != "" {
		a.text = "" // [MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.9.2-1] [MQTT-3.11.2-1]
		out.B = c.encode(out.B[:start], a)
	}
	if c.maxOut > 0 && len(out.B)-start > c.maxOut {
		out.B = out.B[:start]
		c.finish(t, out, core.TooLarge)
		return
	}
	c.room.count.out(a.kind)
	c.room.count.code(a.kind, a.code, "out")
}

// encode appends an acknowledgement. A refusal says why, if the client wants
// to know. [MQTT-3.1.2-29]
func (c *conn) encode(dst []byte, a answer) []byte {
	var props packet.Properties
	if a.text != "" && c.problemInfo && c.version >= packet.V5 {
		props.SetStr(packet.ReasonString, []byte(a.text))
	}
	switch {
	case a.kind == packet.SUBACK:
		p := packet.Suback{ID: a.id, Codes: a.codes, Properties: props}
		return p.AppendTo(dst, c.version)
	case a.kind == packet.UNSUBACK:
		p := packet.Unsuback{ID: a.id, Codes: a.codes, Properties: props}
		return p.AppendTo(dst, c.version)
	case props.Empty():
		return packet.AppendAck(dst, c.version, a.kind, a.id, a.code)
	}
	p := packet.Ack{Type: a.kind, ID: a.id, Code: a.code, Properties: props}
	return p.AppendTo(dst, c.version)
}

// complete notes what an answer ends.
func (c *conn) complete(a answer) {
	switch a.kind {
	case packet.PUBREL:
		if f := c.inflight.get(a.id); f != nil {
			f.stage = released
		}
	case packet.PUBCOMP:
		c.release(a.id)
	case packet.PUBACK:
		if a.code != packet.PacketIdentifierInUse {
			c.inbound.end(a.id, packet.PUBACK)
		}
	case packet.SUBACK, packet.UNSUBACK:
		if a.codes == nil || a.codes[0] != byte(packet.PacketIdentifierInUse) {
			c.inbound.end(a.id, a.kind)
		}
	}
}

// pauseFor is how long reading stops when a publish of 3.x cannot be stored.
const pauseFor = 1000 // milliseconds

// withhold leaves a publish of 3.x unanswered, which has no word for failure,
// and slows the client down: after a reconnect it sends the message again.
func (c *conn) withhold(t *core.Turn, out *adapters.Output) {
	c.resumeAt = t.Now + pauseFor
	out.PauseReading()
	c.arm()
}
