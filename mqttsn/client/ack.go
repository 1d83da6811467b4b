package client

import (
	"time"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

// onAnswer hands an answer to the exchange that waits for it. One that nobody
// waits for is a repetition and ignored; a DISCONNECT then ends the client,
// unless it may be a second answer to Sleep.
func (c *Client) onAnswer(t packet.Type, body []byte) {
	id, r, ok := parseAnswer(t, body)
	if !ok {
		return
	}
	c.mu.Lock()
	w := c.answer
	if id != 0 {
		w = c.answers[id]
	}
	wanted := w != nil && w.wants(t)
	if wanted {
		if w.then != nil {
			w.then(r)
		}
		select {
		case w.reply <- r:
		default:
		}
	}
	echo := c.slept != 0 && time.Since(c.began) < c.slept+c.opt.RetryInterval
	ending := t == packet.DISCONNECT && !wanted && !echo && (c.state == active || c.state == connecting || c.state == awake)
	c.mu.Unlock()
	if ending {
		c.end(ErrDisconnected)
	}
}

func parseAnswer(t packet.Type, body []byte) (id uint16, r reply, ok bool) {
	r.of = t
	var err error
	switch t {
	case packet.CONNACK, packet.WILLTOPICRESP, packet.WILLMSGRESP:
		var p packet.Result
		p, err = packet.ParseResult(t, body)
		r.code = p.Code
	case packet.WILLTOPICREQ, packet.WILLMSGREQ, packet.PINGRESP:
		_, err = packet.ParseBare(t, body)
	case packet.DISCONNECT:
		_, err = packet.ParseDisconnect(body)
	case packet.GWINFO:
		var p packet.GWInfo
		p, err = packet.ParseGWInfo(body)
		r.topicID = uint16(p.GatewayID)
	case packet.REGACK, packet.PUBACK:
		var p packet.TopicAck
		p, err = packet.ParseTopicAck(t, body)
		id, r.code, r.topicID = p.MsgID, p.Code, p.TopicID
	case packet.PUBREC, packet.PUBCOMP, packet.UNSUBACK:
		var p packet.Ack
		p, err = packet.ParseAck(t, body)
		id = p.MsgID
	case packet.SUBACK:
		var p packet.SubAck
		p, err = packet.ParseSubAck(body)
		id, r.code, r.topicID, r.qos = p.MsgID, p.Code, p.TopicID, p.QoS
	default:
		return 0, r, false
	}
	return id, r, err == nil
}
