package mqttsn

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// ask puts the question for the will's topic or message (section 6.3) and
// waits in that state for the answer.
func (p *peer) ask(now core.Time, s state, out *adapters.Output) {
	if p.state != s {
		p.become(s)
		p.opening.tries = 0
	}
	p.opening.at = now.After(p.e.cfg.RetryInterval)
	p.send(packet.Bare{Of: p.question()}, out)
}

func (p *peer) question() packet.Type {
	if p.state == wantWillMsg {
		return packet.WILLMSGREQ
	}
	return packet.WILLTOPICREQ
}

// askAgain repeats the question every T_RETRY, N_RETRY times (C9).
func (p *peer) askAgain(t *core.Turn, out *adapters.Output) {
	if int(p.opening.tries) == p.e.cfg.MaxRetries {
		p.e.metrics.timeout("will")
		p.forget(t, core.Normal)
		return
	}
	if !p.affords(2) {
		p.opening.at = t.Now.After(p.e.cfg.RetryInterval)
		p.opening.tries++
		return
	}
	p.opening.tries++
	p.e.metrics.retransmitted(p.question())
	p.ask(t.Now, p.state, out)
}

// inputConnecting takes a packet of a client that is not yet connected.
func (p *peer) inputConnecting(t *core.Turn, ty packet.Type, body []byte, out *adapters.Output) error {
	asked := p.state == wantWillTopic || p.state == wantWillMsg
	switch {
	case ty == packet.WILLTOPIC && asked: // in wantWillMsg a repetition
		return p.onWillTopic(t, body, out)
	case ty == packet.WILLMSG && p.state == wantWillMsg:
		return p.onWillMsg(t, body, out)
	}
	if _, err := packet.ParseBody(ty, body); err != nil {
		return err
	}
	if asked || ty == packet.DISCONNECT { // C9
		p.send(packet.Disconnect{}, out)
		p.forget(t, core.Normal)
	}
	return nil
}

func (p *peer) onWillTopic(t *core.Turn, body []byte, out *adapters.Output) error {
	w, err := packet.ParseWillTopic(packet.WILLTOPIC, body)
	switch {
	case err != nil:
		return err
	case w.None: // C3
		p.attach(t, out)
		return nil
	case !validName(w.Topic): // C4
		p.fail(t, core.BadTopic, out)
		return nil
	}
	name := string(w.Topic)
	w.Topic = nil
	p.opening.will = &willOpening{topic: w, name: name}
	p.ask(t.Now, wantWillMsg, out)
	return nil
}

func (p *peer) onWillMsg(t *core.Turn, body []byte, out *adapters.Output) error {
	w, err := packet.ParseWillMsg(packet.WILLMSG, body)
	if err != nil {
		return err
	}
	p.some().will = newWill(p.opening.will.name, p.opening.will.topic, w.Payload)
	p.attach(t, out)
	return nil
}

func newWill(topic string, flags packet.WillTopic, payload []byte) *core.Will {
	m := core.NewMessage(payload)
	m.Topic, m.QoS, m.Retain, m.Origin = topic, uint8(flags.QoS), flags.Retain, Name
	return &core.Will{Message: m}
}

// onWillTopicUpd replaces topic and flags of the will, or deletes it (U1, U3).
func (p *peer) onWillTopicUpd(t *core.Turn, body []byte, out *adapters.Output) error {
	w, err := packet.ParseWillTopic(packet.WILLTOPICUPD, body)
	if err != nil {
		return err
	}
	var next *core.Will
	r := core.OK
	switch {
	case w.None:
	case !validName(w.Topic):
		r = core.BadTopic
	default:
		var payload []byte
		if p.will != nil {
			payload = p.will.Message.Payload
		}
		next = newWill(string(w.Topic), w, payload)
	}
	p.setWill(t, packet.WILLTOPICRESP, next, r, out)
	return nil
}

// onWillMsgUpd replaces the message of the will (U2).
func (p *peer) onWillMsgUpd(t *core.Turn, body []byte, out *adapters.Output) error {
	w, err := packet.ParseWillMsg(packet.WILLMSGUPD, body)
	if err != nil {
		return err
	}
	if p.will == nil {
		p.setWill(t, packet.WILLMSGRESP, nil, core.NotFound, out)
		return nil
	}
	m := p.will.Message
	flags := packet.WillTopic{QoS: packet.QoS(m.QoS), Retain: m.Retain}
	p.setWill(t, packet.WILLMSGRESP, newWill(m.Topic, flags, w.Payload), core.OK, out)
	return nil
}

// setWill answers an update; with a reason other than OK the old will stays.
func (p *peer) setWill(t *core.Turn, of packet.Type, w *core.Will, r core.Reason, out *adapters.Output) {
	if r == core.OK {
		r = p.session.SetWill(t, w)
	}
	c := p.e.refusal(r)
	if r == core.OK {
		p.some().will = w
	} else {
		p.e.metrics.refused(of, c)
	}
	p.send(packet.Result{Of: of, Code: c}, out) // U5
}

// restoreWill puts the will of an earlier connection back (C11). Its message
// may have been published, so it is made anew.
func (p *peer) restoreWill(t *core.Turn, old *core.Will) {
	m := old.Message
	w := newWill(m.Topic, packet.WillTopic{QoS: packet.QoS(m.QoS), Retain: m.Retain}, m.Payload)
	if p.session.SetWill(t, w) == core.OK {
		p.some().will = w
	}
}
