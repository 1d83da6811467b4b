package client

import "github.com/entrepot/entrepot/mqttsn/packet"

// onPublish hands an incoming message on and acknowledges it. One whose id
// was never agreed on is refused, so that the gateway registers it anew.
func (c *Client) onPublish(body []byte) {
	p, err := packet.ParsePublish(body)
	if err != nil {
		return
	}
	c.mu.Lock()
	name, known := c.topics.name(p.Kind, p.TopicID)
	_, twice := c.received[p.MsgID]
	twice = twice && p.QoS == 2
	if known && p.QoS == 2 {
		c.received[p.MsgID] = struct{}{}
	}
	c.mu.Unlock()
	if !known {
		_ = c.send(packet.TopicAck{Of: packet.PUBACK, TopicID: p.TopicID, MsgID: p.MsgID, Code: packet.InvalidTopicID})
		return
	}
	if !twice && c.opt.OnMessage != nil {
		c.opt.OnMessage(Message{
			Topic: name, Kind: p.Kind, TopicID: p.TopicID,
			QoS: p.QoS, Retain: p.Retain, Dup: p.Dup, Payload: p.Data,
		})
	}
	switch p.QoS {
	case 1:
		_ = c.send(packet.TopicAck{Of: packet.PUBACK, TopicID: p.TopicID, MsgID: p.MsgID})
	case 2:
		_ = c.send(packet.Ack{Of: packet.PUBREC, MsgID: p.MsgID})
	}
}

// onPubrel ends a QoS 2 delivery.
func (c *Client) onPubrel(body []byte) {
	p, err := packet.ParseAck(packet.PUBREL, body)
	if err != nil {
		return
	}
	c.mu.Lock()
	delete(c.received, p.MsgID)
	c.mu.Unlock()
	_ = c.send(packet.Ack{Of: packet.PUBCOMP, MsgID: p.MsgID})
}
