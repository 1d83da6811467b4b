package client

import (
	"context"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

func (w *Will) topic() packet.WillTopic {
	return packet.WillTopic{QoS: w.QoS, Retain: w.Retain, Topic: []byte(w.Topic)}
}

// UpdateWill replaces the stored will; nil deletes it (section 6.4).
func (c *Client) UpdateWill(ctx context.Context, w *Will) error {
	if err := c.ready(); err != nil {
		return err
	}
	topic := packet.WillTopic{Update: true, None: true}
	if w != nil {
		topic = w.topic()
		topic.Update = true
	}
	r, err := c.exchange(ctx, newWait(nil, packet.WILLTOPICRESP), topic)
	if err == nil {
		err = refused(packet.WILLTOPICRESP, r.code)
	}
	if err != nil || w == nil {
		return err
	}
	r, err = c.exchange(ctx, newWait(nil, packet.WILLMSGRESP), packet.WillMsg{Update: true, Payload: w.Payload})
	if err != nil {
		return err
	}
	return refused(packet.WILLMSGRESP, r.code)
}
