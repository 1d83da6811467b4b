package client

import (
	"context"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

func (t Topic) wire() packet.Topic {
	if t.kind == packet.Predefined {
		return packet.Topic{Kind: t.kind, ID: t.id}
	}
	return packet.Topic{Kind: t.kind, Name: []byte(t.name)}
}

// Subscribe asks for the messages of a topic or filter with at most the given
// QoS, and returns the granted one (section 6.9).
func (c *Client) Subscribe(ctx context.Context, t Topic, qos packet.QoS) (packet.QoS, error) {
	if err := c.ready(); err != nil {
		return 0, err
	}
	w := newWait(func(r reply) {
		if r.code == packet.Accepted && t.kind == packet.Normal && r.topicID != packet.NoTopicID {
			c.topics.add(r.topicID, t.name)
		}
	}, packet.SUBACK)
	id, err := c.begin(w)
	if err != nil {
		return 0, err
	}
	defer c.finish(id)
	r, err := c.await(ctx, w, func(attempt int) packet.Packet {
		return packet.Subscribe{Dup: attempt > 0, QoS: qos, MsgID: id, Topic: t.wire()}
	})
	if err != nil {
		return 0, err
	}
	return r.qos, refused(packet.SUBACK, r.code)
}

// Unsubscribe ends a subscription.
func (c *Client) Unsubscribe(ctx context.Context, t Topic) error {
	if err := c.ready(); err != nil {
		return err
	}
	w := newWait(nil, packet.UNSUBACK)
	id, err := c.begin(w)
	if err != nil {
		return err
	}
	defer c.finish(id)
	_, err = c.await(ctx, w, func(int) packet.Packet { return packet.Unsubscribe{MsgID: id, Topic: t.wire()} })
	return err
}
