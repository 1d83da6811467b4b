package mqttsn

import (
	"slices"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// deliver sends what waits for the client, as far as its window goes. A client
// that is awake for it alone gets its PINGRESP when nothing is left (K9).
func (p *peer) deliver(t *core.Turn, out *adapters.Output) {
	if p.state == asleep {
		p.session.PassOn(t) // of a group or a named queue: others are awake
	}
	if p.state != active && p.state != awake || p.inbound.subscribing() { // K6, S11
		return
	}
	p.sendWaiting(t, out)
	var few [4]*core.Consumer // on the stack
	stuck := few[:0]
	for !p.sated() {
		c := p.outbound.nextConsumer(p.session)
		if c == nil {
			break
		}
		if p.drain(t, c, out) && !slices.Contains(stuck, c) {
			stuck = append(stuck, c)
		}
	}
	for _, c := range stuck {
		if !slices.Contains(p.outbound.more, c) {
			o := &p.act().outbound
			o.more = append(o.more, c)
		}
	}
	if p.state == awake && len(p.outbound.list) == 0 && (p.sated() || len(p.outbound.more) == 0) {
		p.doze(t, out)
	}
}

// sated tells that this wake has brought enough (K17).
func (p *peer) sated() bool {
	limit := p.e.cfg.MaxAwakeMessages
	return p.state == awake && limit != Unlimited && p.outbound.woken >= int(limit)
}

// drain takes from one consumer; stuck is true when there may be more that the
// window, or a full output, holds back.
func (p *peer) drain(t *core.Turn, c *core.Consumer, out *adapters.Output) (stuck bool) {
	for {
		room := maxTaken - len(p.outbound.list)
		if p.state == awake && p.e.cfg.MaxAwakeMessages != Unlimited {
			room = min(room, int(p.e.cfg.MaxAwakeMessages)-p.outbound.woken)
		}
		if out.Full() {
			p.handle.Ready(t) // called again after the write
			return true
		}
		if room <= 0 {
			return true
		}
		window := p.outbound.window(p.e.cfg.MaxInflight, p.state == awake)
		got := c.Take(t, p.e.taken[:0:room], window)
		used := 0
		for i := range got {
			if got[i].QoS > 0 {
				used++
			}
			p.offer(t, got[i], out)
			got[i] = core.Delivery{}
		}
		if len(got) < room && (used < window || p.outbound.window(p.e.cfg.MaxInflight, p.state == awake) == 0) {
			return used >= window
		}
	}
}

// offer sends a message that was just taken, or keeps it until it can be sent.
func (p *peer) offer(t *core.Turn, d core.Delivery, out *adapters.Output) {
	if p.state == awake {
		p.act().outbound.woken++
	}
	m := outgoing{Delivery: d, dup: d.QoS > 0 && d.Redelivered()}
	if p.e.cfg.unfit(t.Now, &m, p.e.metrics, out) {
		p.settle(t, &m, core.Accepted)
		return
	}
	strict := p.state == awake
	if p.outbound.blocked(&m, len(p.outbound.list), strict) || !p.try(t, &m, out) || m.acknowledged() {
		o := &p.act().outbound
		o.list = append(o.list, m)
	}
}

// unfit tells that a message cannot be delivered, and counts it (O5).
func (c *Config) unfit(now core.Time, m *outgoing, x *metrics, out *adapters.Output) bool {
	if m.Received {
		return false
	}
	switch {
	case m.Message.Expired(now):
		x.set.Dropped(Name, "expired")
	case publishLen(m.Message) > c.MTU, len(m.Message.Topic)+8 > c.MTU: // a REGISTER has at most 8 octets more
		x.set.Dropped(Name, "too_large")
		x.translated.Count(out, m.Message, adapters.Untranslated)
	default:
		return false
	}
	return true
}

func publishLen(m *core.Message) int { return packet.Publish{Data: m.Payload}.Len() }

// sendWaiting sends what could not be sent before, in order.
func (p *peer) sendWaiting(t *core.Turn, out *adapters.Output) {
	for i := 0; i < len(p.outbound.list); {
		m := &p.outbound.list[i]
		switch {
		case m.phase != unsent || p.outbound.blocked(m, i, p.state == awake):
			i++
			continue
		case p.e.cfg.unfit(t.Now, m, p.e.metrics, out):
			p.settle(t, m, core.Accepted)
			p.outbound.remove(m)
			continue
		}
		n := len(p.outbound.list)
		done := p.try(t, m, out)
		if n != len(p.outbound.list) { // its topic was dropped
			continue
		}
		if done && !m.acknowledged() {
			p.outbound.remove(m)
			continue
		}
		i++
	}
}

// try sends a message if its id is known to the client, the window is open
// and the address may be sent that much.
func (p *peer) try(t *core.Turn, m *outgoing, out *adapters.Output) bool {
	kind, id, known := p.idOf(m.Message.Topic)
	n := publishLen(m.Message)
	if !m.Received && (!known || !p.affords(n)) {
		p.makeKnown(t.Now, m.Message.Topic, out)
		return false
	}
	if m.acknowledged() && p.outbound.inflight() >= p.e.cfg.MaxInflight { // O3
		return false
	}
	if m.Received { // QoS 2: only the release is to be repeated (O4)
		p.number(t, m)
		p.sendRelease(t.Now, m, out)
		return true
	}
	if m.acknowledged() {
		p.number(t, m)
		m.phase, m.next = sent, t.Now.After(p.e.cfg.RetryInterval)
	}
	p.e.metrics.translated.Sent(out, &m.Delivery, adapters.Outcome(p.e.metrics.lost(m.Message)))
	p.e.metrics.traffic.Count(t, adapters.Out, m.QoS, len(m.Message.Payload))
	reply(p, m.packet(kind, id), out)
	return true
}

func (m *outgoing) packet(kind packet.TopicKind, id uint16) packet.Publish {
	return packet.Publish{
		Dup: m.dup, QoS: packet.QoS(m.QoS), Retain: m.Retain, Kind: kind, TopicID: id, MsgID: m.mid, Data: m.Message.Payload,
	}
}

// number gives a message its message id. That of QoS 2 is as durable as the
// session, so that a resumed delivery is known to the client: it follows from
// the message's number in the session's own queue, as in the MQTT room, and
// needs no storing; where that is not to be had, the delivery's tag holds it.
func (p *peer) number(t *core.Turn, m *outgoing) {
	if m.mid != 0 {
		return
	}
	if id := p.lasting(m); id != 0 && p.outbound.free(id) {
		m.mid = id
		return
	}
	p.lastMid = p.outbound.mid(p.lastMid)
	m.mid = p.lastMid
	if m.QoS == 2 {
		m.Consumer.Tag(t, m.Seq, uint32(m.mid))
	}
}

// lasting is the message id of a QoS 2 delivery that outlives the connection; 0:
// there is none yet.
func (p *peer) lasting(m *outgoing) uint16 {
	switch {
	case m.QoS != 2:
		return 0
	case m.Tag == 0 && !m.Stored && m.Consumer == p.session.Inbox():
		return uint16(m.Seq%65535) + 1
	}
	return uint16(m.Tag)
}

// idOf is how the client knows a topic (O1).
func (p *peer) idOf(topic string) (kind packet.TopicKind, id uint16, known bool) {
	if short, ok := packet.ShortName(topic); ok && slices.Contains(p.shorts, topic) {
		return packet.Short, short, true
	}
	if id, ok := p.known.ids[topic]; ok {
		return packet.Predefined, id, true
	}
	if r, ok := p.topics.find(topic); ok && r.told {
		return packet.Normal, r.id, true
	}
	return packet.Normal, 0, false
}

// makeKnown registers a topic, when no other REGISTER is open (R6, R7). For an
// address that is not proven it is the proof, too (X7).
func (p *peer) makeKnown(now core.Time, topic string, out *adapters.Output) {
	if p.outbound.registering.id != 0 || now < p.outbound.congested {
		return
	}
	r, ok := p.topics.add(topic, false, p.e.cfg.MaxTopics)
	if !ok {
		r = p.topics.recycle(topic)
	}
	if p.affords(packet.Register{Name: []byte(topic)}.Len()) {
		p.register(now, r, out)
	}
}

// settle tells the core how a message ended; QoS 0 is settled already.
func (p *peer) settle(t *core.Turn, m *outgoing, o core.Outcome) {
	if m.acknowledged() {
		m.Consumer.Settle(t, m.Seq, o)
	}
}

// dropTopic gives up what waits for the id of a topic.
func (p *peer) dropTopic(t *core.Turn, topic, why string) {
	for i := 0; i < len(p.outbound.list); {
		m := &p.outbound.list[i]
		if m.phase != unsent || m.Message.Topic != topic {
			i++
			continue
		}
		p.e.metrics.set.Dropped(Name, why)
		p.settle(t, m, core.Rejected)
		p.outbound.remove(m)
	}
}
