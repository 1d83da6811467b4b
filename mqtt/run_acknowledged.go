package mqtt

import (
	"bytes"
	"encoding/binary"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// batch is the memory for a run of QoS 1, or of PUBACK packets.
type batch struct {
	n        int
	messages [core.MaxRun]*core.Message
	ids      [core.MaxRun]uint16
	payloads [core.MaxRun][]byte
	seqs     [core.MaxRun]uint64
}

const pubackSize = 4 // of one that says nothing but success

// begins1 tells that a PUBLISH of QoS 1 at the start of in may be the first of a
// run: the topic is the last one's, another follows, and no exchange of the
// client is open that a new one has to be compared with.
func (c *conn) begins1(h packet.Header, in []byte) bool {
	if c.room.set.places || c.room.set.maxQoS < 1 || c.maxOut > 0 && c.maxOut < pubackSize {
		return false
	}
	if c.version >= packet.V5 && (c.mayHold || c.inbound.any() || c.room.set.receiveMax < core.MaxRun) {
		return false
	}
	known := c.session.LastTopic()
	topic := 2 + len(known)
	_, _, ok := c.plain1(in[h.Head:h.Size()], topic)
	return ok && known != "" && int(binary.BigEndian.Uint16(in[h.Head:])) == len(known) && string(in[h.Head:][2:topic]) == known
}

// plain1 takes a PUBLISH of QoS 1 apart whose topic has so many bytes with its
// length; false: it has properties, or is not right.
func (c *conn) plain1(body []byte, topic int) (id uint16, payload []byte, ok bool) {
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

// publishRun1 takes the PUBLISH at the start of in together with those behind
// it that differ in identifier and payload alone. It returns their size.
func (c *conn) publishRun1(t *core.Turn, sc *scratch, h packet.Header, in []byte, out *adapters.Output) (size int, err error) {
	b := &sc.batch
	mt, r := c.session.Route(t, in[h.Head+2:][:len(c.session.LastTopic())])
	most := 1
	if r == core.OK || c.deniesAlike(r) {
		most = min(core.MaxRun, 1+t.Left())
	}
	size = c.gather1(t, b, h, in, most)
	t.Publishes(b.n - 1) // Route has counted the first
	switch {
	case r != core.OK:
		c.session.DeniedToo(b.n - 1)
		err = c.acknowledgeAll(t, out, 0, false, b.ids[:b.n], r)
	case !mt.Any():
		err = c.acknowledgeAll(t, out, 0, false, b.ids[:b.n], core.NoReceiver)
	default:
		err = c.publishBatch(t, mt, b, out)
	}
	clear(b.payloads[:b.n])
	return size, err
}

// publishBatch publishes and acknowledges a run.
func (c *conn) publishBatch(t *core.Turn, mt *core.Match, b *batch, out *adapters.Output) (err error) {
	for i, payload := range b.payloads[:b.n] {
		m := t.NewMessage(payload)
		m.Topic, m.Origin, m.QoS = mt.Topic(), Name, 1
		b.messages[i] = m
	}
	defer clear(b.messages[:b.n])
	seq, pending, reached, done := c.session.PublishAll(t, mt, b.messages[:b.n])
	if done {
		if err = c.acknowledgeAll(t, out, seq, pending, b.ids[:reached], core.OK); err == nil {
			err = c.acknowledgeAll(t, out, seq, pending, b.ids[reached:b.n], core.NoReceiver)
		}
		return err
	}
	for i, m := range b.messages[:b.n] {
		seq, pending, r := c.session.Publish(t, mt, m)
		if err = c.acknowledge(t, out, seq, pending, packet.PUBACK, b.ids[i], r); err != nil {
			break
		}
	}
	return err
}

// acknowledgeAll is acknowledge for each.
func (c *conn) acknowledgeAll(t *core.Turn, out *adapters.Output, seq uint64, pending bool, ids []uint16, r core.Reason) error {
	if r == core.OK && !pending && c.answers.empty() { // [MQTT-4.3.2-4] [3: MQTT-4.3.2-2]
		for _, id := range ids {
			out.B = packet.AppendAck(out.B, c.version, packet.PUBACK, id, packet.Success)
		}
		t.Count(c.room.count.packets[adapters.Out][packet.PUBACK], uint64(len(ids)))
		return nil
	}
	for _, id := range ids {
		if err := c.acknowledge(t, out, seq, pending, packet.PUBACK, id, r); err != nil {
			return err
		}
	}
	return nil
}

// gather1 finds the messages of a run. What 5.0 compares identifiers for is
// kept out of it: they ascend.
func (c *conn) gather1(t *core.Turn, b *batch, h packet.Header, in []byte, most int) (size int) {
	topic := 2 + len(c.session.LastTopic())
	head, bytesOf := in[h.Head:][:topic], 0
	for b.n = 0; b.n < most && size < runBytes && size < len(in) && in[size] == plain1; {
		next, state := packet.Scan(in[size:], c.room.set.packetBytes)
		if state != packet.Complete || next.Body < topic {
			break
		}
		body := in[size+next.Head:][:next.Body]
		id, payload, ok := c.plain1(body, topic)
		if !ok || !bytes.Equal(body[:topic], head) || c.version >= packet.V5 && b.n > 0 && id <= b.ids[b.n-1] {
			break
		}
		b.ids[b.n], b.payloads[b.n] = id, payload
		b.n++
		size += next.Size()
		bytesOf += len(payload)
	}
	t.Count(c.room.count.packets[adapters.In][packet.PUBLISH], uint64(b.n))
	c.room.traffic.CountAll(t, adapters.In, 1, b.n, bytesOf)
	return size
}

// settleRun takes the PUBACK packets at the start of in that say nothing but
// success, of deliveries of one consumer, up to the first that is anything else.
// It returns their size, 0 if there are not two of them.
func (c *conn) settleRun(t *core.Turn, sc *scratch, in []byte) (size int) {
	if len(in) < 2*pubackSize || !isPuback(in[pubackSize:]) {
		return 0
	}
	var consumer *core.Consumer
	n := 0
	for ; n < core.MaxRun && isPuback(in[size:]); n++ {
		f := c.inflight.get(binary.BigEndian.Uint16(in[size+2:]))
		if f == nil || f.qos != 1 || n > 0 && f.consumer != consumer {
			break
		}
		consumer = f.consumer
		sc.batch.seqs[n] = f.seq
		c.inflight.done(f) // [MQTT-4.9.0-2]
		size += pubackSize
	}
	if n > 0 {
		consumer.SettleAll(t, sc.batch.seqs[:n]) // [MQTT-4.3.2-3]
		c.freed = c.freed || c.extra.anyStalled()
		t.Count(c.room.count.packets[adapters.In][packet.PUBACK], uint64(n))
	}
	return size
}

func isPuback(in []byte) bool {
	return len(in) >= pubackSize && in[0] == puback && in[1] == pubackSize-2
}
