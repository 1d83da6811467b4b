package client

import (
	"time"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// Message is a message to publish or one that was received. What is below
// Retain needs MQTT 5.0.
type Message struct {
	Topic         string
	Payload       []byte
	QoS           byte
	Retain        bool
	Redelivered   bool          // received with DUP
	Text          bool          // the payload is UTF-8 (Payload Format Indicator 1)
	Expiry        time.Duration // whole seconds; 0: none
	ContentType   string
	ResponseTopic string
	Correlation   []byte
	User          []Property
	Subscriptions []uint32      // identifiers, of received messages
	Delay         time.Duration // of a will
}

// Property is one User Property.
type Property struct{ Key, Value string }

// properties fills p for sending.
func (m *Message) properties(p *packet.Properties) {
	if m.Text {
		p.SetNum(packet.PayloadFormatIndicator, 1)
	}
	if m.Expiry > 0 {
		p.SetNum(packet.MessageExpiryInterval, seconds(m.Expiry))
	}
	for _, s := range []struct {
		id packet.PropID
		v  string
	}{{packet.ContentType, m.ContentType}, {packet.ResponseTopic, m.ResponseTopic}, {packet.CorrelationData, string(m.Correlation)}} {
		if s.v != "" {
			p.SetStr(s.id, []byte(s.v))
		}
	}
	for _, u := range m.User {
		p.User = append(p.User, packet.Pair{Key: []byte(u.Key), Value: []byte(u.Value)})
	}
}

// seconds rounds up and stays in the range of the wire.
func seconds(d time.Duration) uint32 {
	return uint32(min((d+time.Second-1)/time.Second, 1<<32-1))
}

// received copies a PUBLISH out of the read buffer.
func received(p *packet.Publish, topic string) Message {
	m := Message{Topic: topic, Payload: append([]byte(nil), p.Payload...), QoS: p.QoS, Retain: p.Retain, Redelivered: p.Dup}
	props := &p.Properties
	if props.Empty() {
		return m
	}
	m.Text = props.Num(packet.PayloadFormatIndicator, 0) == 1
	m.Expiry = time.Duration(props.Num(packet.MessageExpiryInterval, 0)) * time.Second
	m.ContentType = string(props.Str(packet.ContentType))
	m.ResponseTopic = string(props.Str(packet.ResponseTopic))
	m.Correlation = append([]byte(nil), props.Str(packet.CorrelationData)...)
	m.Subscriptions = append([]uint32(nil), props.SubscriptionIDs...)
	for _, u := range props.User {
		m.User = append(m.User, Property{string(u.Key), string(u.Value)})
	}
	return m
}
