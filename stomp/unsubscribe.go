package stomp

import (
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// unsubscribe ends a subscription (ST41). What was written stays settleable.
func (c *conn) unsubscribe(t *core.Turn, f *frame.Frame) (mark, *failure) {
	key := ""
	if id, ok := f.Get("id"); ok {
		key = "T_" + string(id)
	} else if d, ok := f.Get("destination"); ok && c.version == frame.V10 {
		key = "Q_" + string(d)
	} else {
		return mark{}, failed(core.ProtocolError, "Missing destination or id", "neither header is there")
	}
	sub := c.subs.byKey[key]
	durable := text(f, "durable") == "true" || text(f, "persistent") == "true"
	name := subscriptionName(f)
	if sub == nil && !durable && name == "" {
		return mark{}, failed(core.NotFound, "No subscription found", "'"+key[2:]+"' is not subscribed")
	}
	var queue string
	if sub != nil {
		queue = sub.durable
		c.end(t, sub)
	}
	if !durable && name == "" {
		return mark{}, nil
	}
	if asked := text(f, "x-queue-name"); asked != "" {
		queue = asked
	} else if name != "" {
		queue = c.durableQueue(name)
	} else if queue == "" {
		queue = c.durableQueue(key[2:])
	}
	if _, r := c.session.Delete(t, queue, false, false); r != core.OK && (r != core.NotFound || sub == nil) {
		if r == core.NotFound {
			return mark{}, failed(r, "No subscription found", "'"+key[2:]+"' is not subscribed")
		}
		return mark{}, fromReason(r, key[2:])
	}
	return mark{}, nil
}

// end cancels the consumer: the core releases what was not settled, and a
// private queue goes with it.
func (c *conn) end(t *core.Turn, sub *subscription) {
	sub.consumer.Cancel(t)
	c.subs.end(sub, c.room.cfg.MaxUnacked)
	c.room.count.subscriptions.Add(^uint64(0))
}
