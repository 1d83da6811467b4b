package mqttsn

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// onPublish takes a message of the client.
func (p *peer) onPublish(t *core.Turn, body []byte, out *adapters.Output) error {
	q, err := packet.ParsePublish(body)
	if err != nil {
		return err
	}
	if q.QoS == 1 && p.inbound.acknowledged(t.Now, q.MsgID, q.Dup) { // P12
		reply(p, packet.TopicAck{Of: packet.PUBACK, TopicID: q.TopicID, MsgID: q.MsgID}, out)
		return nil
	}
	if q.QoS > 0 && p.inbound.open(q.MsgID) {
		return nil // its answer is under way
	}
	if q.QoS == 2 && p.session.Seen(uint64(q.MsgID)) { // P3
		reply(p, packet.Ack{Of: packet.PUBREC, MsgID: q.MsgID}, out)
		return nil
	}
	name, data, c := p.resolve(q)
	if q.QoS > 0 && c == packet.Accepted && p.inbound.busy() {
		c = p.e.refusal(core.Quota) // P13
	}
	if c == packet.Accepted && t.Level() >= core.LevelBrake {
		p.refusePublish(t.Now, q, core.Busy, out) // a datagram's sender is slowed down by the code
		return nil
	}
	if c == packet.Accepted && (p.session.Hurries(t, len(body)) || p.handle.Hurries(len(body))) { // L22
		if q.QoS <= 0 {
			p.e.metrics.set.Dropped(Name, "rate")
		}
		p.refusePublish(t.Now, q, core.RateExceeded, out)
		return nil
	}
	if c != packet.Accepted {
		p.complainTo(t.Now, q, c, out)
		return nil
	}
	p.publish(t, q, name, data, out)
	return nil
}

// resolve is the topic of a publish, in the endpoint's scratch, and its
// payload; a code other than accepted says why there is none.
func (p *peer) resolve(q packet.Publish) (name, data []byte, c packet.Code) {
	if q.QoS > 0 && q.MsgID == 0 { // P16
		return nil, nil, packet.NotSupported
	}
	var ok bool
	switch q.Kind {
	case packet.Normal:
		var r registered
		if r, ok = p.topics.byID(q.TopicID); !ok && *p.e.cfg.LongNameQoSM1 {
			if name, data, ok = q.LongName(); ok {
				return name, data, packet.Accepted
			}
		}
		p.e.topic = append(p.e.topic[:0], r.name...)
	case packet.Predefined:
		var topic string
		topic, ok = p.known.names[q.TopicID]
		p.e.topic = append(p.e.topic[:0], topic...)
	case packet.Short: // P6: a wildcard in it is refused as a topic
		p.e.topic = append(p.e.topic[:0], byte(q.TopicID>>8), byte(q.TopicID))
		return p.e.topic, q.Data, packet.Accepted
	default: // P7
		return nil, nil, packet.NotSupported
	}
	if !ok { // P4, P5
		return nil, nil, packet.InvalidTopicID
	}
	return p.e.topic, q.Data, packet.Accepted
}

// publish hands a message to the core and answers when it is safe.
func (p *peer) publish(t *core.Turn, q packet.Publish, name, data []byte, out *adapters.Output) {
	match, r := p.session.Route(t, name)
	if r != core.OK {
		p.refusePublish(t.Now, q, r, out)
		return
	}
	qos := uint8(max(q.QoS, 0))
	p.e.metrics.traffic.Count(t, adapters.In, qos, len(data))
	var seq uint64
	var pending bool
	if qos == 2 {
		seq, pending = p.session.Remember(t, uint64(q.MsgID)) // P3: before PUBREC
	}
	if match.Any() || q.Retain {
		m := core.NewMessage(data)
		m.Topic, m.QoS, m.Retain, m.Origin = match.Topic(), qos, q.Retain, Name
		s, wait, r := p.session.Publish(t, match, m)
		if r.Err() != nil {
			if qos == 2 {
				p.session.Forget(t, uint64(q.MsgID))
			}
			p.refusePublish(t.Now, q, r, out)
			return
		}
		if wait {
			seq, pending = s, true
		}
	}
	if q.QoS <= 0 {
		return // P1
	}
	a := pendingAnswer{seq: seq, of: packet.PUBACK, topicID: q.TopicID, mid: q.MsgID}
	if qos == 2 {
		a.of = packet.PUBREC
	}
	p.answerWhenSafe(t, a, pending, out)
}

// refusePublish answers for the core; a refused QoS 0 stays silent (P11).
func (p *peer) refusePublish(now core.Time, q packet.Publish, r core.Reason, out *adapters.Output) {
	c := p.e.refusal(r)
	if q.QoS <= 0 && r != core.BadTopic {
		return
	}
	p.complainTo(now, q, c, out)
}

// complainTo sends a negative PUBACK; for QoS 0 and -1 at a bounded rate (P4).
func (p *peer) complainTo(now core.Time, q packet.Publish, c packet.Code, out *adapters.Output) {
	p.e.metrics.refused(packet.PUBACK, c)
	if q.QoS <= 0 {
		if p.complain == nil && p.e.cfg.UnsolicitedRate != Unlimited {
			p.some().complain = new(limit.Bucket)
		}
		if !p.e.cfg.UnsolicitedRate.Take(p.complain, now) {
			return
		}
	}
	reply(p, packet.TopicAck{Of: packet.PUBACK, TopicID: q.TopicID, MsgID: q.MsgID, Code: c}, out)
}

// onPubrel releases a QoS 2 message; an unknown one is answered too (P3).
func (p *peer) onPubrel(t *core.Turn, body []byte, out *adapters.Output) error {
	a, err := packet.ParseAck(packet.PUBREL, body)
	if err != nil {
		return err
	}
	if p.inbound.open(a.MsgID) || p.inbound.busy() {
		return nil // it will be repeated
	}
	var seq uint64
	var pending bool
	if p.session.Seen(uint64(a.MsgID)) {
		seq, pending = p.session.Forget(t, uint64(a.MsgID))
	}
	p.answerWhenSafe(t, pendingAnswer{seq: seq, of: packet.PUBCOMP, mid: a.MsgID}, pending, out)
	return nil
}
