package interop

import (
	"encoding/hex"
	"fmt"
	"testing"
	"time"
)

// wait waits for an event.
func wait(t *testing.T, done <-chan struct{}, what fmt.Stringer) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		t.Fatalf("%v does not come", what)
	}
}

// tryPublish publishes a text with QoS 2 from outside the test's own goroutine.
func (c *mqttClient) tryPublish(topic, text string) error {
	_, err := c.ask(mqttRequest{Op: "publish", mqttMessage: mqttMessage{Topic: topic, Payload: hex.EncodeToString([]byte(text)), QoS: 2}})
	return err
}

// tryBurst is burst for other goroutines than the test's own.
func (c *mqttClient) tryBurst(topic, prefix string, qos, from, count int) error {
	_, err := c.ask(mqttRequest{Op: "publish", Count: count, From: from, mqttMessage: mqttMessage{Topic: topic, Payload: hex.EncodeToString([]byte(prefix)), QoS: qos}})
	return err
}

// playStorm cuts every connection again and again while messages flow.
func playStorm(t *testing.T, s *stage) {
	const rounds, count = 6, 20
	topic := fresh("storm")
	p := startProxy(t, s.server.port[s.scheme])
	o := options{url: s.at(p.port), resumes: true, mqttRequest: mqttRequest{Reconnect: true}}
	sub, pub := s.connect(t, o), s.connect(t, o)
	sub.subscribe(2, topic+"/#")
	times := [3]map[string]int{{}, {}, {}}
	for round := range rounds {
		for qos := 1; qos <= 2; qos++ {
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				if err := pub.tryBurst(fmt.Sprintf("%s/%d", topic, qos), "", qos, round*count, count); err != nil {
					t.Errorf("the publisher: %v", err) // at once, for then what it has not sent does not come
				}
			}()
			for len(times[qos]) < (round+1)*count {
				m := sub.next()
				first := len(times[qos]) == round*count
				if times[m.QoS][m.text()]++; m.QoS == 2 && times[2][m.text()] > 1 && s.can&(onceIn|onceOut) == onceIn|onceOut {
					t.Errorf("QoS 2: %s comes twice, dup %v", m.text(), m.Dup)
				}
				if first && m.QoS == qos {
					p.cutAll()
				}
			}
			<-sent
		}
	}
}
