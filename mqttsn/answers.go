package mqttsn

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// maxPending bounds the answers of one client that wait for the store.
const maxPending = 256

// pendingAnswer waits until the core says that what it answers is safe.
type pendingAnswer struct {
	seq     uint64
	of      packet.Type
	topicID uint16
	mid     uint16
	qos     packet.QoS
}

// inbound is what is kept of packets that the client sent.
type inbound struct {
	pending  []pendingAnswer // in the order of seq
	acked    *ackedRing      // of a client that publishes with QoS 1
	subacked []subacked
}

// ackedRing holds the last 8 PUBACKs.
type ackedRing struct {
	ring [8]acked
	next uint8
}

// acked is a QoS 1 publish that was acknowledged.
type acked struct {
	mid   uint16
	until core.Time // a repetition comes no later
}

// acknowledged tells whether a publish repeats one of the last 8 (P12).
func (in *inbound) acknowledged(now core.Time, mid uint16, dup bool) bool {
	if !dup || in.acked == nil {
		return false
	}
	for _, a := range in.acked.ring {
		if a.mid == mid && now < a.until {
			return true
		}
	}
	return false
}

// acknowledge notes a PUBACK.
func (in *inbound) acknowledge(mid uint16, until core.Time) {
	if in.acked == nil {
		in.acked = new(ackedRing)
	}
	in.acked.ring[in.acked.next%8] = acked{mid, until}
	in.acked.next++
}

// until is when no repetition is waited for any more.
func (in *inbound) until() (at core.Time) {
	if n := len(in.subacked); n > 0 {
		at = in.subacked[n-1].until
	}
	if r := in.acked; r != nil {
		at = max(at, r.ring[(r.next-1)%8].until)
	}
	return at
}

// busy tells that so many answers wait for the store that the client must
// wait, too.
func (in *inbound) busy() bool { return len(in.pending) >= maxPending }

// open tells whether the answer to a message id is under way.
func (in *inbound) open(mid uint16) bool {
	for i := range in.pending {
		if a := &in.pending[i]; a.mid == mid && (a.of == packet.PUBACK || a.of == packet.PUBREC || a.of == packet.PUBCOMP) {
			return true
		}
	}
	return false
}

// subscribing tells whether a SUBACK is under way: messages wait for it (S11).
func (in *inbound) subscribing() bool {
	for i := range in.pending {
		if in.pending[i].of == packet.SUBACK {
			return true
		}
	}
	return false
}

// answerWhenSafe answers at once, or when the core's watermark has passed.
func (p *peer) answerWhenSafe(t *core.Turn, a pendingAnswer, pending bool, out *adapters.Output) {
	if pending && p.session.Safe() < a.seq {
		in := &p.act().inbound
		in.pending = append(in.pending, a)
		return
	}
	p.sendAnswer(t.Now, a, out)
}

// flushAnswers sends the answers whose subjects have become safe.
func (p *peer) flushAnswers(t *core.Turn, out *adapters.Output) {
	n := 0
	safe := p.session.Safe()
	for ; n < len(p.inbound.pending) && p.inbound.pending[n].seq <= safe; n++ {
		if p.state == active || p.state == awake {
			p.sendAnswer(t.Now, p.inbound.pending[n], out)
		}
	}
	if n == 0 {
		return
	}
	if n == len(p.inbound.pending) {
		p.inbound.pending = nil
		return
	}
	p.inbound.pending = append(p.inbound.pending[:0], p.inbound.pending[n:]...)
}

func (p *peer) sendAnswer(now core.Time, a pendingAnswer, out *adapters.Output) {
	c := packet.Accepted
	if a.seq != 0 && p.session.Failed(a.seq) {
		c = p.e.refusal(core.Unavailable)
		p.e.metrics.refused(a.of, c)
	}
	switch a.of {
	case packet.PUBACK:
		if c == packet.Accepted {
			p.act().inbound.acknowledge(a.mid, now.After(p.e.cfg.patience()))
		}
		reply(p, packet.TopicAck{Of: packet.PUBACK, TopicID: a.topicID, MsgID: a.mid, Code: c}, out)
	case packet.PUBREC:
		if c != packet.Accepted {
			reply(p, packet.TopicAck{Of: packet.PUBACK, TopicID: a.topicID, MsgID: a.mid, Code: c}, out)
			return
		}
		reply(p, packet.Ack{Of: packet.PUBREC, MsgID: a.mid}, out)
	case packet.SUBACK:
		if c != packet.Accepted {
			a.topicID, a.qos = 0, 0
		}
		reply(p, packet.SubAck{QoS: a.qos, TopicID: a.topicID, MsgID: a.mid, Code: c}, out)
	default: // PUBCOMP, UNSUBACK, PUBREL
		reply(p, packet.Ack{Of: a.of, MsgID: a.mid}, out)
	}
}
