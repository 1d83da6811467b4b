package client

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/entrepot/entrepot/core/topic"
	"github.com/entrepot/entrepot/stomp/frame"
)

// Message is one message to publish, or one that was received.
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

const queuePrefix = "$queue/"

// send is the SEND of a message, without receipt.
func (m *Message) send() *frame.Frame {
	f := &frame.Frame{Command: frame.Send, Body: m.Payload}
	f.Add("destination", destination(m.Topic))
	if m.Retain {
		f.Add("retain", "true")
	}
	if m.QoS > 0 {
		f.Add("persistent", "true")
	}
	if m.ContentType != "" {
		f.Add("content-type", m.ContentType)
	}
	if m.Expiry > 0 {
		f.Add("expiration", strconv.FormatInt(max(1, m.Expiry.Milliseconds()), 10))
	}
	if m.ReplyTo != "" {
		f.Add("reply-to", destination(m.ReplyTo))
	}
	switch {
	case len(m.Correlation) == 0:
	case utf8.Valid(m.Correlation) && bytes.IndexByte(m.Correlation, 0) < 0: // a header holds no NUL
		f.Add("correlation-id", string(m.Correlation))
	default:
		f.Add("correlation-id", base64.StdEncoding.EncodeToString(m.Correlation))
		f.Add("correlation-id-encoding", "base64")
	}
	for _, h := range m.Headers {
		f.Add(h.Name, h.Value)
	}
	return f
}

// names is the last destination that a connection has read, as text: most
// messages come to the same again.
type names struct{ dest, topic string }

func (x *names) topicOf(dest []byte) string {
	if string(dest) != x.dest || x.topic == "" {
		x.dest = string(dest)
		x.topic = topicOf(x.dest)
	}
	return x.topic
}

// received turns a MESSAGE into a message that keeps nothing of the frame.
func received(f *frame.Frame, last *names) Message {
	m := Message{Payload: f.KeepBody()}
	raw := false
	for i := range f.Headers {
		v := f.Headers[i].Value
		switch name := f.Headers[i].Name; string(name) {
		case "subscription", "message-id", "ack", "content-length", "expires", "x-delivery-count":
		case "destination":
			m.Topic = last.topicOf(v)
		case "persistent":
			if string(v) == "true" {
				m.QoS = 1
			}
		case "retained":
			m.Retain = string(v) == "true"
		case "redelivered":
			m.Redelivered = string(v) == "true"
		case "content-type":
			m.ContentType = string(v)
		case "expiration":
			if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && n > 0 {
				m.Expiry = time.Duration(min(n, 1<<40)) * time.Millisecond
			}
		case "reply-to":
			m.ReplyTo = topicOf(string(v))
		case "correlation-id":
			m.Correlation = []byte(string(v))
		case "correlation-id-encoding":
			raw = string(v) == "base64"
		default:
			m.Headers = append(m.Headers, Header{string(name), string(v)})
		}
	}
	if raw {
		if b, err := base64.StdEncoding.DecodeString(string(m.Correlation)); err == nil {
			m.Correlation = b
		}
	}
	return m
}

var (
	escapeQueue   = strings.NewReplacer("/", "%2F", "%", "%25")
	unescapeQueue = strings.NewReplacer("%2F", "/", "%2f", "/", "%25", "%")
)

// destination is where a topic is sent to.
func destination(name string) string {
	if q, ok := strings.CutPrefix(name, queuePrefix); ok {
		return "/queue/" + escapeQueue.Replace(q)
	}
	return "/topic/" + topic.Dotted.EncodeName(name)
}

// topicOf is the topic that a destination names; what is none stays as it is.
func topicOf(dest string) string {
	if q, ok := strings.CutPrefix(dest, "/queue/"); ok {
		return queuePrefix + unescapeQueue.Replace(q)
	}
	if q, ok := strings.CutPrefix(dest, "/reply-queue/"); ok {
		return queuePrefix + q
	}
	name, ok := strings.CutPrefix(dest, "/topic/")
	if !ok || strings.IndexByte(name, '/') >= 0 {
		return name
	}
	return topic.Dotted.DecodeText(name)
}

// subscribe is the SUBSCRIBE for a filter.
func subscribe(filter, id string, qos int) *frame.Frame {
	f := &frame.Frame{Command: frame.Subscribe}
	f.Add("id", id)
	group, rest, shared, err := topic.SplitShare(filter)
	switch q, queue := strings.CutPrefix(filter, queuePrefix); {
	case shared && err == nil:
		f.Add("destination", "/topic/"+topic.Dotted.EncodeFilter(rest))
		f.Add("x-group", group)
	case queue:
		f.Add("destination", "/queue/"+escapeQueue.Replace(q))
	default:
		f.Add("destination", "/topic/"+topic.Dotted.EncodeFilter(filter))
	}
	if qos > 0 {
		f.Add("ack", "client-individual")
		f.Add("prefetch-count", "256")
	}
	return f
}
