package mqtt

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

var (
	errAliasRange = &packet.Error{Code: packet.TopicAliasInvalid, Rule: "MA1 topic alias above the maximum"}
	errAliasUnset = &packet.Error{Code: packet.ProtocolError, Rule: "MA1 topic alias that was never set"}
	errMaxQoS     = &packet.Error{Code: packet.QoSNotSupported, Rule: "MP7 QoS above the maximum"}
	errRetain     = &packet.Error{Code: packet.RetainNotSupported, Rule: "MP7 retained messages are off"}
	errReceiveMax = &packet.Error{Code: packet.ReceiveMaximumExceeded, Rule: "MF3 more unacknowledged PUBLISH packets than the Receive Maximum"}
	errPayload    = &packet.Error{Code: packet.PayloadFormatInvalid, Rule: "MP9 payload is not the UTF-8 that it claims to be"}
	errDenied3    = &packet.Error{Code: packet.NotAuthorized, Rule: "MP6 publish is not allowed"}
	errTopic3     = &packet.Error{Code: packet.TopicNameInvalid, Rule: "MP1 topic name is not allowed"}
)

// onPublish takes a PUBLISH, whose bytes are all in frame.
func (c *conn) onPublish(t *core.Turn, sc *scratch, h packet.Header, frame []byte, out *adapters.Output) error {
	p := &sc.publish
	if p.Known = ""; !c.room.set.places { // else it is what the rules made of one
		p.Known = c.session.LastTopic()
	}
	if err := p.Parse(&c.room.rules, c.version, h.Flags, frame[h.Head:]); err != nil {
		return err
	}
	name, err := c.topicOf(p) // also for what is refused below: MP10
	switch {
	case err != nil:
		return err
	case p.QoS > c.room.set.maxQoS:
		return errMaxQoS // [MQTT-3.2.2-9]
	case p.Retain && !c.room.set.retain:
		return errRetain
	}
	to := place{name: name}
	if c.room.set.places {
		if to, err = c.place(p, name); err != nil {
			return err
		}
	}
	c.room.traffic.Count(t, adapters.In, p.QoS, len(p.Payload))
	switch p.QoS { // [MQTT-3.3.4-1] [3: MQTT-3.3.4-1]
	case 0:
		if h.Flags != 0 || c.version >= packet.V5 && !p.Properties.Empty() || len(to.name) == 0 || &to.name[0] != &p.Topic[0] {
			frame = nil // it is not what receivers get
		}
		_, _, r := c.submit(t, sc, p, to, frame)
		return c.refused0(t, r, 1)
	case 1:
		return c.publish1(t, sc, p, to, out)
	}
	return c.publish2(t, sc, p, to, out)
}

// topicOf resolves the topic alias. [MQTT-3.3.2-8] [MQTT-3.3.2-9] [MQTT-3.3.2-12]
func (c *conn) topicOf(p *packet.Publish) ([]byte, error) {
	if !p.Properties.Has(packet.TopicAlias) {
		return p.Topic, nil
	}
	alias := int(p.Properties.Num(packet.TopicAlias, 0))
	if alias > c.room.set.aliasesIn {
		return nil, errAliasRange
	}
	name, known := c.more().aliasesIn.resolve(alias, p.Topic)
	if !known {
		return nil, errAliasUnset
	}
	return name, nil
}

// refused0 is what becomes of n QoS 0 publishes: they have no answer.
func (c *conn) refused0(t *core.Turn, r core.Reason, n int) error {
	switch {
	case r == core.OK, r == core.NoReceiver:
		return nil
	case r == core.BadPayload:
		return errPayload
	case c.version < packet.V5 && r == core.BadTopic:
		return errTopic3
	case c.version < packet.V5 && r == core.NotAuthorized && c.room.set.v3DeniedCloses:
		return errDenied3 // [3: MQTT-3.3.5-2]
	}
	c.room.count.drop(t, r, n)
	return nil
}

// dropped is the word of messages_dropped_total for a refused QoS 0 publish.
func dropped(r core.Reason) string {
	switch r {
	case core.NotAuthorized:
		return "acl"
	case core.QueueFull, core.Quota:
		return "queue_full"
	case core.Busy:
		return "shed"
	}
	return strings.ReplaceAll(r.String(), " ", "_")
}

// publish1 is QoS 1: PUBACK once we own the message. [MQTT-4.3.2-4]
// [3: MQTT-4.3.2-2]
func (c *conn) publish1(t *core.Turn, sc *scratch, p *packet.Publish, to place, out *adapters.Output) error {
	if c.version >= packet.V5 {
		if int(c.inbound.count) >= c.room.set.receiveMax {
			return errReceiveMax // [MQTT-3.3.4-7]
		}
		if c.inUse(p.ID) {
			c.answer(t, out, 0, false, answer{kind: packet.PUBACK, id: p.ID, code: packet.PacketIdentifierInUse})
			return nil
		}
	}
	seq, pending, r := c.submit(t, sc, p, to, nil)
	return c.acknowledge(t, out, seq, pending, packet.PUBACK, p.ID, r)
}

// publish2 is QoS 2, exactly once by the identifiers that the session
// remembers. [MQTT-4.3.3-8] [MQTT-4.3.3-10]
// [3: MQTT-4.3.3-2]
func (c *conn) publish2(t *core.Turn, sc *scratch, p *packet.Publish, to place, out *adapters.Output) error {
	owed, used := c.inbound.owed(p.ID)
	if c.version >= packet.V5 && int(c.inbound.count) >= c.room.set.receiveMax && owed != packet.PUBREC {
		return errReceiveMax
	}
	if c.holds(p.ID) { // DUP decides nothing [MQTT-3.3.1-3] [3: MQTT-3.3.1-3]
		c.room.count.duplicates.Add(1)
		if !used {
			c.hold(t, p.ID) // since a connection before this one
		}
		c.answer(t, out, 0, false, answer{kind: packet.PUBREC, id: p.ID})
		return nil
	}
	if used && c.version >= packet.V5 {
		c.answer(t, out, 0, false, answer{kind: packet.PUBREC, id: p.ID, code: packet.PacketIdentifierInUse})
		return nil
	}
	rseq, rpending := c.remember(t, p.ID)
	c.hold(t, p.ID)
	seq, pending, r := c.submit(t, sc, p, to, nil)
	if seq == 0 { // not published at all: the identifier alone must be safe
		seq, pending = rseq, rpending
	}
	return c.acknowledge2(t, out, seq, pending, p.ID, r)
}

// acknowledge2 answers a PUBLISH of QoS 2 whose identifier is held.
func (c *conn) acknowledge2(t *core.Turn, out *adapters.Output, seq uint64, pending bool, id uint16, r core.Reason) error {
	if r != core.OK && r != core.NoReceiver { // after a refusal the identifier is free [MQTT-4.3.3-9]
		c.free(t, id)
		seq, pending = 0, false
	}
	return c.acknowledge(t, out, seq, pending, packet.PUBREC, id, r)
}

// holds tells that a QoS 2 exchange with the identifier has begun and its PUBREL
// has not come.
func (c *conn) holds(id uint16) bool {
	if x := c.inbound.get(id); x != nil && x.holds {
		return true
	}
	return c.mayHold && c.session.Seen(uint64(id))
}

// remember lets the session keep an identifier of QoS 2 that is about to be
// held, unless it ends with the connection.
func (c *conn) remember(t *core.Turn, id uint16) (seq uint64, pending bool) {
	if !c.durable {
		return 0, false
	}
	return c.session.Remember(t, uint64(id))
}

// forget is the end of remember.
func (c *conn) forget(t *core.Turn, id uint16) (seq uint64, pending bool) {
	if x := c.inbound.get(id); x != nil {
		x.holds = false
	}
	if !c.durable && !c.mayHold {
		return 0, false
	}
	return c.session.Forget(t, uint64(id))
}

// hold notes an identifier of QoS 2 until its PUBCOMP.
func (c *conn) hold(t *core.Turn, id uint16) {
	c.inbound.begin(id, packet.PUBREC)
	t.Count(c.room.count.held, 1)
}

// release is the end of hold, unless the client has begun another exchange
// with the identifier.
func (c *conn) release(t *core.Turn, id uint16) {
	if x := c.inbound.get(id); x != nil && x.holds {
		return
	}
	held := c.inbound.held
	c.inbound.end(id, packet.PUBREC)
	t.Count(c.room.count.held, uint64(c.inbound.held-held)) // the gauge goes down by the complement
}

// free is the end of remember and hold for what did not happen.
func (c *conn) free(t *core.Turn, id uint16) {
	c.forget(t, id)
	c.release(t, id)
}

// inUse tells that an exchange of the client holds the identifier.
// [MQTT-2.2.1-3]
func (c *conn) inUse(id uint16) bool {
	return c.inbound.get(id) != nil || c.mayHold && c.session.Seen(uint64(id))
}

// acknowledge answers a PUBLISH, or does what 3.x does instead.
func (c *conn) acknowledge(t *core.Turn, out *adapters.Output, seq uint64, pending bool, kind packet.Type, id uint16, r core.Reason) error {
	a := answer{kind: kind, id: id, code: codesOf(r).puback}
	if c.version < packet.V5 && a.code.Failed() {
		switch {
		case r == core.BadTopic, r == core.BadPayload:
			return errTopic3
		case r == core.NotAuthorized && c.room.set.v3DeniedCloses:
			return errDenied3 // [3: MQTT-3.3.5-2]
		case r != core.NotAuthorized:
			c.room.count.refuse(t, r)
			c.withhold(t, out)
			return nil
		}
		a.code = packet.Success
	}
	if a.code.Failed() {
		a.text = r.String()
		c.room.count.refuse(t, r)
	}
	c.answer(t, out, seq, pending, a)
	return nil
}

// submit routes a message. The seq and pending are core's; a message that
// nobody receives is not built. frame is the PUBLISH as receivers of the same
// version get it with QoS 0; nil: they get another.
func (c *conn) submit(t *core.Turn, sc *scratch, p *packet.Publish, to place, frame []byte) (seq uint64, pending bool, r core.Reason) {
	if c.room.set.payloadCheck && p.Properties.Num(packet.PayloadFormatIndicator, 0) == 1 && !utf8.Valid(p.Payload) {
		return 0, false, core.BadPayload
	}
	if to.after > 0 {
		return c.submitLater(t, p, to)
	}
	mt, r := c.session.Route(t, to.name)
	if r != core.OK {
		return 0, false, r
	}
	if !mt.Any() && !p.Retain {
		return 0, false, core.NoReceiver
	}
	if p.QoS > 0 && mt.Any() { // its receivers hold it until they acknowledge, mostly
		return c.session.Publish(t, mt, c.describe(t.NewMessage(p.Payload), t, p, mt.Topic()))
	}
	m := c.describe(sc.lent.Lend(p.Payload), t, p, mt.Topic())
	if frame != nil {
		sc.lent.Encoded(frameKey(c.version, false), frame)
	}
	return c.session.Publish(t, mt, m)
}

// describe makes m say what a PUBLISH says.
func (c *conn) describe(m *core.Message, t *core.Turn, p *packet.Publish, name string) *core.Message {
	m.Topic, m.Origin, m.QoS, m.Retain = name, Name, p.QoS, p.Retain
	if m.Retain && m.Queue() != "" {
		m.Retain = false // MY3
		c.room.host.Metrics.Lost(Name, "queue", "retain")
	}
	if !p.Properties.Empty() {
		m.Meta = metaOf(&p.Properties)
		m.Expires = expires(t.Now, &p.Properties)
	}
	return m
}

// expires is the instant that a Message Expiry Interval names. 0 is for those
// who can take the message at once. MP11
func expires(now core.Time, p *packet.Properties) core.Time {
	if !p.Has(packet.MessageExpiryInterval) {
		return 0
	}
	d := time.Duration(p.Num(packet.MessageExpiryInterval, 0)) * time.Second
	return now.After(max(d, time.Millisecond))
}
