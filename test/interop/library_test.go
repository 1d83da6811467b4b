package interop

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core/topic"
	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/test/script"
)

func all(protocol string) dial.Ability { return dial.Abilities(protocol, "") }

// newNode is npm's mqtt, MQTT 5 over WebSocket.
func newNode(t *testing.T, s *server) script.Peer {
	same := func(topic string, _ bool) string { return topic }
	h := &helper{protocol: "mqtt", encode: same, decode: func(a string) string { return a },
		says:  script.Ability{Ability: all("mqtt")},
		shows: script.Ability{Ability: all("mqtt"), Topic: true, QoS: true, RetainBit: true},
		read: func(p map[string]any, m *dial.Message) {
			common(p, m)
			if n, ok := p["expiry"].(float64); ok {
				m.Expiry = time.Duration(n) * time.Second
			}
			headers(p["headers"], m)
		}}
	h.start(t, "node", "node/matrix_peer.js", s.url("ws", "/mqtt"))
	return h
}

// newStompPy is python3-stomp, STOMP 1.2.
func newStompPy(t *testing.T, s *server) script.Peer {
	const prefix = "/topic/"
	h := &helper{protocol: "stomp",
		encode: func(name string, _ bool) string { return prefix + name },
		decode: func(a string) string { return a[min(len(prefix), len(a)):] },
		says:   script.Ability{Ability: all("stomp")},
		shows:  script.Ability{Ability: all("stomp"), Topic: true, RetainBit: true},
		read: func(p map[string]any, m *dial.Message) {
			common(p, m)
			m.ReplyTo = m.ReplyTo[min(len(prefix), len(m.ReplyTo)):]
			m.Retain = p["retained"] == "true"
			m.Expiry = untilMillis(p["expires"])
			headers(p, m)
		}}
	h.start(t, python(), "python/stomp_peer.py", "127.0.0.1", s.port["stomp"])
	return h
}

// newPika is python3-pika, AMQP 0-9-1.
func newPika(t *testing.T, s *server) script.Peer {
	h := &helper{protocol: "amqp", encode: dotted, decode: undotted,
		says:  script.Ability{Ability: all("amqp")},
		shows: script.Ability{Ability: all("amqp"), Topic: true, RetainBit: true},
		read: func(p map[string]any, m *dial.Message) {
			m.ContentType, _ = p["content_type"].(string)
			id, _ := p["correlation_id"].(string)
			m.Correlation = []byte(id)
			if ms, err := strconv.Atoi(fmt.Sprint(p["expiration"])); err == nil {
				m.Expiry = time.Duration(ms) * time.Millisecond
			}
			headers(p["headers"], m)
			for _, h := range m.Headers {
				switch h.Name {
				case "x-reply-to-topic":
					m.ReplyTo = undotted(h.Value)
				case "x-retain":
					m.Retain = h.Value == "true"
				}
			}
		}}
	h.start(t, python(), "python/pika_peer.py", "127.0.0.1", s.port["amqp"])
	return h
}

// python is the interpreter that Debian's packages belong to.
func python() string {
	if p := os.Getenv("PYTHON"); p != "" {
		return p
	}
	return "/usr/bin/python3"
}

func dotted(name string, filter bool) string {
	if filter {
		return topic.Dotted.EncodeFilter(name)
	}
	return topic.Dotted.EncodeName(name)
}

func undotted(key string) string {
	name, err := topic.Dotted.DecodeName(key)
	if err != nil {
		return "undecodable " + key
	}
	return name
}

// common reads what STOMP and MQTT 5 name alike.
func common(p map[string]any, m *dial.Message) {
	m.ContentType, _ = p["content-type"].(string)
	m.ReplyTo, _ = p["reply-to"].(string)
	id, _ := p["correlation-id"].(string)
	m.Correlation = []byte(id)
}

// headers reads a map of headers, in the order of their names.
func headers(v any, m *dial.Message) {
	set, _ := v.(map[string]any)
	names := make([]string, 0, len(set))
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		m.Headers = append(m.Headers, dial.Header{Name: name, Value: fmt.Sprint(set[name])})
	}
}

// untilMillis is the time left until an instant in milliseconds since 1970.
func untilMillis(v any) time.Duration {
	ms, err := strconv.ParseInt(fmt.Sprint(v), 10, 64)
	if err != nil {
		return 0
	}
	return time.Until(time.UnixMilli(ms))
}
