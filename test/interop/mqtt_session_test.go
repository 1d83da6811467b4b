package interop

import (
	"fmt"
	"testing"
	"time"
)

// killable is a client in a process of its own.
func (s *stage) killable(t *testing.T, o options) *mqttClient {
	t.Helper()
	o.peer = s.start(t)
	return s.connect(t, o)
}

// dying connects a client with a will, and subscribes so that every kind of client is connected.
func (s *stage) dying(t *testing.T, will mqttWill, o options) *mqttClient {
	t.Helper()
	o.Will = &will
	c := s.killable(t, o)
	c.subscribe(0, fresh("idle"))
	return c
}

func playWill(t *testing.T, s *stage) {
	topic := fresh("w")
	watch := s.connect(t, options{})
	watch.subscribe(2, topic+"/#")
	victim := s.dying(t, mqttWill{mqttMessage: mqttMessage{Topic: topic + "/killed", Payload: "676f6e65", QoS: 1, Retain: true}}, options{})
	victim.kill()
	if m := watch.next(); m.text() != "gone" || m.Topic != topic+"/killed" || m.QoS != 1 || m.Retain {
		t.Errorf("the will: %+v", m)
	}
	late := s.connect(t, options{})
	late.subscribe(1, topic+"/killed")
	if m := late.next(); m.text() != "gone" || !m.Retain {
		t.Errorf("the retained will: %+v", m)
	}

	id := fresh("id")
	leaving := s.dying(t, mqttWill{mqttMessage: mqttMessage{Topic: topic + "/left", QoS: 1, Payload: "6e6f"}}, options{mqttRequest: mqttRequest{ID: id}})
	leaving.disconnect()
	again := s.connect(t, options{mqttRequest: mqttRequest{ID: id}}) // the gateway has seen the end of the first by then
	again.subscribe(0, fresh("idle"))
	late.publish(topic+"/mark", "mark", 1)
	if s.can&leavesWithWill != 0 { // DISCONNECT 04
		watch.expect("no")
	}
	watch.expect("mark") // [MQTT-3.14.4-3]
}

func playWillDelay(t *testing.T, s *stage) {
	const delay = 4
	for {
		topic, id := fresh("w"), fresh("id")
		watch := s.connect(t, options{})
		watch.subscribe(2, topic+"/#")
		will := func(who string) mqttWill {
			return mqttWill{Delay: delay, mqttMessage: mqttMessage{Topic: topic + "/" + who, QoS: 1, Payload: "676f6e65"}}
		}
		back := s.dying(t, will("back"), options{resumes: true, mqttRequest: mqttRequest{ID: id}})
		away := s.dying(t, will("away"), options{resumes: true})
		killed := time.Now()
		back.kill()
		again := s.connect(t, options{resumes: true, mqttRequest: mqttRequest{ID: id}})
		again.subscribe(0, fresh("idle"))
		inTime := time.Since(killed) < delay*time.Second
		killed = time.Now()
		away.kill()
		m := watch.next()
		if !inTime {
			continue // the machine is too busy to tell
		}
		if m.Topic != topic+"/away" { // [MQTT-3.1.3-9]
			t.Errorf("the will came all the same: %s", m.Topic)
		}
		if late := time.Since(killed); late < delay*time.Second {
			t.Errorf("the will came after %v", late)
		}
		return
	}
}

func playSession(t *testing.T, s *stage) {
	topic, id := fresh("s"), fresh("id")
	o := options{resumes: true, mqttRequest: mqttRequest{ID: id}}
	sub := s.connect(t, o)
	sub.subscribe(2, topic+"/#")
	sub.disconnect()
	pub := s.connect(t, options{})
	const count = 40
	for qos := 1; qos <= 2; qos++ {
		pub.burst(fmt.Sprintf("%s/%d", topic, qos), "m", qos, 0, count)
	}
	again := s.connect(t, o)
	if s.can&connects == 0 {
		again.subscribe(2, topic+"/#")
	} else if s.version > 3 && !again.ack.Present {
		t.Error("the session is gone")
	}
	next := map[string]int{}
	for range 2 * count {
		m := again.next()
		if want := fmt.Sprintf("m%d", next[m.Topic]); m.text() != want || m.Dup {
			t.Fatalf("%s: %q instead of %q, dup %v", m.Topic, m.text(), want, m.Dup) // [MQTT-4.6.0-6]
		}
		next[m.Topic]++
	}
	pub.publish(topic+"/1", "last", 1)
	again.expect("last")
}

func playTakeover(t *testing.T, s *stage) {
	topic, id := fresh("t"), fresh("id")
	first := s.killable(t, options{mqttRequest: mqttRequest{ID: id}})
	first.subscribe(1, topic)
	second := s.connect(t, options{mqttRequest: mqttRequest{ID: id}})
	second.subscribe(1, topic)
	want := 0
	if s.version == 5 {
		want = 0x8E // [MQTT-3.1.4-3]
	}
	if code := first.lost(); code != want {
		t.Errorf("the first ended with 0x%X, want 0x%X", code, want)
	}
	s.connect(t, options{}).publish(topic, "to the second", 1)
	second.expect("to the second")
}
