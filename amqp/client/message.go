package client

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/entrepot/entrepot/core/topic"
)

// Message is one message to publish, or one that was received. Topics are
// canonical (a/b, $queue/NAME).
type Message struct {
	Topic       string
	Payload     []byte
	QoS         int // 0, 1
	Retain      bool
	Redelivered bool
	ContentType string
	Expiry      time.Duration // 0: none
	ReplyTo     string        // a topic
	Correlation []byte
	Headers     []Header
}

// Header is one application header.
type Header struct{ Name, Value string }

// publishing maps the message as docs/mapping.md says.
func (m *Message) publishing() amqp.Publishing {
	p := amqp.Publishing{Body: m.Payload, ContentType: m.ContentType, DeliveryMode: amqp.Transient}
	if m.QoS > 0 {
		p.DeliveryMode = amqp.Persistent
	}
	if m.Expiry > 0 {
		p.Expiration = strconv.FormatInt(max(1, m.Expiry.Milliseconds()), 10)
	}
	set := func(name string, v any) {
		if p.Headers == nil {
			p.Headers = amqp.Table{}
		}
		p.Headers[name] = v
	}
	if m.Retain {
		set("x-retain", true)
	}
	if queue, ok := strings.CutPrefix(m.ReplyTo, queuePrefix); ok {
		p.ReplyTo = queue
	} else if m.ReplyTo != "" {
		set("x-reply-to-topic", topic.Dotted.EncodeName(m.ReplyTo))
	}
	if c := string(m.Correlation); len(c) <= 255 && utf8.ValidString(c) && strings.IndexByte(c, 0) < 0 {
		p.CorrelationId = c
	} else {
		set("x-correlation-id", c)
	}
	headers(m.Headers, set)
	return p
}

// headers: the first of a name stands in the table, all of a name that comes
// more than once in x-dup.
func headers(hs []Header, set func(string, any)) {
	count := map[string]int{}
	for _, h := range hs {
		count[h.Name]++
	}
	var dup []any
	seen := map[string]bool{}
	for _, h := range hs {
		if !seen[h.Name] {
			seen[h.Name] = true
			set(h.Name, h.Value)
		}
		if count[h.Name] > 1 {
			dup = append(dup, amqp.Table{"name": h.Name, "value": h.Value})
		}
	}
	if dup != nil {
		set("x-dup", dup)
	}
}

// received maps a delivery back.
func received(d *amqp.Delivery, qos int) Message {
	m := Message{
		Payload: d.Body, ContentType: d.ContentType, Redelivered: d.Redelivered,
		QoS: min(qos, max(0, int(d.DeliveryMode)-1)), Correlation: []byte(d.CorrelationId),
	}
	if d.Exchange == "" {
		m.Topic = queuePrefix + d.RoutingKey
	} else if t, err := topic.Dotted.DecodeName(d.RoutingKey); err == nil {
		m.Topic = t
	}
	if ms, err := strconv.ParseUint(d.Expiration, 10, 32); err == nil {
		m.Expiry = time.Duration(ms) * time.Millisecond
	}
	if d.ReplyTo != "" {
		m.ReplyTo = queuePrefix + d.ReplyTo
	}
	if len(m.Correlation) == 0 {
		m.Correlation = nil
	}
	dup, _ := d.Headers["x-dup"].([]any)
	for name, v := range d.Headers {
		m.header(name, v, dup)
	}
	for _, e := range dup {
		if t, ok := e.(amqp.Table); ok {
			m.Headers = append(m.Headers, Header{fmt.Sprint(t["name"]), fmt.Sprint(t["value"])})
		}
	}
	return m
}

// header sorts one header of a delivery to where it belongs.
func (m *Message) header(name string, v any, dup []any) {
	switch name {
	case "x-dup", "x-delivery-count", "x-utf8":
	case "x-retain":
		m.Retain, _ = v.(bool)
	case "x-topic":
		m.Topic, _ = v.(string)
	case "x-content-type":
		m.ContentType, _ = v.(string)
	case "x-correlation-id":
		m.Correlation = fmt.Append(nil, v)
	case "x-reply-to-topic":
		s, _ := v.(string)
		m.ReplyTo, _ = topic.Dotted.DecodeName(s)
	default:
		for _, e := range dup {
			if t, ok := e.(amqp.Table); ok && t["name"] == name {
				return
			}
		}
		m.Headers = append(m.Headers, Header{name, fmt.Sprint(v)})
	}
}
