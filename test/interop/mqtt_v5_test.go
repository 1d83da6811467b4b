package interop

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
)

func playProperties(t *testing.T, s *stage) {
	topic := fresh("v")
	sub, pub := s.connect(t, options{}), s.connect(t, options{})
	sub.subscribe(1, topic)
	want := mqttMessage{Topic: topic, Payload: "00ff", QoS: 1, ContentType: "application/x", Response: topic + "/back", Correlation: hex.EncodeToString([]byte("id-1")),
		Expires: 3600, User: [][2]string{{"b", "1"}, {"a", "2"}, {"c", "3"}, {"a", "4"}, {"b", "1"}}}
	pub.send(want)
	m := sub.next()
	if s.can&groups != 0 {
		slices.SortStableFunc(want.User, func(a, b [2]string) int {
			order := func(x [2]string) int { return slices.Index([]string{"b", "a", "c"}, x[0]) }
			return cmp.Compare(order(a), order(b))
		})
	}
	if !slices.Equal(m.User, want.User) { // [MQTT-3.3.2-18]
		t.Errorf("user properties %v, want %v", m.User, want.User)
	}
	if m.Payload != want.Payload || m.ContentType != want.ContentType || m.Response != want.Response || m.Correlation != want.Correlation {
		t.Errorf("%+v, want %+v", m.mqttMessage, want)
	}
	if m.Expires <= 3600-60 || m.Expires > 3600 { // [MQTT-3.3.2-6]
		t.Errorf("message expiry %d", m.Expires)
	}
}

func playRequest(t *testing.T, s *stage) {
	topic := fresh("v")
	asking, answering := s.connect(t, options{}), s.connect(t, options{})
	asking.subscribe(1, topic+"/answers")
	answering.subscribe(1, topic+"/questions")
	other := s.connect(t, options{})
	for _, id := range []string{"one", "two"} {
		other.send(mqttMessage{Topic: topic + "/questions", Payload: hex.EncodeToString([]byte("?" + id)), QoS: 1, Response: topic + "/answers", Correlation: hex.EncodeToString([]byte(id))})
		q := answering.next()
		other.send(mqttMessage{Topic: q.Response, Payload: hex.EncodeToString([]byte("!")), QoS: 1, Correlation: q.Correlation})
		if a := asking.next(); a.Correlation != hex.EncodeToString([]byte(id)) || a.text() != "!" {
			t.Errorf("the answer to %s: %+v", id, a)
		}
	}
}

func playIdentifiers(t *testing.T, s *stage) {
	topic := fresh("v")
	sub, pub := s.connect(t, options{}), s.connect(t, options{})
	for id, filter := range map[int]string{7: topic + "/#", 268_435_455: topic + "/+"} {
		sub.must(mqttRequest{Op: "subscribe", Filters: []string{filter}, Identifier: id, mqttMessage: mqttMessage{QoS: 1}})
	}
	pub.publish(topic+"/both", "x", 1)
	m := sub.next()
	slices.Sort(m.Identifiers)
	if want := []int{7, 268_435_455}; s.can&manyIDs != 0 && !slices.Equal(m.Identifiers, want) || len(m.Identifiers) == 0 || !slices.Contains(want, m.Identifiers[0]) { // [MQTT-3.3.4-4]
		t.Errorf("identifiers %v", m.Identifiers)
	}
	pub.publish(topic+"/one/of", "x", 1)
	if m := sub.next(); !slices.Equal(m.Identifiers, []int{7}) {
		t.Errorf("identifiers %v", m.Identifiers)
	}
}

func playAliases(t *testing.T, s *stage) {
	topic := fresh("v")
	sub, pub := s.connect(t, options{mqttRequest: mqttRequest{TopicAliasMax: 2}}), s.connect(t, options{})
	sub.subscribe(1, topic+"/#")
	for _, m := range []mqttMessage{
		{Topic: topic + "/a", Alias: 5, Payload: "31", QoS: 1}, {Alias: 5, Payload: "32", QoS: 1}, {Topic: topic + "/b", Alias: 5, Payload: "33", QoS: 1},
		{Alias: 5, Payload: "34", QoS: 1}, {Topic: topic + "/a", Payload: "35", QoS: 1}, {Topic: topic + "/c", Payload: "36", QoS: 1}, {Topic: topic + "/c", Payload: "37", QoS: 1},
	} {
		pub.send(m)
	}
	for i, want := range []mqttMessage{{Topic: "/a", Alias: 1}, {Topic: "/a", Alias: 1}, {Topic: "/b", Alias: 2}, {Topic: "/b", Alias: 2}, {Topic: "/a", Alias: 1}, {Topic: "/c"}, {Topic: "/c"}} {
		m := sub.next()
		if m.Topic != topic+want.Topic || m.Alias != want.Alias || m.text() != string(rune('1'+i)) {
			t.Errorf("message %d: topic %s alias %d %q, want %+v", i, m.Topic, m.Alias, m.text(), want)
		}
	}
}

func playReceiveMaximum(t *testing.T, s *stage) {
	const count = 20
	topic := fresh("v")
	p := startProxy(t, s.server.port[s.scheme])
	var unacknowledged, most atomic.Int64
	if s.scheme == "mqtt" {
		p.watch(func(toClient bool, packet []byte) {
			switch kind := packet[0] >> 4; {
			case toClient && kind == typePublish:
				most.Store(max(most.Load(), unacknowledged.Add(1)))
			case !toClient && (kind == typePubAck || kind == typePubComp):
				unacknowledged.Add(-1)
			}
		})
	}
	sub, pub := s.connect(t, options{url: s.at(p.port), mqttRequest: mqttRequest{ReceiveMaximum: 1}}), s.connect(t, options{})
	sub.subscribe(2, topic)
	for qos := 1; qos <= 2; qos++ {
		pub.burst(topic, "", qos, 0, count)
		for i, text := range sub.texts(count) {
			if text != strconv.Itoa(i) {
				t.Fatalf("QoS %d: message %d is %s", qos, i, text)
			}
		}
	}
	if most.Load() > 1 { // [MQTT-3.3.4-9]
		t.Errorf("%d were unacknowledged", most.Load())
	}
}

// elapsed waits until the gateway's clock has gone on by so many seconds: a retained message has expired.
func elapsed(t *testing.T, s *stage, seconds int) {
	t.Helper()
	clock, mark := fresh("clock"), fresh("mark")
	pub := s.connect(t, options{})
	pub.send(mqttMessage{Topic: clock, Payload: "74696d65", QoS: 1, Retain: true, Expires: seconds})
	c := s.connect(t, options{})
	c.subscribe(1, mark)
	for {
		c.subscribe(1, clock)
		pub.publish(mark, "mark", 1)
		if m := c.next(); m.text() == "mark" {
			return
		}
		c.expect("mark")
	}
}

func playExpiry(t *testing.T, s *stage) {
	topic := fresh("v")
	o := options{resumes: true, mqttRequest: mqttRequest{ID: fresh("id")}}
	sub := s.connect(t, o)
	sub.subscribe(1, topic)
	sub.disconnect()
	short := options{resumes: true, mqttRequest: mqttRequest{ID: fresh("id"), Expiry: 1}}
	brief := s.connect(t, short)
	brief.subscribe(1, topic)
	brief.disconnect()
	pub := s.connect(t, options{})
	pub.send(mqttMessage{Topic: topic, Payload: hex.EncodeToString([]byte("short")), QoS: 1, Expires: 1})
	pub.send(mqttMessage{Topic: topic, Payload: hex.EncodeToString([]byte("long")), QoS: 1, Expires: 3600})
	elapsed(t, s, 2)
	again := s.connect(t, o)
	if !again.ack.Present {
		t.Error("the session is gone")
	}
	if m := again.next(); m.text() != "long" || m.Expires > 3598 || m.Expires < 3600-120 { // [MQTT-3.3.2-5] [MQTT-3.3.2-6]
		t.Errorf("%q, message expiry %d", m.text(), m.Expires)
	}
	if c := s.connect(t, short); c.ack.Present { // [MQTT-4.1.0-2]
		t.Error("the session outlives its expiry")
	}
}

func playReasonCodes(t *testing.T, s *stage) {
	topic := fresh("v")
	c := s.connect(t, options{})
	if s.can&seesAcks != 0 {
		for qos := 1; qos <= 2; qos++ {
			if code := c.publish(topic, "x", qos); code != 0x10 && (qos == 1 || code != 0) { // PUBCOMP follows PUBREC, and has 0
				t.Errorf("QoS %d, nobody listens: 0x%X", qos, code)
			}
			if code := c.publish("$forbidden/x", "x", qos); code != 0x87 {
				t.Errorf("QoS %d, not authorized: 0x%X", qos, code)
			}
		}
	}
	if codes := c.subscribe(2, topic, "$share//"+topic, topic+"/#"); !slices.Equal(codes, []int{2, 0x8F, 2}) {
		t.Errorf("SUBACK %X", codes)
	}
	if codes := c.must(mqttRequest{Op: "unsubscribe", Filters: []string{topic, topic + "/never"}}).Codes; !slices.Equal(codes, []int{0, 0x11}) {
		t.Errorf("UNSUBACK %X", codes)
	}
	for code, r := range map[int]mqttRequest{
		0x85: {ID: "a+b"},
		0x87: {Will: &mqttWill{mqttMessage: mqttMessage{Topic: "$SYS/x", Payload: "78"}}},
	} {
		if c, err := s.attempt(t, options{mqttRequest: r}); err != nil || c.ack.Code != code {
			t.Errorf("CONNACK 0x%X, want 0x%X; %v", c.ack.Code, code, err)
		}
	}
}

func playRefusals(t *testing.T, s *stage) {
	for code, r := range map[int]mqttRequest{
		2: {ID: "a+b"},
		5: {Will: &mqttWill{mqttMessage: mqttMessage{Topic: "$SYS/x", Payload: "78"}}},
	} {
		if c, err := s.attempt(t, options{mqttRequest: r}); err != nil || c.ack.Code != code {
			t.Errorf("CONNACK %d, want %d; %v", c.ack.Code, code, err)
		}
	}
	if s.version == 4 {
		topic := fresh("v")
		if codes := s.connect(t, options{}).subscribe(1, topic, "$share//"+topic); !slices.Equal(codes, []int{1, 0x80}) {
			t.Errorf("SUBACK %X", codes)
		}
	}
}

func playAssigned(t *testing.T, s *stage) {
	c, err := s.attempt(t, options{nameless: true})
	if err != nil || c.ack.Code != 0 || len(c.ack.Assigned) < 20 { // [MQTT-3.1.3-7]
		t.Errorf("assigned %q, code 0x%X, %v", c.ack.Assigned, c.ack.Code, err)
	}
}

func playServerKeepAlive(t *testing.T, s *stage) {
	c := s.connect(t, options{url: s.url(s.strict)})
	if c.ack.KeepAlive != 7 { // [MQTT-3.1.2-21]
		t.Errorf("server keep alive %d", c.ack.KeepAlive)
	}
	if c := s.connect(t, options{url: s.url(s.strict), mqttRequest: mqttRequest{KeepAlive: 5}}); c.ack.KeepAlive != 0 { // [MQTT-3.2.2-22]
		t.Errorf("server keep alive %d", c.ack.KeepAlive)
	}
}
