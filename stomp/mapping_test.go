package stomp

import (
	"testing"

	"github.com/entrepot/entrepot/core"
)

// other publishes as another protocol would.
func other(w *world, m *core.Message, topic string) {
	w.t.Helper()
	turn := w.router.NewTurn(nil)
	turn.Begin()
	s, r := w.router.Attach(turn, core.Client{Protocol: "mqtt"}, quiet{})
	if r != core.OK {
		w.t.Fatal(r)
	}
	mt, r := s.Route(turn, []byte(topic))
	if r != core.OK {
		w.t.Fatal(r)
	}
	m.Topic, m.Origin = mt.Topic(), "mqtt"
	if _, _, r := s.Publish(turn, mt, m); r.Err() != nil {
		w.t.Fatal(r)
	}
	s.Detach(turn, core.Normal)
	turn.End()
}

type quiet struct{}

func (quiet) Ready(*core.Turn)  {}
func (quiet) Evict(core.Reason) {}

func TestSTOMP_EveryPropertyComesBackAsSent(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2", "login:user", "passcode:secret")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a")
		props := map[string]string{
			"content-type": "application/json", "content-encoding": "gzip", "correlation-id": "abc", "priority": "4", "type": "order",
			"timestamp": "1700000000", "user-id": "user", "app-id": "app", "amqp-message-id": "m1", "JMSXGroupID": "g", "JMSXGroupSeq": "3",
			"reply-to": "/queue/r", "persistent": "true", "x-any": "thing",
		}
		lines := []string{"destination:/topic/a"}
		for k, v := range props {
			lines = append(lines, k+":"+v)
		}
		p.say("SEND", append(lines, "", "x")...)
		m := p.bodies("x")[0]
		for k, v := range props {
			if m.header[k] != v {
				t.Errorf("%s: %q, want %q", k, m.header[k], v)
			}
		}
		for _, odd := range []string{"priority:high", "priority:04", "timestamp:noon", "JMSXGroupSeq:-1"} {
			p.say("SEND", "destination:/topic/a", odd, "", odd)
			m := p.bodies(odd)[0]
			for _, k := range []string{"priority", "timestamp", "JMSXGroupSeq"} {
				if v, ok := m.header[k]; ok && k+":"+v != odd {
					t.Errorf("%s came as %s", odd, v)
				}
			}
		}
	})
}

func TestSTOMP_AnAssertedUserMustBeTheLogin(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2", "login:user", "passcode:secret")
		p.say("SEND", "destination:/topic/a", "user-id:other", "", "x")
		p.errorFrame("precondition_failed")
	})
}

func TestSTOMP_ST67_MessagesOfOtherProtocolsKeepTheirMetadata(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		a, b := w.connect("1.2"), w.connect("1.1") // two receivers share one encoding, a version each
		for _, p := range []*peer{a, b} {
			p.say("SUBSCRIBE", "id:1", "destination:/topic/s/+")
		}
		m := core.NewMessage([]byte{0, 0xff, 1})
		m.QoS = 2
		m.Meta = &core.Meta{
			ContentType: "application/octet-stream", ReplyTo: "back/here", Correlation: []byte{0xff, 0},
			Headers: []core.Header{
				{Name: "k", Text: "v:1"}, {Name: "n", Kind: core.Int, Bits: 42}, {Name: "b", Kind: core.Bool, Bits: 1},
				{Name: "destination", Text: "/queue/forged"}, {Name: "message-id", Text: "forged"}, {Name: "", Text: "no name"},
				{Name: "content-type", Text: "forged"},
			},
		}
		other(w, m, "s/a.b")
		for _, p := range []*peer{a, b} {
			got := p.bodies("\x00\xff\x01")[0]
			for k, v := range map[string]string{
				"destination": "/topic/s/a.b", "content-type": "application/octet-stream", "reply-to": "/topic/back/here",
				"correlation-id": "/wA=", "correlation-id-encoding": "base64", "k": "v:1", "n": "42", "b": "true", "persistent": "true",
				"content-length": "3",
			} {
				if got.header[k] != v {
					t.Errorf("%s: %q, want %q", k, got.header[k], v)
				}
			}
			const order = "subscription destination message-id redelivered persistent correlation-id correlation-id-encoding reply-to k n b content-type content-length"
			if got.order != order {
				t.Errorf("order %q", got.order)
			}
		}
		var lost uint64
		w.room.count.metrics.Counters(func(name string, labels [3]string, v uint64) {
			if name == "mapping_dropped_total" && labels[0] == "mqtt" && labels[1] == "stomp" {
				lost += v
			}
		})
		if lost != 8 { // four headers, encoded once a version
			t.Errorf("%d losses counted", lost)
		}
	})
}

func TestSTOMP_ABodyWithoutContentLengthIsText(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SEND", "destination:/topic/t", "retain:true", "", "text")
		p.say("SEND", "destination:/topic/b", "retain:true", "content-length:4", "", "text")
		p.none()
		turn := w.router.NewTurn(nil)
		turn.Begin()
		s, _ := w.router.Attach(turn, core.Client{Protocol: "mqtt"}, quiet{})
		for topic, want := range map[string]bool{"t": true, "b": false} {
			m, r := s.Retained(turn, topic)
			if r != core.OK || (m.Meta != nil && m.Meta.Text) != want {
				t.Errorf("%s: %v, %+v", topic, r, m)
			}
		}
		s.Detach(turn, core.Normal)
		turn.End()
	})
}

func TestSTOMP_ST68_ADotInsideALevelSurvives(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SUBSCRIBE", "id:dot", "destination:/topic/a.*")
		other(w, core.NewMessage([]byte("1")), "a/b.c")
		m := p.bodies("1")[0]
		if m.header["destination"] != "/topic/a.b%2Ec" {
			t.Errorf("%v", m)
		}
		p.say("SEND", "destination:"+m.header["destination"], "", "2")
		if m := p.bodies("2")[0]; m.header["destination"] != "/topic/a.b%2Ec" {
			t.Errorf("%v", m)
		}
	})
}

// SECURITY E12: a value that a header cannot hold is lost and counted, never
// altered.
func TestSecurity_E12_WhatAHeaderCannotHoldIsCounted(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a")
		m := core.NewMessage([]byte("x"))
		m.Meta = &core.Meta{ContentType: "text/\x00", ReplyTo: "r\n", Type: "\xff", Correlation: []byte("a\x00"), Headers: []core.Header{
			{Name: "k", Text: "a\x00b"}, {Name: "n\x00", Text: "v"}, {Name: "ok", Text: "a\r\n:b"}}}
		other(w, m, "a")
		got := p.bodies("x")[0]
		const order = "subscription destination message-id redelivered correlation-id correlation-id-encoding ok content-length"
		if got.order != order || got.header["ok"] != "a\r\n:b" {
			t.Errorf("%v", got)
		}
		for field, want := range map[string]uint64{"content_type": 1, "reply_to": 1, "type": 1, "header": 2} {
			if n := w.room.count.metrics.Counter("mapping_dropped_total", "mqtt", Name, field).Load(); n != want {
				t.Errorf("%s: %d losses", field, n)
			}
		}
	})
}

// A reply topic that is none for anybody else passes between clients of STOMP.
func TestSecurity_E12_AnIllegalReplyTopicPassesAsItIs(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		p := w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a")
		p.say("SEND", "destination:/topic/a", `reply-to:/topic/r\n`, "", "x")
		if got := p.bodies("x")[0]; got.header["reply-to"] != "/topic/r\n" {
			t.Errorf("%v", got)
		}
	})
}
