package stomp

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// sendTarget is the destination of the last SEND, resolved: most clients send
// to the same one again.
type sendTarget struct {
	dest  string
	topic []byte // as the core routes it
	kind  kind
}

func (c *conn) send(t *core.Turn, f *frame.Frame, lent *core.Lent) (mark, *failure) {
	topic, bad := c.resolve(t, f)
	if bad != nil {
		return mark{}, bad
	}
	if _, ok := f.Get("message-id"); ok { // ST37
		return mark{}, failed(core.Malformed, "Invalid header", "'message-id' is not allowed on 'SEND'.")
	}
	x, bad := c.readProperties(t, f)
	if bad != nil {
		return mark{}, bad
	}
	in, bad := c.enlist(f, func(*transaction) (action, *failure) {
		x.qos = 1 // COMMIT answers for the whole transaction
		m := newMessage(f, x)
		mt, r := c.session.Route(t, topic)
		if r == core.OK {
			r = c.session.Admits(t, mt, m, 1, int64(m.Size()))
		}
		if r != core.OK {
			return action{}, fromReason(r, text(f, "destination"))
		}
		return action{topic: topic, message: m}, nil
	})
	if in || bad != nil {
		return mark{deferred: true}, bad
	}
	mt, r := c.session.Route(t, topic)
	if r != core.OK {
		return mark{}, fromReason(r, text(f, "destination"))
	}
	c.room.count.traffic.Count(t, adapters.In, x.qos, len(f.Body))
	if !mt.Any() && !x.retain { // ST58: a SEND that matches nobody gets its RECEIPT
		return mark{}, nil
	}
	var m *core.Message
	if x.qos == 0 && !f.Owned() {
		m = x.describe(lent.Lend(f.Body))
		defer lent.Lend(nil)
	} else {
		m = newMessage(f, x)
	}
	m.Topic = mt.Topic()
	return c.published(c.session.Publish(t, mt, m))
}

// publish is SEND at COMMIT.
func (c *conn) publish(t *core.Turn, topic []byte, m *core.Message) (mark, *failure) {
	mt, r := c.session.Route(t, topic)
	if r != core.OK {
		return mark{}, fromReason(r, string(topic))
	}
	c.room.count.traffic.Count(t, adapters.In, m.QoS, len(m.Payload))
	if !mt.Any() && !m.Retain {
		return mark{}, nil
	}
	m.Topic = mt.Topic()
	return c.published(c.session.Publish(t, mt, m))
}

func (c *conn) published(seq uint64, pending bool, r core.Reason) (mark, *failure) {
	if r.Err() != nil {
		return mark{}, fromReason(r, "")
	}
	return mark{seq: seq, pending: pending}, nil
}

// newMessage builds what the core keeps. A body that was gathered from pieces
// is taken over, any other is copied.
func newMessage(f *frame.Frame, x properties) *core.Message {
	var m *core.Message
	if f.Owned() {
		m = &core.Message{Payload: f.KeepBody()}
	} else {
		m = core.NewMessage(f.Body)
	}
	return x.describe(m)
}

// describe makes m say what the headers say.
func (x *properties) describe(m *core.Message) *core.Message {
	m.Origin, m.QoS, m.Retain, m.Expires, m.Meta = Name, x.qos, x.retain, x.expires, x.meta
	return m
}

// resolve finds the topic that the destination header names.
func (c *conn) resolve(t *core.Turn, f *frame.Frame) ([]byte, *failure) {
	dest, ok := f.Get("destination")
	if !ok {
		return nil, failed(core.ProtocolError, "Missing destination", "'destination' is required") // ST37
	}
	if len(dest) == 0 || dest[0] != '/' || string(dest) != c.target.dest { // a type hint may change what a bare one means
		if bad := c.newTarget(t, f, string(dest)); bad != nil {
			return nil, bad
		}
	}
	if c.target.kind == toExisting {
		return c.target.topic, c.exists(c.target.topic)
	}
	return c.target.topic, nil
}

// newTarget reads a destination and makes what it asks for.
func (c *conn) newTarget(t *core.Turn, f *frame.Frame, dest string) *failure {
	s := dest
	if s != "" && s[0] != '/' && anycast(f, "destination-type") {
		s = "/queue/" + s
	}
	d, bad := c.room.cfg.parseSend(s)
	if bad != nil {
		return bad
	}
	topic := d.name
	switch d.kind {
	case toQueue:
		topic = queuePrefix + d.name
		bad = c.declareFor(t, f, d.name)
	case toExisting, toReply:
		topic = queuePrefix + d.name
		d.kind = toExisting
	case toTemp:
		var q string
		q, bad = c.tempQueue(t, d.name)
		topic = queuePrefix + q
	}
	if bad != nil {
		return bad
	}
	c.target = sendTarget{dest: dest, topic: []byte(topic), kind: d.kind}
	return nil
}

// exists refuses a queue that is not there: the destination asked for one
// that is. Another connection's private queue may be sent to.
func (c *conn) exists(topic []byte) *failure {
	name := string(topic[len(queuePrefix):])
	if _, r := c.session.Inspect(name); r == core.NotFound {
		return fromReason(r, "queue '"+name+"'")
	}
	return nil
}

// declareFor makes the queue with the policy in the SEND's headers, if it has
// any; a plain SEND leaves that to the routing.
func (c *conn) declareFor(t *core.Turn, f *frame.Frame, name string) *failure {
	spec, bad := queueSpec(f, name)
	if bad != nil {
		return bad
	}
	if spec == (core.QueueSpec{Name: name, Durable: true}) {
		return nil
	}
	if _, r := c.session.Inspect(name); r != core.NotFound {
		return nil
	}
	_, bad = c.declare(t, spec)
	return bad
}
