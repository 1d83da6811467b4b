package stomp

import (
	"crypto/rand"

	"github.com/entrepot/entrepot/core"
)

// tempQueue is the private queue behind /temp-queue/NAME, made on first use.
func (c *conn) tempQueue(t *core.Turn, name string) (string, *failure) {
	if q, ok := c.temps[name]; ok {
		return q, nil
	}
	if len(c.temps) >= c.room.cfg.MaxSubscriptions {
		return "", fromReason(core.Quota, "private queues of a connection")
	}
	q := tempPrefix + rand.Text()
	_, _, _, _, r := c.session.Declare(t, core.QueueSpec{Name: q, Exclusive: true, AutoDelete: true})
	if r != core.OK {
		return "", fromReason(r, "/temp-queue/"+name)
	}
	if c.temps == nil {
		c.temps = map[string]string{}
	}
	c.temps[name] = q
	return q, nil
}

// replyQueue is the private queue that a SEND names as its reply-to. Replies
// arrive without a SUBSCRIBE, with subscription:/temp-queue/NAME (ST31).
func (c *conn) replyQueue(t *core.Turn, name string) (string, *failure) {
	q, bad := c.tempQueue(t, name)
	if bad != nil {
		return "", bad
	}
	id := "/temp-queue/" + name
	if c.subs.byKey["T_"+id] != nil {
		return q, nil
	}
	if len(c.subs.byKey) >= c.room.cfg.MaxSubscriptions {
		return "", fromReason(core.Quota, "subscriptions of a connection")
	}
	sub := &subscription{id: id, key: "T_" + id, dest: destination{kind: toTemp, name: name}}
	if _, bad = c.consumeTemp(t, sub); bad != nil {
		return "", bad
	}
	c.startSubscription(sub)
	return q, nil
}

// consumeTemp subscribes to a private queue of this connection.
func (c *conn) consumeTemp(t *core.Turn, sub *subscription) (mark, *failure) {
	q, bad := c.tempQueue(t, sub.dest.name)
	if bad != nil {
		return mark{}, bad
	}
	var r core.Reason
	sub.consumer, r = c.session.Consume(t, q, core.ConsumeOptions{QoS: 1, NoAck: sub.mode == ackAuto, AckAll: sub.mode != ackAuto})
	if r != core.OK {
		return mark{}, fromReason(r, "/temp-queue/"+sub.dest.name)
	}
	return mark{}, nil
}
