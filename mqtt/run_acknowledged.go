package mqtt

import (
	"encoding/binary"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// batch is the memory for a run of QoS 1 or 2, or of acknowledgements.
type batch struct {
	n        int
	bytes    int // of the payloads
	messages [core.MaxRun]*core.Message
	ids      [core.MaxRun]uint16
	payloads [core.MaxRun][]byte
	ends     [core.MaxRun]int // where the packets end in what was read
	seqs     [core.MaxRun]uint64
}

// answerOf is what acknowledges a PUBLISH of QoS 1 or 2.
func answerOf(qos uint8) packet.Type {
	if qos == 1 {
		return packet.PUBACK
	}
	return packet.PUBREC
}

// begins tells that a PUBLISH of QoS 1 or 2 at the start of in may be the first
// of a run: the topic is the last one's, its identifier is free, and for QoS 1
// no exchange of the client is open that a new one has to be compared with.
func (c *conn) begins(h packet.Header, in []byte, qos uint8) bool {
	if c.room.set.places || c.room.set.maxQoS < qos || !c.takesAcks() {
		return false
	}
	if c.version >= packet.V5 {
		switch {
		case qos == 1 && (c.mayHold || c.inbound.any() || c.room.set.receiveMax < core.MaxRun):
			return false
		case int(c.inbound.count) >= c.room.set.receiveMax:
			return false
		}
	}
	known := c.session.LastTopic()
	topic := 2 + len(known)
	id, _, ok := c.plain(in[h.Head:h.Size()], topic)
	if !ok || known == "" || int(binary.BigEndian.Uint16(in[h.Head:])) != len(known) || string(in[h.Head:][2:topic]) != known {
		return false
	}
	return qos == 1 || !c.inUse(id)
}

// plain takes a PUBLISH of QoS 1 or 2 apart whose topic has so many bytes with
// its length; false: it has properties, or is not right.
func (c *conn) plain(body []byte, topic int) (id uint16, payload []byte, ok bool) {
	at := topic + 2
	if c.version >= packet.V5 {
		at++
	}
	if len(body) < at || c.version >= packet.V5 && body[at-1] != 0 {
		return 0, nil, false
	}
	id = binary.BigEndian.Uint16(body[topic:])
	return id, body[at:], id != 0
}

// publishAcknowledged takes the PUBLISH of QoS 1 or 2 at the start of in
// together with those behind it that differ in identifier and payload alone. It
// returns their size.
func (c *conn) publishAcknowledged(t *core.Turn, sc *scratch, h packet.Header, in []byte, qos uint8, out *adapters.Output) (size int, err error) {
	b := &sc.batch
	mt, r := c.session.Route(t, in[h.Head+2:][:len(c.session.LastTopic())])
	most := 1
	if r == core.OK || c.deniesAlike(r) {
		most = min(core.MaxRun, 1+t.Left(), c.answers.room())
	}
	if qos == 2 && c.version >= packet.V5 {
		most = min(most, c.room.set.receiveMax-int(c.inbound.count)) // [MQTT-3.3.4-7]
	}
	most = max(most, 1)
	c.gatherAcknowledged(t, b, h, in, qos, most, r == core.OK)
	n := b.n
	switch {
	case r != core.OK: // after a refusal the identifiers are free [MQTT-4.3.3-9]
		c.session.DeniedToo(n - 1)
		err = c.acknowledgeAll(t, out, 0, false, answerOf(qos), b.ids[:n], r)
	case !mt.Any():
		seq, pending := c.rememberAll(t, qos, b.ids[:n], 0, false)
		err = c.acknowledgeAll(t, out, seq, pending, answerOf(qos), b.ids[:n], core.NoReceiver)
	default:
		n, err = c.publishBatch(t, mt, b, qos, out)
	}
	for _, p := range b.payloads[n:b.n] {
		b.bytes -= len(p)
	}
	t.Publishes(n - 1) // Route has counted the first
	t.Count(c.room.count.packets[adapters.In][packet.PUBLISH], uint64(n))
	c.room.traffic.CountAll(t, adapters.In, qos, n, b.bytes)
	clear(b.payloads[:b.n])
	return b.ends[n-1], err
}

// rememberAll is remember for the identifiers of a run that is published in the
// same turn, which has come to seq. It returns what their answers wait for.
func (c *conn) rememberAll(t *core.Turn, qos uint8, ids []uint16, seq uint64, pending bool) (uint64, bool) {
	if qos == 2 && c.durable {
		for _, id := range ids {
			seq, pending = c.session.Remember(t, uint64(id))
		}
	}
	return seq, pending
}

// publishBatch publishes and acknowledges the first n of a run: all, unless
// nothing more may be read after one that was refused.
func (c *conn) publishBatch(t *core.Turn, mt *core.Match, b *batch, qos uint8, out *adapters.Output) (n int, err error) {
	for i, payload := range b.payloads[:b.n] {
		m := t.NewMessage(payload)
		m.Topic, m.Origin, m.QoS = mt.Topic(), Name, qos
		b.messages[i] = m
	}
	defer clear(b.messages[:b.n])
	kind := answerOf(qos)
	seq, pending, reached, done := c.session.PublishAll(t, mt, b.messages[:b.n])
	if done {
		seq, pending = c.rememberAll(t, qos, b.ids[:b.n], seq, pending)
		if err = c.acknowledgeAll(t, out, seq, pending, kind, b.ids[:reached], core.OK); err == nil {
			err = c.acknowledgeAll(t, out, seq, pending, kind, b.ids[reached:b.n], core.NoReceiver)
		}
		return b.n, err
	}
	for n < b.n && err == nil && c.reading() {
		id := b.ids[n]
		c.rememberAll(t, qos, b.ids[n:n+1], 0, false)
		seq, pending, r := c.session.Publish(t, mt, b.messages[n])
		n++
		if qos == 1 {
			err = c.acknowledge(t, out, seq, pending, kind, id, r)
		} else {
			err = c.acknowledge2(t, out, seq, pending, id, r)
		}
	}
	if qos == 2 {
		for _, id := range b.ids[n:b.n] { // they come again
			c.free(t, id)
		}
	}
	return n, err
}

// acknowledgeAll is acknowledge for each.
func (c *conn) acknowledgeAll(t *core.Turn, out *adapters.Output, seq uint64, pending bool, kind packet.Type, ids []uint16, r core.Reason) error {
	if r == core.OK { // [MQTT-4.3.2-4] [MQTT-4.3.3-8] [3: MQTT-4.3.2-2]
		c.answerAll(t, out, seq, pending, kind, ids)
		return nil
	}
	for _, id := range ids {
		if err := c.acknowledge(t, out, seq, pending, kind, id, r); err != nil {
			return err
		}
	}
	return nil
}

// gatherAcknowledged finds the messages of a run. For QoS 1, what 5.0 compares
// identifiers for is kept out of it: they ascend. For QoS 2 it ends before an
// identifier that is in use; they are held from here on, if hold is true.
func (c *conn) gatherAcknowledged(t *core.Turn, b *batch, h packet.Header, in []byte, qos uint8, most int, hold bool) {
	topic, size := 2+len(c.session.LastTopic()), 0
	b.bytes = 0
	for b.n = 0; b.n < most && size < runBytes; b.n++ {
		next, ok := c.alike(h, in, in[size:], topic)
		if !ok {
			return
		}
		id, payload, ok := c.plain(in[size+next.Head:][:next.Body], topic)
		if !ok {
			return
		}
		switch {
		case qos == 1:
			if c.version >= packet.V5 && b.n > 0 && id <= b.ids[b.n-1] {
				return
			}
		case c.inUse(id): // [MQTT-4.3.3-10]
			return
		case hold:
			c.hold(t, id)
		}
		size += next.Size()
		b.bytes += len(payload)
		b.ids[b.n], b.payloads[b.n], b.ends[b.n] = id, payload, size
	}
}
