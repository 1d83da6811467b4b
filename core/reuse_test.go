package core_test

import (
	"testing"

	"github.com/entrepot/entrepot/core"
)

// made publishes a message whose memory the turn may use again.
func (c *conn) made(topic, payload string, set func(m *core.Message)) *core.Message {
	c.w.t.Helper()
	mt, reason := c.Route(c.w.turn, []byte(topic))
	expect(c.w.t, "route", reason, core.OK)
	m := c.w.turn.NewMessage([]byte(payload))
	m.Topic, m.QoS = mt.Topic(), 1
	if set != nil {
		set(m)
	}
	if _, _, reason = c.Publish(c.w.turn, mt, m); reason.Err() != nil {
		c.w.t.Fatal(reason)
	}
	return m
}

// reuses tells whether the turn would use the memory of m now.
func (w *world) reuses(m *core.Message) bool {
	other := w.turn.NewMessage(m.Payload[:len(m.Payload):len(m.Payload)])
	return other == m
}

func TestASettledMessageIsUsedAgainWhole(t *testing.T) {
	simulate(t, func(w *world) {
		p, s := w.attach(core.Client{}), w.attach(core.Client{ID: "s"})
		s.sub("a", 2)
		for _, payload := range []string{"small", string(make([]byte, 200)), string(make([]byte, 1000))} {
			first := p.made("a", payload, func(m *core.Message) {
				m.Meta, m.Expires, m.QoS = &core.Meta{Text: true}, w.turn.Now+100_000, 2
				m.SetFrame(7, []byte("encoded"))
			})
			got := s.expect(9, "a="+payload+"/2")
			s.settle(core.Received, got...)
			s.settle(core.Accepted, got...)
			again := w.turn.NewMessage([]byte(payload[1:]))
			if again != first {
				t.Fatalf("%d bytes: it is not", len(payload))
			}
			if again.Meta != nil || again.Expires != 0 || again.QoS != 0 || again.Frame(7) != nil || again.Topic != "" || string(again.Payload) != payload[1:] || cap(again.Payload) != len(payload)-1 {
				t.Errorf("it is not as new: %+v", again)
			}
		}
	})
}

func TestWhatSomebodyElseMayHoldIsNotUsedAgain(t *testing.T) {
	simulate(t, func(w *world) {
		p, s, other := w.attach(core.Client{}), w.attach(core.Client{ID: "s"}), w.attach(core.Client{ID: "o"})
		s.sub("#", 1)
		other.sub("two", 1)
		for name, f := range map[string]func() *core.Message{
			"two receivers": func() *core.Message { return p.made("two", "x", nil) },
			"retained":      func() *core.Message { return p.made("kept", "x", retained) },
			"taken twice":   func() *core.Message { return p.made("one", "x", nil) },
		} {
			m := f()
			w.end()
			got := s.take(9)
			if len(got) != 1 {
				t.Fatalf("%s: %d deliveries", name, len(got))
			}
			if name == "taken twice" { // given back: it is the queue's
				s.settle(core.Released, got...)
				if w.reuses(m) {
					t.Errorf("%s: it waits and is used again", name)
				}
				s.settle(core.Rejected, s.take(9)...)
			} else {
				s.settle(core.Accepted, got...)
			}
			if w.reuses(m) {
				t.Errorf("%s: it is used again", name)
			}
		}
		got := other.take(9)
		if text(got) != "two=x/1" {
			t.Errorf("the other got %q", text(got))
		}
	})
}
