package stomp

import (
	"strings"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// consumeQueue joins the consumers of a named queue; /queue/NAME makes it when
// it is absent, /amq/queue/NAME does not.
func (c *conn) consumeQueue(t *core.Turn, sub *subscription, f *frame.Frame) (mark, *failure) {
	name, opts := sub.dest.name, sub.options(f)
	var m mark
	consumer, r := c.session.Consume(t, name, opts)
	if r == core.NotFound && sub.dest.kind == toQueue {
		spec, bad := queueSpec(f, name)
		if bad != nil {
			return mark{}, bad
		}
		if m, bad = c.declare(t, spec); bad != nil {
			return mark{}, bad
		}
		consumer, r = c.session.Consume(t, name, opts)
	}
	if r != core.OK {
		return mark{}, fromReason(r, "queue '"+name+"'")
	}
	sub.consumer = consumer
	return c.bindAll(t, sub, f, m)
}

func (c *conn) declare(t *core.Turn, spec core.QueueSpec) (mark, *failure) {
	_, _, seq, pending, r := c.session.Declare(t, spec)
	if r != core.OK {
		return mark{}, fromReason(r, "queue '"+spec.Name+"'")
	}
	return mark{seq: seq, pending: pending}, nil
}

// bindAll adds the filters of x-bind to a named queue (ST30). A comma inside a
// filter is written %2C.
func (c *conn) bindAll(t *core.Turn, sub *subscription, f *frame.Frame, m mark) (mark, *failure) {
	list, ok := f.Get("x-bind")
	if !ok {
		return m, nil
	}
	for s := range strings.SplitSeq(string(list), ",") {
		s = strings.NewReplacer("%2C", ",", "%2c", ",").Replace(s)
		d, bad := c.room.cfg.parseSubscribe(s)
		if bad == nil && (d.kind != toTopic || d.group != "") {
			bad = invalidDestination(s, "topic")
		}
		if bad != nil {
			sub.consumer.Cancel(t)
			return m, bad
		}
		seq, pending, r := c.session.Bind(t, sub.dest.name, core.Subscription{Filter: d.name, QoS: 2, RetainHandling: 2, Wide: d.wide})
		if r != core.OK {
			sub.consumer.Cancel(t)
			return m, fromReason(r, "'"+s+"'")
		}
		m = later(m, mark{seq: seq, pending: pending})
	}
	return m, nil
}

// consumeNamed serves a topic subscription whose queue has a name: a durable
// one stays when the connection goes (ST46).
func (c *conn) consumeNamed(t *core.Turn, sub *subscription, f *frame.Frame, name string, durable bool) (mark, *failure) {
	spec, bad := queueSpec(f, name)
	if bad != nil {
		return mark{}, bad
	}
	spec.Durable, spec.AutoDelete = durable, !durable
	spec.Limits.Overflow = core.DropOldest
	var m mark
	if _, r := c.session.Inspect(name); r != core.OK {
		if m, bad = c.declare(t, spec); bad != nil {
			return mark{}, bad
		}
	}
	var bound []core.Subscription
	if strings.HasPrefix(name, durablePrefix) { // a queue that the client named may have bindings of others
		bound, _ = c.session.Bindings(name)
	}
	for _, old := range bound {
		if old.Filter != sub.dest.name { // a changed filter replaces the binding
			seq, pending, _ := c.session.Unbind(t, name, old.Filter)
			m = later(m, mark{seq: seq, pending: pending})
		}
	}
	seq, pending, r := c.session.Bind(t, name, sub.binding(f, 2))
	if r != core.OK {
		return mark{}, fromReason(r, sub.dest.name)
	}
	m = later(m, mark{seq: seq, pending: pending})
	if sub.consumer, r = c.session.Consume(t, name, sub.options(f)); r != core.OK {
		return mark{}, fromReason(r, sub.dest.name)
	}
	if durable {
		sub.durable = name
	}
	return m, nil
}
