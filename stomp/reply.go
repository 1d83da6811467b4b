package stomp

import (
	"github.com/entrepot/entrepot/core"
)

// replyQueue is the private queue that a SEND names as its reply-to. Replies
// arrive without a SUBSCRIBE, with subscription:/temp-queue/NAME (ST31).
func (c *conn) replyQueue(t *core.Turn, name string) (string, *failure) {
	q, _, bad := c.tempQueue(t, name)
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
