package mqtt

import (
	"bytes"
	"time"
	"unicode/utf8"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

var (
	errWillQoS     = &packet.Error{Code: packet.QoSNotSupported, Rule: "MV1 will QoS above the maximum"}
	errWillRetain  = &packet.Error{Code: packet.RetainNotSupported, Rule: "MV1 retained will while retained messages are off"}
	errWillPayload = &packet.Error{Code: packet.PayloadFormatInvalid, Rule: "MM13 will payload is not the UTF-8 that it claims to be"}
)

// checkWill applies what the wire format and core do not: the topic's form and
// the right to publish there are theirs. [MQTT-3.2.2-12] [MQTT-3.2.2-13]
func (c *conn) checkWill(p *packet.Connect) error {
	set := &c.room.set
	switch {
	case !p.HasWill:
		return nil
	case p.WillQoS > set.maxQoS:
		return errWillQoS
	case p.WillRetain && !set.retain:
		return errWillRetain
	case set.payloadCheck && p.WillProperties.Num(packet.PayloadFormatIndicator, 0) == 1 && !utf8.Valid(p.WillPayload):
		return errWillPayload
	}
	return nil
}

// tellsOfBridge knows the will that every bridge of mosquitto has unless its
// notifications are off. What is below $SYS is ours to say, so that it is set
// aside; to refuse it would refuse the bridge.
func tellsOfBridge(name []byte) bool {
	bridge, ok := bytes.CutPrefix(name, []byte("$SYS/broker/connection/"))
	bridge, state := bytes.CutSuffix(bridge, []byte("/state"))
	return ok && state && len(bridge) > 0 && !bytes.ContainsAny(bridge, "/+#")
}

// will makes the message that core keeps with the session; nil without one.
// [MQTT-3.1.2-7] [MQTT-3.1.3-10]
// [3: MQTT-3.1.2-8]
func (c *conn) will(p *packet.Connect) *core.Will {
	if !p.HasWill || tellsOfBridge(p.WillTopic) { // [3: MQTT-3.1.2-12]
		return nil
	}
	m := core.NewMessage(p.WillPayload)
	m.Topic = string(p.WillTopic)
	m.Origin = Name
	m.QoS, m.Retain = p.WillQoS, p.WillRetain // [MQTT-3.1.2-14] [MQTT-3.1.2-15] [3: MQTT-3.1.2-16] [3: MQTT-3.1.2-17]
	m.Meta = metaOf(&p.WillProperties)
	delay := time.Duration(p.WillProperties.Num(packet.WillDelayInterval, 0)) * time.Second
	w := &core.Will{Message: m, Delay: min(delay, c.room.set.expiryMax)} // MV11
	if p.WillProperties.Has(packet.MessageExpiryInterval) {              // counted from publication
		expiry := time.Duration(p.WillProperties.Num(packet.MessageExpiryInterval, 0)) * time.Second
		w.Expiry = max(expiry, time.Millisecond)
	}
	return w
}
