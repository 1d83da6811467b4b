package mqtt

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// An answer is an acknowledgement that waits until what it confirms is safe.
type answer struct {
	seq   uint64 // of the session's watermark; 0: waits for those before it only
	kind  packet.Type
	id    uint16
	code  packet.Code
	codes []byte // SUBACK and UNSUBACK: a code each
	text  string // Reason String of a refusal; 5.0
}

// answers is the queue of acknowledgements, in the order of what they answer.
// [MQTT-4.6.0-2] [MQTT-4.6.0-3]
type answers struct{ *answerQueue } // nil until one waits

type answerQueue struct {
	list []answer
	head int
}

// maxAnswers is how many may wait before reading stops, so that a store that
// is slow costs bounded memory.
const maxAnswers = 8192

func (q *answers) empty() bool { return q.answerQueue == nil || q.head == len(q.list) }

// room is how many more may wait before reading stops.
func (q *answers) room() int {
	if q.answerQueue == nil {
		return maxAnswers
	}
	return maxAnswers - len(q.list) + q.head
}

func (q *answers) full() bool { return q.room() <= 0 }

// push adds an answer. The places of those that were sent are used again: a
// client that publishes without a pause never lets the queue become empty.
func (q *answers) push(a answer) {
	if q.answerQueue == nil {
		q.answerQueue = new(answerQueue)
	}
	if len(q.list) == cap(q.list) && q.head > len(q.list)/2 {
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	q.list = append(q.list, a)
}

// pop takes the first answer if the watermark has reached it.
func (q *answers) pop(safe uint64) (answer, bool) {
	if q.empty() || q.list[q.head].seq > safe {
		return answer{}, false
	}
	a := q.list[q.head]
	q.list[q.head] = answer{}
	q.head++
	if q.empty() {
		q.list, q.head = q.list[:0], 0
		if cap(q.list) > 64 {
			q.list = nil
		}
	}
	return a, true
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
	if a.kind == packet.PUBACK && a.code != packet.PacketIdentifierInUse { // a refusal too takes part in flow control: MP10
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

// choke stops reading while too many answers wait; unchoke goes on when they
// have left. The keep alive stands still meanwhile, as with withhold.
func (c *conn) choke(t *core.Turn, out *adapters.Output) {
	if !c.choked && c.answers.full() {
		c.choked = true
		c.keep.stop(t.Now)
		out.PauseReading()
		c.arm()
	}
}

func (c *conn) unchoke(t *core.Turn, out *adapters.Output) {
	if c.choked && c.answers.empty() {
		c.choked = false
		c.goOn(t, out)
	}
}

// goOn resumes reading when nothing forbids it any more.
func (c *conn) goOn(t *core.Turn, out *adapters.Output) {
	if c.choked || c.paused {
		return
	}
	c.keep.resume(t.Now)
	out.ResumeReading()
	c.arm()
}

// failed rewrites an answer whose store write failed; false when nothing may
// be said. Neither PUBCOMP nor PUBREL may: the repetition after a reconnect
// tries again.
func (c *conn) failed(t *core.Turn, out *adapters.Output, a *answer) bool {
	row := codesOf(core.Unavailable)
	switch a.kind {
	case packet.PUBACK, packet.PUBREC:
		c.room.count.refuse(t, core.Unavailable)
		if a.kind == packet.PUBREC {
			c.free(t, a.id)
		}
		if c.version < packet.V5 {
			c.withhold(t, out)
			return false
		}
		a.code, a.text = row.puback, core.Unavailable.String()
	case packet.SUBACK, packet.UNSUBACK:
		c.room.count.refuse(t, core.Unavailable)
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
// We add no User Properties. [MQTT-3.4.2-3] [MQTT-3.5.2-3] [MQTT-3.6.2-3] [MQTT-3.7.2-3] [MQTT-3.9.2-2] [MQTT-3.11.2-2]
func (c *conn) write(t *core.Turn, out *adapters.Output, a answer) {
	c.complete(t, a)
	start := len(out.B)
	out.B = c.encode(out.B, a)
	if c.maxOut > 0 && len(out.B)-start > int(c.maxOut) && a.text != "" {
		a.text = "" // [MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.9.2-1] [MQTT-3.11.2-1] [MQTT-3.6.2-2] [MQTT-3.7.2-2]
		out.B = c.encode(out.B[:start], a)
	}
	if c.maxOut > 0 && len(out.B)-start > int(c.maxOut) {
		out.B = out.B[:start]
		c.disconnect(t, out, packet.PacketTooLarge, "", core.TooLarge)
		return
	}
	c.room.count.out(t, a.kind)
	if a.codes != nil {
		c.room.count.failures(a.kind, a.codes)
	}
	c.room.count.code(a.kind, a.code, adapters.Out)
}

// encode appends an acknowledgement. A refusal says why, if the client wants
// to know. [MQTT-3.1.2-29]
// [MQTT-2.2.1-5] [MQTT-2.2.1-6] [3: MQTT-2.3.1-6] [3: MQTT-2.3.1-7]
func (c *conn) encode(dst []byte, a answer) []byte {
	if a.text == "" && a.kind >= packet.PUBACK && a.kind <= packet.PUBCOMP {
		return packet.AppendAck(dst, c.version, a.kind, a.id, a.code)
	}
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
func (c *conn) complete(t *core.Turn, a answer) {
	switch a.kind {
	case packet.PUBREL:
		if f := c.inflight.get(a.id); f != nil {
			f.stage = released
		}
	case packet.PUBCOMP:
		c.release(t, a.id)
	case packet.PUBACK: // [MQTT-4.3.2-5]
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
	c.more().resumeAt, c.paused = t.Now+pauseFor, true
	c.keep.stop(t.Now)
	out.PauseReading()
	c.arm()
}
