package mqtt

import (
	"slices"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// deliver takes from every consumer that has something and for which there is
// room.
func (c *conn) deliver(t *core.Turn, sc *scratch, out *adapters.Output) {
	c.freed = false
	out.Join()
	if sc.retry = sc.retry[:0]; c.extra.anyStalled() {
		sc.retry = append(sc.retry, c.extra.stalled...)
		c.extra.stalled = c.extra.stalled[:0]
	}
	for i, consumer := range sc.retry {
		if !c.drain(t, sc, consumer, out) {
			for _, rest := range sc.retry[i+1:] {
				c.stall(rest)
			}
			return
		}
	}
	for consumer := c.session.NextReady(); consumer != nil; consumer = c.session.NextReady() {
		if !c.drain(t, sc, consumer, out) {
			return
		}
	}
}

// stall remembers a consumer that was stopped by the window or a full output.
func (c *conn) stall(consumer *core.Consumer) {
	if x := c.more(); !slices.Contains(x.stalled, consumer) {
		x.stalled = append(x.stalled, consumer)
	}
}

// drain takes until the consumer has no more or the window is full; false when
// the output is full or the connection has ended. QoS 0 flows at quota 0.
// [MQTT-3.3.4-10]
// [MQTT-4.9.0-3]
func (c *conn) drain(t *core.Turn, sc *scratch, consumer *core.Consumer, out *adapters.Output) bool {
	for {
		if out.Full() {
			c.stall(consumer)
			out.More = true
			return false
		}
		window := c.inflight.free(int(c.window))
		ds := consumer.Take(t, sc.deliveries[:0], window) // [MQTT-3.3.4-9]
		n := len(ds)
		var all sending
		for i := range ds {
			if ds[i].QoS > 0 {
				window--
			}
			c.send(t, sc, &ds[i], out, &all)
		}
		c.sent(t, &all)
		clear(ds)
		t.LetGo()
		switch {
		case c.phase != connected:
			return false
		case n == len(sc.deliveries): // there may be more, QoS 0 at least
		case c.inflight.free(int(c.window)) <= 0:
			c.stall(consumer)
			return true
		case window > 0:
			return true // nothing is left
		}
	}
}

// send appends one delivery, and adds it to all.
func (c *conn) send(t *core.Turn, sc *scratch, d *core.Delivery, out *adapters.Output, all *sending) {
	switch {
	case d.Received:
		c.sendRelease(t, d, out)
	case d.QoS == 0 && !d.Stored && c.sendShared(t, d, out, all): // what is retained would hold its bytes twice
	case c.version < packet.V5:
		c.send3(t, d, out, all)
	default:
		c.send5(t, sc, d, out, all)
	}
}

// send3 appends a PUBLISH of 3.x, which has no properties.
func (c *conn) send3(t *core.Turn, d *core.Delivery, out *adapters.Output, all *sending) {
	m := d.Message
	if c.tooLarge(packetSize(len(m.Topic), d.QoS, len(m.Payload))) {
		c.skip(t, d, out)
		return
	}
	id, dup := uint16(0), false
	if d.QoS > 0 {
		id, dup = c.assign(t, d)
	}
	out.B = packet.AppendPublishHead(out.B, packet.PublishFlags(d.QoS, dup, d.Retain), m.Topic, id, len(m.Payload))
	out.B = append(out.B, m.Payload...)
	c.delivered(t, d, false, out, all)
}

// send5 appends a PUBLISH of 5.0.
func (c *conn) send5(t *core.Turn, sc *scratch, d *core.Delivery, out *adapters.Output, all *sending) {
	m := d.Message
	alias, fresh := c.extra.out().lookup(m.Topic)
	props, lossy := c.appendProps(t, sc.props[:0], d)
	sc.props = props
	if alias != 0 {
		props = packet.AppendNum(props, packet.TopicAlias, uint32(alias))
		sc.props = props
	}
	name := m.Topic
	if alias != 0 && !fresh {
		name = ""
	}
	rest := len(m.Payload) + packet.VarintLen(uint32(len(props))) + len(props)
	size := packetSize(len(name), d.QoS, rest)
	if fresh && c.tooLarge(size) { // without the alias it may fit
		alias, fresh = 0, false
		props = props[:len(props)-3]
		rest = len(m.Payload) + packet.VarintLen(uint32(len(props))) + len(props)
		size = packetSize(len(name), d.QoS, rest)
	}
	if c.tooLarge(size) { // [MQTT-3.1.2-24] [MQTT-3.1.2-25]
		c.skip(t, d, out)
		return
	}
	id, dup := uint16(0), false
	if d.QoS > 0 {
		id, dup = c.assign(t, d)
	}
	switch {
	case fresh && alias != 0:
		c.extra.out().set(m.Topic, alias)
	case alias != 0:
		t.Count(c.room.count.aliasSaved, uint64(len(m.Topic)))
	}
	out.B = packet.AppendPublishHead(out.B, packet.PublishFlags(d.QoS, dup, d.Retain), name, id, rest)
	out.B = append(packet.AppendVarint(out.B, uint32(len(props))), props...)
	out.B = append(out.B, m.Payload...)
	c.delivered(t, d, lossy, out, all)
}

// sending is how many PUBLISH packets were appended, with the bytes of their
// payloads, by QoS: they are counted together.
type sending [3]struct{ messages, bytes int }

// sent counts what was appended.
func (c *conn) sent(t *core.Turn, all *sending) {
	for qos, x := range all {
		if x.messages > 0 {
			t.Count(c.room.count.packets[adapters.Out][packet.PUBLISH], uint64(x.messages))
			c.room.traffic.CountAll(t, adapters.Out, uint8(qos), x.messages, x.bytes)
		}
	}
}

// Direct sends a delivery of QoS 0 that nothing waits before.
func (c *conn) Direct(t *core.Turn, d *core.Delivery, out *adapters.Output) bool {
	if c.phase != connected {
		return false
	}
	var one sending
	if !c.sendShared(t, d, out, &one) {
		sc := core.Borrow[scratch](t)
		c.send(t, sc, d, out, &one)
		t.GiveBack(sc)
	}
	c.sent(t, &one)
	return true
}

// delivered notes a PUBLISH that was appended; lossy tells that a receiver of
// 5.0 does not get everything.
func (c *conn) delivered(t *core.Turn, d *core.Delivery, lossy bool, out *adapters.Output, all *sending) {
	x := &all[d.QoS]
	x.messages++
	x.bytes += len(d.Message.Payload)
	if d.Redelivered() {
		c.room.count.redelivers[d.QoS].Add(1)
		if d.Consumer != c.session.Inbox() {
			c.room.count.handovers.Add(1)
		}
	}
	if c.version < packet.V5 && d.Message.Meta != nil {
		lossy = countLosses3(d.Message, c.room.host.Metrics) // MC23
	}
	c.room.translated.Sent(out, d, adapters.Outcome(lossy))
}

// Keys of encoded forms: this room's number above, version and retain below.
const (
	frameProps = 0x4d51_0000 // the properties that do not differ per delivery; the first octet tells whether the message has more
	frameQoS0  = 0x4d51_0100 // a whole PUBLISH of QoS 0
	frameLossy = 0x4         // with it: the message has more than 5.0 tells
)

// frameKey is that of a whole PUBLISH of QoS 0.
func frameKey(v packet.Version, retain bool) uint32 {
	key := uint32(frameQoS0)
	if v >= packet.V5 {
		key |= 2
	}
	if retain {
		key |= 1
	}
	return key
}

// sendShared sends a QoS 0 PUBLISH that has the same bytes for many receivers,
// or came in as it is to go out; false when this receiver has its own.
func (c *conn) sendShared(t *core.Turn, d *core.Delivery, out *adapters.Output, all *sending) bool {
	m := d.Message
	if m.Expires != 0 || len(d.IDs) > 0 || c.extra.out() != nil {
		return false
	}
	key, lossy := frameKey(c.version, d.Retain), false
	frame := m.Frame(key)
	if frame == nil {
		if !m.Shared() {
			return false
		}
		frame = m.Frame(key | frameLossy)
		lossy = frame != nil
	}
	if frame == nil {
		rest := len(m.Payload)
		var props []byte
		if c.version >= packet.V5 {
			props, lossy = appendMeta(nil, m, c.room.host.Metrics)
			rest += packet.VarintLen(uint32(len(props))) + len(props)
		}
		frame = make([]byte, 0, packetSize(len(m.Topic), 0, rest))
		frame = packet.AppendPublishHead(frame, packet.PublishFlags(0, false, d.Retain), m.Topic, 0, rest) // [MQTT-4.3.1-1] [3: MQTT-4.3.1-1]
		if c.version >= packet.V5 {
			frame = append(packet.AppendVarint(frame, uint32(len(props))), props...)
		}
		frame = append(frame, m.Payload...)
		if lossy {
			key |= frameLossy
		}
		m.SetFrame(key, frame)
	}
	if c.tooLarge(len(frame)) {
		c.tooLargeFor(d, out)
		return true
	}
	out.Lend(frame)
	c.delivered(t, d, lossy, out, all)
	return true
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// packetSize is the size of a PUBLISH.
func packetSize(name int, qos uint8, rest int) int {
	n := 2 + name + rest
	if qos > 0 {
		n += 2
	}
	return 1 + packet.VarintLen(uint32(n)) + n
}

func (c *conn) tooLarge(size int) bool {
	return c.maxOut > 0 && size > int(c.maxOut) || size > packet.MaxVarint
}

// skip settles a delivery that this client cannot take as if it were done.
// MD7
func (c *conn) skip(t *core.Turn, d *core.Delivery, out *adapters.Output) {
	c.tooLargeFor(d, out)
	if d.QoS > 0 {
		d.Consumer.Settle(t, d.Seq, core.Accepted)
	}
}

// tooLargeFor counts a message that this client cannot take.
func (c *conn) tooLargeFor(d *core.Delivery, out *adapters.Output) {
	c.room.count.tooLarge.Add(1)
	c.room.host.Metrics.Dropped(Name, "too_large")
	c.room.translated.Count(out, d.Message, adapters.Untranslated)
}

// appendProps appends the properties of a delivery of 5.0 but the alias. lossy
// tells that the message has more.
func (c *conn) appendProps(t *core.Turn, dst []byte, d *core.Delivery) (props []byte, lossy bool) {
	m := d.Message
	if left, ok := m.Remaining(t.Now, time.Second); ok && !saysExpiry(m) { // [MQTT-3.3.2-6]
		dst = packet.AppendNum(dst, packet.MessageExpiryInterval, uint32(min(max(left, 1), 1<<32-1)))
	}
	for _, id := range d.IDs { // [MQTT-3.3.4-3] [MQTT-3.3.4-4]
		dst = packet.AppendNum(dst, packet.SubscriptionIdentifier, id)
	}
	if m.Meta == nil {
		return dst, false
	}
	if !m.Shared() {
		return appendMeta(dst, m, c.room.host.Metrics)
	}
	form := m.Frame(frameProps)
	if form == nil {
		form, lossy = appendMeta([]byte{0}, m, c.room.host.Metrics)
		form[0] = flag(lossy)
		m.SetFrame(frameProps, form)
	}
	return append(dst, form[1:]...), form[0] != 0
}

// assign gives a delivery its packet identifier, and tells whether the client
// may have seen it under that identifier. The session's own queue numbers its
// messages, and what it has of the retained ones; the identifier follows from
// the number, so that a repetition has that of before without its being stored.
// Where it is taken, another one is found and stored as the delivery's tag. [MQTT-2.2.1-4] [MQTT-4.4.0-1]
// [3: MQTT-2.3.1-4]
func (c *conn) assign(t *core.Turn, d *core.Delivery) (id uint16, dup bool) {
	x := flight{consumer: d.Consumer, seq: d.Seq, qos: d.QoS, counts: true}
	own := d.Consumer == c.session.Inbox()
	again := d.Redelivered() && (own || d.QoS == 2 && d.Tag != 0)
	switch {
	case again && d.Tag != 0:
		x.id = uint16(d.Tag)
	case own && (c.durable || !d.Stored):
		x.id = follows(d)
	}
	if again && c.inflight.restore(x) {
		return x.id, true // [MQTT-3.3.1-1] [3: MQTT-3.3.1-1] [3: MQTT-4.4.0-1]
	}
	if !again && c.inflight.put(x) {
		if !d.Stored {
			c.inflight.own = x.id
		}
		return x.id, false // [MQTT-4.3.2-2] [MQTT-4.3.3-2] [MQTT-4.3.2-1] [3: MQTT-4.3.2-1]
	}
	id = c.inflight.next(x)
	if c.durable {
		d.Consumer.Tag(t, d.Seq, uint32(id))
	}
	return id, again
}

// reserve keeps the identifiers of what is to be repeated from new messages:
// the client still knows them. [MQTT-4.4.0-1]
func (c *conn) reserve() {
	own := c.session.Inbox()
	c.session.Unfinished(func(d core.Delivery) {
		switch {
		case d.Tag != 0:
			c.inflight.reserve(uint16(d.Tag))
		case d.Consumer == own:
			c.inflight.reserve(follows(&d))
		}
	})
}

// follows is the identifier that follows from the number of a delivery of the
// own queue.
func follows(d *core.Delivery) uint16 {
	if d.Stored {
		return scattered(d.Seq)
	}
	return numbered(d.Seq)
}

// numbered is the identifier of a message of the own queue.
func numbered(seq uint64) uint16 { return uint16(seq%65535) + 1 }

// scattered is that of a retained message. 64 that follow each other stay
// together, and each such block is somewhere else than those before it, for a
// walk's numbers say nothing of those that the queue is at.
func scattered(seq uint64) uint16 {
	const block = 1<<6 - 1
	return max(1, uint16(seq>>6*0x9E3779B97F4A7C15>>48)&^block|uint16(seq)&block)
}

// sendRelease repeats the PUBREL of an exchange whose PUBREC had come before
// the connection was lost. It does not count against the Receive Maximum.
// [MQTT-4.3.3-6]
func (c *conn) sendRelease(t *core.Turn, d *core.Delivery, out *adapters.Output) {
	x := flight{consumer: d.Consumer, seq: d.Seq, qos: 2, stage: released, id: uint16(d.Tag)}
	if d.Tag == 0 {
		x.id = follows(d)
	}
	if !c.inflight.restore(x) {
		d.Consumer.Settle(t, d.Seq, core.Accepted) // the identifier means another message by now
		return
	}
	c.room.count.redelivers[2].Add(1)
	c.write(t, out, answer{kind: packet.PUBREL, id: x.id})
}
