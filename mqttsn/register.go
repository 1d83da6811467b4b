package mqttsn

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// onRegister gives a name an id. The id grants nothing (R10).
func (p *peer) onRegister(t *core.Turn, body []byte, out *adapters.Output) error {
	q, err := packet.ParseRegister(body)
	if err != nil {
		return err
	}
	ack := packet.TopicAck{Of: packet.REGACK, MsgID: q.MsgID, Code: packet.NotSupported}
	switch {
	case !validName(q.Name): // R3
	case t.Level() >= core.LevelBrake:
		ack.Code = p.e.refusal(core.Busy)
	default:
		if r, ok := p.topics.add(string(q.Name), true, p.e.cfg.MaxTopics); ok { // R2, R5
			p.topics.tell(r, true)
			ack.TopicID, ack.Code = r.id, packet.Accepted
		}
	}
	if ack.Code != packet.Accepted {
		p.e.metrics.refused(packet.REGACK, ack.Code)
	}
	reply(p, ack, out)
	return nil
}

// registering is the one REGISTER that a client may have open (R7).
type registering struct {
	id    uint16 // 0: none
	mid   uint16
	tries int
	next  core.Time
}

// register tells the client an id before the first publish that needs it (R6).
func (p *peer) register(now core.Time, r registered, out *adapters.Output) {
	p.lastMid = p.outbound.mid(p.lastMid)
	p.act().outbound.registering = registering{id: r.id, mid: p.lastMid, next: now.After(p.e.cfg.RetryInterval)}
	reply(p, packet.Register{TopicID: r.id, MsgID: p.lastMid, Name: r.name}, out)
}

// onRegack takes the client's answer to a REGISTER.
func (p *peer) onRegack(t *core.Turn, body []byte, out *adapters.Output) error {
	a, err := packet.ParseTopicAck(packet.REGACK, body)
	if err != nil {
		return err
	}
	open := p.outbound.registering
	if open.id == 0 || a.MsgID != open.mid {
		return nil
	}
	p.prove()
	p.outbound.registering = registering{}
	r, known := p.topics.byID(open.id)
	switch a.Code {
	case packet.Accepted:
		if known {
			p.topics.tell(r, true)
		}
	case packet.Congestion:
		p.outbound.congested = t.Now.After(p.e.cfg.CongestionWait)
	default:
		p.dropTopic(t, string(r.name), "refused")
	}
	p.deliver(t, out)
	return nil
}

// registerAgain repeats the REGISTER; a client that never answers loses the
// topic's messages, or, awake, goes back to sleep (R6, K10).
func (p *peer) registerAgain(t *core.Turn, out *adapters.Output) {
	open := &p.outbound.registering
	r, _ := p.topics.byID(open.id)
	if open.tries == p.e.cfg.MaxRetries {
		*open = registering{}
		if p.state == awake {
			p.drowse(t)
			return
		}
		p.e.metrics.timeout("retry")
		p.dropTopic(t, string(r.name), "unregistered")
		p.deliver(t, out)
		return
	}
	open.tries++
	open.next = t.Now.After(p.e.cfg.RetryInterval)
	again := packet.Register{TopicID: open.id, MsgID: open.mid, Name: r.name}
	if p.affords(again.Len()) {
		p.e.metrics.retransmitted(packet.REGISTER)
		reply(p, again, out)
	}
}
