package mqttsn

import (
	"bytes"
	"slices"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// subacked is a SUBSCRIBE that was answered, to know its repetition by (S8).
type subacked struct {
	filter string
	answer pendingAnswer
	until  core.Time
}

const maxSubacked = 4

func (p *peer) onSubscribe(t *core.Turn, body []byte, out *adapters.Output) error {
	q, err := packet.ParseSubscribe(body)
	if err != nil {
		return err
	}
	filter, c := p.filter(q.Topic)
	a := pendingAnswer{of: packet.SUBACK, mid: q.MsgID, qos: max(q.QoS, 0)} // S6
	if c != packet.Accepted {
		if c == packet.InvalidTopicID {
			a.topicID = q.ID // S4
		}
		p.refuseSubscribe(a, c, out)
		return nil
	}
	for _, old := range p.inbound.subacked {
		if old.answer.mid == q.MsgID && old.filter == filter && t.Now < old.until {
			if !p.inbound.subscribing() {
				p.sendAnswer(t.Now, old.answer, out)
			}
			return nil
		}
	}
	if a.topicID, c = p.subscriptionID(q.Topic, filter); p.inbound.busy() {
		a.topicID, c = packet.NoTopicID, p.e.refusal(core.Quota)
	}
	if c != packet.Accepted {
		p.refuseSubscribe(a, c, out)
		return nil
	}
	p.subscribe(t, filter, q.Kind, a, out)
	return nil
}

// filter is what a SUBSCRIBE or UNSUBSCRIBE names.
func (p *peer) filter(q packet.Topic) (string, packet.Code) {
	switch q.Kind {
	case packet.Predefined:
		if name, ok := p.known.names[q.ID]; ok {
			return name, packet.Accepted
		}
		return "", packet.InvalidTopicID
	case packet.ReservedKind: // S5
		return "", packet.NotSupported
	}
	return string(q.Name), packet.Accepted
}

// subscriptionID is the id that the SUBACK carries: that of the topic, or 0
// for what is not one topic (S1 to S4, S12).
func (p *peer) subscriptionID(q packet.Topic, filter string) (uint16, packet.Code) {
	switch {
	case q.Kind == packet.Predefined:
		return q.ID, packet.Accepted
	case q.Kind == packet.Short || !validName(q.Name):
		return packet.NoTopicID, packet.Accepted
	case bytes.HasPrefix(q.Name, []byte("$share/")) || bytes.HasPrefix(q.Name, []byte("$queue/")):
		return packet.NoTopicID, packet.Accepted
	}
	r, ok := p.topics.add(filter, true, p.e.cfg.MaxTopics)
	if !ok {
		return packet.NoTopicID, p.e.refusal(core.Quota)
	}
	p.topics.tell(r, true)
	return r.id, packet.Accepted
}

// subscribe asks the core and answers when the subscription is safe. The
// messages that it brings wait for the SUBACK (S9, S11).
func (p *peer) subscribe(t *core.Turn, filter string, kind packet.TopicKind, a pendingAnswer, out *adapters.Output) {
	if p.full(filter) { // S14
		a.topicID = packet.NoTopicID
		p.refuseSubscribe(a, p.e.refusal(core.Quota), out)
		return
	}
	sub := core.Subscription{Filter: filter, QoS: uint8(a.qos)}
	grants, seq, pending := p.session.Subscribe(t, []core.Subscription{sub}, p.e.grants[:0])
	p.e.grants = grants
	g := grants[0]
	if g.Reason != core.OK { // S13
		a.topicID = packet.NoTopicID
		p.refuseSubscribe(a, p.e.refusal(g.Reason), out)
		return
	}
	if !g.Existed {
		p.subs++
	}
	if p.state != active { // K7, of a queue that is new
		p.session.BoundQoS0(t, p.e.cfg.QueueQoS0)
	}
	if kind == packet.Short && !slices.Contains(p.shorts, filter) {
		x := p.some()
		x.shorts = append(x.shorts, filter)
	}
	a.seq, a.qos = seq, packet.QoS(g.QoS)
	p.answerWhenSafe(t, a, pending, out)
	in := &p.act().inbound
	if len(in.subacked) == maxSubacked {
		in.subacked = slices.Delete(in.subacked, 0, 1)
	}
	in.subacked = append(in.subacked, subacked{filter, a, t.Now.After(p.e.cfg.patience())})
}

// full tells that the client may have no subscription more than it has.
func (p *peer) full(filter string) bool {
	if int(p.subs) < p.e.cfg.MaxSubscriptions {
		return false
	}
	return !slices.ContainsFunc(p.session.Subscriptions(), func(s core.Subscription) bool { return s.Filter == filter })
}

func (p *peer) refuseSubscribe(a pendingAnswer, c packet.Code, out *adapters.Output) {
	p.e.metrics.refused(packet.SUBACK, c)
	reply(p, packet.SubAck{TopicID: a.topicID, MsgID: a.mid, Code: c}, out)
}

// onUnsubscribe ends a subscription; it is always answered (S10).
func (p *peer) onUnsubscribe(t *core.Turn, body []byte, out *adapters.Output) error {
	q, err := packet.ParseUnsubscribe(body)
	if err != nil {
		return err
	}
	a := pendingAnswer{of: packet.UNSUBACK, mid: q.MsgID}
	filter, c := p.filter(q.Topic)
	switch {
	case p.inbound.busy():
		return nil // it will be repeated
	case c != packet.Accepted:
		p.sendAnswer(t.Now, a, out)
		return nil
	}
	reasons, seq, pending := p.session.Unsubscribe(t, []string{filter}, p.e.reasons[:0])
	p.e.reasons = reasons
	if reasons[0] == core.OK {
		p.subs--
	}
	same := func(s subacked) bool { return s.filter == filter }
	if len(p.inbound.subacked) > 0 {
		in := &p.act().inbound
		in.subacked = slices.DeleteFunc(in.subacked, same)
	}
	if len(p.shorts) > 0 {
		x := p.some()
		x.shorts = slices.DeleteFunc(x.shorts, func(s string) bool { return s == filter })
	}
	a.seq = seq
	p.answerWhenSafe(t, a, pending, out)
	return nil
}
