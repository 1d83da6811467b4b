package mqttsn

import (
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// maxRenamed bounds how often a client may say that it does not know an id
// that it has just been told.
const maxRenamed = 3

// onPuback ends a QoS 1 delivery, or refuses one of any QoS.
func (p *peer) onPuback(t *core.Turn, body []byte, out *adapters.Output) error {
	a, err := packet.ParseTopicAck(packet.PUBACK, body)
	if err != nil {
		return err
	}
	m := p.outbound.find(a.MsgID)
	if a.MsgID == 0 || m == nil || m.phase != sent {
		if a.Code == packet.InvalidTopicID { // R8, for QoS 0
			p.untell(a.TopicID)
		}
		return nil // O8
	}
	p.prove()
	switch {
	case a.Code == packet.Accepted && m.QoS == 2:
		return nil
	case a.Code == packet.Accepted:
		p.settle(t, m, core.Accepted)
		p.outbound.remove(m)
	case a.Code == packet.Congestion: // O6
		m.tries, m.next = 0, t.Now.After(p.e.cfg.CongestionWait)
	case a.Code == packet.InvalidTopicID && m.renamed < maxRenamed && p.untell(a.TopicID): // R8
		m.phase, m.mid, m.Tag, m.tries = unsent, 0, 0, 0
		m.renamed++
	default: // O6
		p.e.metrics.set.Dropped(Name, "refused")
		p.settle(t, m, core.Rejected)
		p.outbound.remove(m)
	}
	p.deliver(t, out)
	return nil
}

// untell notes that the client does not know an id; false when we did not
// give it.
func (p *peer) untell(id uint16) bool {
	r, ok := p.topics.byID(id)
	if ok {
		p.topics.tell(r, false)
	}
	return ok
}

// onPubrec ends the first half of a QoS 2 delivery.
func (p *peer) onPubrec(t *core.Turn, body []byte, out *adapters.Output) error {
	a, err := packet.ParseAck(packet.PUBREC, body)
	if err != nil {
		return err
	}
	m := p.outbound.find(a.MsgID)
	switch {
	case m == nil || m.QoS != 2: // O8
		reply(p, packet.Ack{Of: packet.PUBREL, MsgID: a.MsgID}, out)
		return nil
	case m.phase == releasing:
		return nil
	}
	p.prove()
	if m.phase == sent {
		safe, pending := m.Consumer.Settle(t, m.Seq, core.Received)
		if pending && p.session.Safe() < safe {
			m.phase, m.safe = releasing, safe
			return nil
		}
	}
	p.sendRelease(t.Now, m, out)
	return nil
}

// flushReleases sends the PUBRELs whose PUBREC has become durable.
func (p *peer) flushReleases(t *core.Turn, out *adapters.Output) {
	for i := range p.outbound.list {
		if m := &p.outbound.list[i]; m.phase == releasing && p.session.Safe() >= m.safe && p.state != asleep {
			p.sendRelease(t.Now, m, out)
		}
	}
}

func (p *peer) sendRelease(now core.Time, m *outgoing, out *adapters.Output) {
	m.phase, m.tries, m.next = released, 0, now.After(p.e.cfg.RetryInterval)
	reply(p, packet.Ack{Of: packet.PUBREL, MsgID: m.mid}, out)
}

// onPubcomp ends a QoS 2 delivery.
func (p *peer) onPubcomp(t *core.Turn, body []byte, out *adapters.Output) error {
	a, err := packet.ParseAck(packet.PUBCOMP, body)
	if err != nil {
		return err
	}
	m := p.outbound.find(a.MsgID)
	if m == nil || m.phase != released {
		return nil // O8
	}
	p.prove()
	p.settle(t, m, core.Accepted)
	p.outbound.remove(m)
	p.deliver(t, out)
	return nil
}

// retransmit repeats what the client has not acknowledged in time (O4). It
// reports false when the client has not answered for N_RETRY times.
func (p *peer) retransmit(t *core.Turn, out *adapters.Output) bool {
	for i := range p.outbound.list {
		m := &p.outbound.list[i]
		if m.phase != sent && m.phase != released || t.Now < m.next {
			continue
		}
		if int(m.tries) >= p.e.cfg.MaxRetries {
			return false
		}
		m.tries++
		p.sendAgain(t.Now, m, out)
	}
	return true
}

func (p *peer) sendAgain(now core.Time, m *outgoing, out *adapters.Output) {
	m.next = now.After(p.e.cfg.RetryInterval)
	if m.phase == released {
		p.e.metrics.retransmitted(packet.PUBREL)
		reply(p, packet.Ack{Of: packet.PUBREL, MsgID: m.mid}, out)
		return
	}
	m.dup = true
	kind, id, known := p.idOf(m.Message.Topic)
	pkt := m.packet(kind, id)
	if known && p.affords(pkt.Len()) {
		p.e.metrics.retransmitted(packet.PUBLISH)
		reply(p, pkt, out)
	}
}

// resend repeats at once what is in flight, but for what was sent within the
// last quiet time: the client has just said that it listens.
func (p *peer) resend(t *core.Turn, quiet time.Duration, out *adapters.Output) {
	for i := range p.outbound.list {
		m := &p.outbound.list[i]
		if m.phase != sent && m.phase != released {
			continue
		}
		last := m.next - core.Time(p.e.cfg.RetryInterval/time.Millisecond)
		if t.Now >= last.After(quiet) {
			m.tries = 0
			p.sendAgain(t.Now, m, out)
		}
	}
}
