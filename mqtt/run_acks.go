package mqtt

import (
	"encoding/binary"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

const ackSize = 4 // of one that says nothing but success

// takesAcks tells that the client takes acknowledgements, with a Reason Code at
// least, whatever else it does not take.
func (c *conn) takesAcks() bool { return c.maxOut == 0 || c.maxOut > ackSize }

// isAck tells that in starts with a packet of that first byte that says nothing
// but success.
func isAck(in []byte, first byte) bool {
	return len(in) >= ackSize && in[0] == first && in[1] == ackSize-2
}

// ackRun takes the acknowledgements at the start of in that are of one kind and
// say nothing but success, up to the first that is anything else or out of step.
// It returns their size, 0 if there are not two of them.
func (c *conn) ackRun(t *core.Turn, sc *scratch, in []byte, out *adapters.Output) (size int) {
	first := in[0]
	if !isAck(in, first) || !isAck(in[ackSize:], first) || !c.takesAcks() {
		return 0
	}
	var n int
	switch first {
	case puback:
		n = c.settleRun(t, sc, in, 1, sent)
	case pubcomp:
		n = c.settleRun(t, sc, in, 2, released)
	case pubrec:
		n = c.receivedRun(t, sc, in, out)
	default:
		n = c.releaseRun(t, sc, in, out)
	}
	t.Count(c.room.count.packets[adapters.In][packet.Type(first>>4)], uint64(n))
	return n * ackSize
}

// flightRun finds the exchanges of one consumer, at that stage, that the packets
// at the start of in belong to, most of them at most, and moves them on: QoS 2
// from sent to received, all else to its end.
func (c *conn) flightRun(b *batch, in []byte, most int, qos uint8, at stage) (consumer *core.Consumer, n int) {
	for first := in[0]; n < most && isAck(in, first); n++ {
		f := c.inflight.get(binary.BigEndian.Uint16(in[2:]))
		if f == nil || f.qos != qos || f.stage != at || n > 0 && f.consumer != consumer {
			break
		}
		consumer = f.consumer
		b.seqs[n], b.ids[n] = f.seq, f.id
		if qos == 2 && at == sent {
			f.stage = received
		} else {
			c.inflight.done(f) // [MQTT-4.9.0-2]
		}
		in = in[ackSize:]
	}
	return consumer, n
}

// settleRun is a run of PUBACK or PUBCOMP.
func (c *conn) settleRun(t *core.Turn, sc *scratch, in []byte, qos uint8, at stage) int {
	consumer, n := c.flightRun(&sc.batch, in, core.MaxRun, qos, at)
	if n > 0 {
		consumer.SettleAll(t, sc.batch.seqs[:n]) // [MQTT-4.3.2-3] [MQTT-4.3.3-5]
		c.freed = c.freed || c.extra.anyStalled()
	}
	return n
}

// receivedRun is a run of PUBREC, which PUBREL answers when it is safe.
// [MQTT-4.3.3-4]
// [MQTT-4.3.3-3] [3: MQTT-4.3.3-1]
func (c *conn) receivedRun(t *core.Turn, sc *scratch, in []byte, out *adapters.Output) int {
	b := &sc.batch
	consumer, n := c.flightRun(b, in, min(core.MaxRun, c.answers.room()), 2, sent)
	for from := 0; from < n; {
		alike, seq, pending := consumer.ReceivedAll(t, b.seqs[from:n])
		c.answerAll(t, out, seq, pending, packet.PUBREL, b.ids[from:from+alike]) // [MQTT-4.6.0-4] [3: MQTT-4.6.0-4]
		from += alike
	}
	return n
}

// releaseRun is a run of PUBREL.
func (c *conn) releaseRun(t *core.Turn, sc *scratch, in []byte, out *adapters.Output) (n int) {
	b := &sc.batch
	most := min(core.MaxRun, c.answers.room())
	seq, pending := uint64(0), false
	for ; n < most && isAck(in, pubrel); n++ {
		id := binary.BigEndian.Uint16(in[2:])
		if x := c.inbound.get(id); x == nil || !x.holds {
			break
		}
		seq, pending = c.forget(t, id) // [MQTT-4.3.3-12]
		b.ids[n] = id
		in = in[ackSize:]
	}
	c.answerAll(t, out, seq, pending, packet.PUBCOMP, b.ids[:n]) // [MQTT-4.3.3-11]
	return n
}

// answerAll is answer for acknowledgements of success, which the client takes.
// seq is the last that they wait for, in one turn.
func (c *conn) answerAll(t *core.Turn, out *adapters.Output, seq uint64, pending bool, kind packet.Type, ids []uint16) {
	if pending || !c.answers.empty() {
		for _, id := range ids {
			c.answer(t, out, seq, pending, answer{kind: kind, id: id})
		}
		return
	}
	for _, id := range ids {
		switch kind {
		case packet.PUBREL:
			c.inflight.get(id).stage = released
		case packet.PUBCOMP:
			c.release(t, id)
		}
		out.B = packet.AppendAck(out.B, c.version, kind, id, packet.Success)
	}
	t.Count(c.room.count.packets[adapters.Out][kind], uint64(len(ids)))
}
