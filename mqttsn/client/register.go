package client

import (
	"context"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

// Register agrees with the gateway on an id for a topic name (section 6.5).
func (c *Client) Register(ctx context.Context, name string) (uint16, error) {
	if err := c.ready(); err != nil {
		return 0, err
	}
	w := newWait(func(r reply) {
		if r.code == packet.Accepted {
			c.topics.add(r.topicID, name)
		}
	}, packet.REGACK)
	id, err := c.begin(w)
	if err != nil {
		return 0, err
	}
	defer c.finish(id)
	r, err := c.await(ctx, w, func(int) packet.Packet { return packet.Register{MsgID: id, Name: []byte(name)} })
	if err != nil {
		return 0, err
	}
	return r.topicID, refused(packet.REGACK, r.code)
}

// onRegister learns an id from the gateway.
func (c *Client) onRegister(body []byte) {
	p, err := packet.ParseRegister(body)
	if err != nil {
		return
	}
	code := packet.Accepted
	if p.TopicID == packet.NoTopicID || p.TopicID > packet.MaxTopicID {
		code = packet.InvalidTopicID
	} else {
		c.mu.Lock()
		c.topics.add(p.TopicID, string(p.Name))
		c.mu.Unlock()
	}
	_ = c.send(packet.TopicAck{Of: packet.REGACK, TopicID: p.TopicID, MsgID: p.MsgID, Code: code})
}
