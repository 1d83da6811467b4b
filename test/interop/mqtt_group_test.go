package interop

import (
	"fmt"
	"testing"
	"time"
)

// members subscribe to one group; all they get goes into one box.
func (s *stage) members(t *testing.T, filter string, n int) (all []*mqttClient, got *box[mqttAnswer]) {
	t.Helper()
	got = newBox[mqttAnswer]()
	for range n {
		c := s.killable(t, options{})
		c.got = got
		if codes := c.subscribe(2, filter); len(codes) != 1 || codes[0] != 2 {
			t.Fatalf("SUBACK %v", codes)
		}
		all = append(all, c)
	}
	return all, got
}

func playGroup(t *testing.T, s *stage) {
	const count = 300
	topic := fresh("g")
	_, got := s.members(t, "$share/"+fresh("group")+"/"+topic+"/#", 3)
	pub := s.connect(t, options{})
	for qos := range 3 {
		pub.burst(topic+"/x", "", qos, 0, count)
		pub.burst(topic+"/x", "", qos, count, 1) // a repetition comes before this one, or is seen below
		times := map[string]int{}
		for i := range count + 1 {
			m, ok := got.take(patience)
			if !ok {
				t.Fatalf("QoS %d: %d of %d messages came; missing: %v", qos, i, count+1, missing(times, count+1))
			}
			if m.QoS != qos {
				t.Errorf("QoS %d came as %d", qos, m.QoS)
			}
			if times[m.text()]++; times[m.text()] > 1 {
				t.Errorf("QoS %d: %s came to more than one member", qos, m.text())
			}
		}
	}
}

// missing are the numbers that did not come.
func missing(times map[string]int, count int) (all []int) {
	for i := range count {
		if times[fmt.Sprint(i)] == 0 {
			all = append(all, i)
		}
	}
	return all
}

func playGroupLeave(t *testing.T, s *stage) {
	const part = 100
	topic := fresh("g")
	members, got := s.members(t, "$share/"+fresh("group")+"/"+topic, 3)
	pub := s.connect(t, options{})
	for i, leave := range []func(){func() {}, members[0].disconnect, members[1].killOrLeave(s)} {
		sent := make(chan error, 1)
		go func() { sent <- pub.tryBurst(topic, "", 1, i*part, part) }()
		leave()
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	times := map[string]int{}
	for deadline := time.Now().Add(patience); len(times) < 3*part; {
		m, ok := got.take(time.Until(deadline))
		if !ok {
			t.Fatalf("missing: %v", missing(times, 3*part))
		}
		times[m.text()]++
	}
}

// killOrLeave ends a member: by kill -9 where its library hands a message on before it acknowledges.
func (c *mqttClient) killOrLeave(s *stage) func() {
	if s.can&connects == 0 { // libmosquitto acknowledges first
		return c.disconnect
	}
	return c.kill
}
