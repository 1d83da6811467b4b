package interop

import (
	"encoding/hex"
	"strings"
	"testing"
)

func playPayloads(t *testing.T, s *stage) {
	prefix := fresh("p")
	sub, pub := s.connect(t, options{}), s.connect(t, options{})
	sub.subscribe(2, prefix+"/#")
	var every [256]byte
	for i := range every {
		every[i] = byte(i)
	}
	texts := []string{string(every[:]), "", strings.Repeat("0123456789abcdef", 1<<16)}
	for _, text := range texts {
		for qos := range 3 {
			exchange(t, sub, pub, prefix+"/x", text, qos)
		}
	}
	for _, topic := range []string{"", "/", "//", "/ ", "/a b/$x/", "/ünï/日本/𪛔/\uFEFF", "/a.b*c>d%2F", "/" + strings.Repeat("/", 126), "/" + strings.Repeat("ü", (65535-len(prefix)-1)/2)} {
		exchange(t, sub, pub, prefix+topic, "odd", 1)
	}
	longest := prefix + "/" + strings.Repeat("x", 65535-len(prefix)-1)
	exchange(t, sub, pub, longest, "longest", 2)
}

func exchange(t *testing.T, sub, pub *mqttClient, topic, text string, qos int) {
	t.Helper()
	pub.publish(topic, text, qos)
	if m := sub.next(); m.Topic != topic || m.Payload != hex.EncodeToString([]byte(text)) || m.QoS != qos || m.Retain || m.Dup {
		t.Errorf("%.40q %.40q QoS %d came as %.40q %.40q QoS %d retain %v dup %v", topic, text, qos, m.Topic, m.text(), m.QoS, m.Retain, m.Dup)
	}
}

func playRetained(t *testing.T, s *stage) {
	topic, other := fresh("r"), fresh("r")
	pub, sub := s.connect(t, options{}), s.connect(t, options{})
	pub.retain(topic, "one", 1)
	sub.subscribe(1, topic)
	if m := sub.next(); m.text() != "one" || !m.Retain || m.QoS != 1 {
		t.Errorf("retained: %+v", m)
	}
	pub.retain(topic, "two", 0)
	if m := sub.next(); m.text() != "two" || m.Retain { // [MQTT-3.3.1-12]
		t.Errorf("live: %+v", m)
	}
	late := s.connect(t, options{})
	late.subscribe(2, topic, other)
	if m := late.next(); m.text() != "two" || !m.Retain || m.QoS != 0 {
		t.Errorf("replaced: %+v", m)
	}
	pub.retain(topic, "", 1)
	if m := sub.next(); m.text() != "" || m.Retain {
		t.Errorf("cleared: %+v", m)
	}
	later := s.connect(t, options{})
	later.subscribe(2, topic, other)
	pub.publish(other, "nothing before", 2)
	later.expect("nothing before")
}

func playRetainHandling(t *testing.T, s *stage) {
	topic, other := fresh("r"), fresh("r")
	pub, sub := s.connect(t, options{}), s.connect(t, options{})
	pub.retain(topic, "kept", 1)
	sub.subscribe(1, other)
	subscribe := func(handling int, m mqttRequest) {
		m.Op, m.Filters, m.QoS, m.RetainHandling = "subscribe", []string{topic}, 1, handling
		sub.must(m)
		pub.publish(other, "mark", 1)
	}
	subscribe(2, mqttRequest{})
	sub.expect("mark") // [MQTT-3.3.1-11]
	subscribe(1, mqttRequest{})
	sub.expect("mark") // [MQTT-3.3.1-10]
	subscribe(0, mqttRequest{})
	sub.expect("kept", "mark") // [MQTT-3.3.1-9]
	sub.must(mqttRequest{Op: "unsubscribe", Filters: []string{topic}})
	subscribe(1, mqttRequest{RetainAsPublished: true, NoLocal: true})
	sub.expect("kept", "mark")
	pub.retain(topic, "live", 1)
	if m := sub.next(); m.text() != "live" || !m.Retain { // [MQTT-3.3.1-13]
		t.Errorf("retain as published: %+v", m)
	}
	sub.publish(topic, "echo", 1)
	pub.publish(topic, "heard", 1)
	sub.expect("heard") // [MQTT-3.8.3-3]
}
