package mqtt

import (
	"fmt"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

func TestMQTT_MB1_ACodeForEachFilter(t *testing.T) {
	run(t, nil, func(w *world) {
		s := &packet.Subscribe{ID: 9}
		for i, f := range []string{"a", "b/+", "c/#", "bad#", "no"} {
			s.AppendFilter(f, packet.Options(i%3))
		}
		p := w.connect("p", v5)
		p.send(s)
		p.want("SUBACK #9 00 01 02 8f 87")
		old := w.connect("old", v311)
		old.send(s)
		old.want("SUBACK #9 00 01 02 80 80")
	}, denying("subscribe no"))
}

func TestMQTT_MB2_TheSameFilterAgainReplacesInPlace(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.connect("r", v5)
		r.send(sub(1, "a", 2, 7))
		r.want("SUBACK #1 02")
		p := w.connect("p", v5)
		p.send(retained("a", "x", 2, 1))
		r.want(`PUBLISH q2 #2 a "x" id=7`)
		r.send(sub(2, "a", packet.NewOptions(1, false, true, 2), 8))
		r.want("SUBACK #2 01")
		p.send(retained("a", "y", 2, 2))
		r.want(`PUBLISH q1 #3 retain a "y" id=8`)
		r.send(sub(3, "a", packet.NewOptions(0, false, false, 2))) // no identifier from now on
		r.want("SUBACK #3 00")
		p.send(pub("a", "z", 2, 3))
		r.want(`PUBLISH a "z"`)
	})
}

func TestMQTT_MB3_MM26_FilterForms(t *testing.T) {
	run(t, nil, func(w *world) {
		for _, bad := range []string{"", "a#", "a+/b", "+a", "#/a", "a/#/b", "##", "++", "a\tb", "a\u0085"} {
			p := w.connect("p", v5)
			p.send(sub(1, bad, 0))
			p.want("SUBACK #1 8f")
			q := w.connect("q", v311)
			q.send(sub(1, bad, 0))
			q.want("SUBACK #1 80")
			old := w.connect("old", v31)
			old.send(sub(1, bad, 0))
			old.ends()
		}
	})
}

func TestMQTT_MB3_WhatFiltersMatch(t *testing.T) {
	run(t, nil, func(w *world) {
		for _, c := range []struct {
			filter, topic string
			want          int
		}{
			{"a/#", "a", 1}, {"+", "/a", 0}, {"/+", "/a", 1}, {"+/+", "/a", 1}, {"a/+/c", "a//c", 1}, {"#", "a/b", 1}, {"a/+", "a", 0}, {"a/b", "a/B", 0},
		} {
			r := w.connect("r", v5)
			r.send(sub(1, c.filter, 0))
			r.recv()
			w.connect("p", v5).send(pub(c.topic, "x", 0, 0))
			if got := len(r.recv()); got != c.want {
				t.Errorf("%s for %s: %d, want %d", c.topic, c.filter, got, c.want)
			}
		}
	})
}

func TestMQTT_MB3_MB7_MM25_MalformedSubscribes(t *testing.T) {
	run(t, nil, func(w *world) {
		for in, want := range map[string]string{
			"82 08 00 01 00 00 03 61 2f 2b":    "DISCONNECT 81", // options missing
			"82 05 00 01 00 00 01":             "DISCONNECT 81",
			"82 06 00 01 00 00 01 61":          "DISCONNECT 81",
			"82 07 00 01 00 00 01 61 40":       "DISCONNECT 81",
			"82 07 00 01 00 00 01 61 03":       "DISCONNECT 81",
			"82 07 00 01 00 00 01 61 30":       "DISCONNECT 81",
			"82 07 00 01 00 00 01 ff 00":       "DISCONNECT 81",
			"82 03 00 01 00":                   "DISCONNECT 82", // no filter
			"82 09 00 01 02 0b 00 00 01 61 00": "DISCONNECT 82", // identifier 0
		} {
			p := w.connect("p", v5)
			p.raw(in)
			p.ends(want)
		}
	})
}

func TestMQTT_MB4_NoLocalIsBySession(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5, keep(100))
		p.send(sub(1, "a", packet.NewOptions(1, true, false, 0)))
		p.want("SUBACK #1 01")
		p.send(pub("a", "own", 1, 1))
		p.want("PUBACK #1 10")
		p.Drop()
		p, _ = w.resumes("p", v5, keep(100), will("a", "will", 1, false))
		p.send(pub("a", "own", 1, 1))
		p.want("PUBACK #1 10")
		p.Drop() // publishes the will
		p, got := w.resumes("p", v5, keep(100))
		if len(got) > 0 {
			t.Errorf("got %q", got)
		}
		w.connect("q", v5).send(pub("a", "other", 0, 0))
		p.want(`PUBLISH a "other"`)
	})
}

func TestMQTT_MB4_NoLocalOnASharedSubscription(t *testing.T) {
	run(t, nil, func(w *world) {
		for _, f := range []string{"$share/g/a", "$queue/q"} {
			p := w.connect("p", v5)
			p.send(sub(1, f, packet.NewOptions(0, true, false, 0)))
			got := p.packets()
			d, ok := got[0].(*packet.Disconnect)
			if len(got) != 1 || !ok || d.Code != packet.ProtocolError || string(d.Properties.Str(packet.ReasonString)) != "MB4 No Local on a shared subscription" {
				t.Errorf("%s: %v", f, got)
			}
		}
	})
}

func TestMQTT_MB5_IdentifiersUpToTheLargest(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.connect("r", v5)
		s := &packet.Subscribe{ID: 1}
		s.AppendFilter("a", 0)
		s.AppendFilter("b", 0) // it holds for all filters of the packet
		s.Properties.SubscriptionIDs = []uint32{packet.MaxVarint}
		r.send(s)
		r.recv()
		w.connect("p", v5).send(pub("a", "x", 0, 0), pub("b", "x", 0, 0))
		r.want(`PUBLISH a "x" id=268435455`, `PUBLISH b "x" id=268435455`)
	})
}

// [MQTT-3.8.4-5] [3: MQTT-3.8.4-4]: several filters are like so many packets.
func TestMQTT_MB1_FiltersOfAPacketAreHandledOneByOne(t *testing.T) {
	run(t, nil, func(w *world) {
		w.connect("p", v5).send(retained("a/1", "x", 2, 1))
		r := w.connect("r", v5)
		s := &packet.Subscribe{ID: 1}
		s.AppendFilter("a/1", packet.NewOptions(0, false, false, 1))
		s.AppendFilter("a/+", packet.NewOptions(1, false, false, 0)) // overlaps
		s.AppendFilter("a/1", packet.NewOptions(1, false, false, 0)) // again
		s.AppendFilter("a/1", packet.NewOptions(1, false, false, 1)) // there already
		s.AppendFilter("a/1", packet.NewOptions(0, false, false, 0))
		s.Properties.SubscriptionIDs = []uint32{7}
		r.send(s)
		r.want("SUBACK #1 00 01 01 01 00", `PUBLISH retain a/1 "x" id=7`, `PUBLISH q1 #1 retain a/1 "x" id=7`,
			`PUBLISH q1 #2 retain a/1 "x" id=7`, `PUBLISH retain a/1 "x" id=7`)
		old := w.connect("old", v311)
		old.send(subs(1, "a/1", "a/1"))
		old.want("SUBACK #1 01 01", `PUBLISH q1 #1 retain a/1 "x"`, `PUBLISH q1 #2 retain a/1 "x"`)
	})
}

func TestMQTT_MB6_WhatIsNotAvailableIsRefusedPerFilter(t *testing.T) {
	no := false
	run(t, &Config{WildcardAvailable: &no, SharedAvailable: &no}, func(w *world) {
		p := w.connect("p", v5)
		p.send(subs(1, "a/#", "$share/g/a", "+", "a"))
		p.want("SUBACK #1 a2 9e a2 01")
		q := w.connect("q", v311)
		q.send(subs(1, "a/#", "$share/g/a", "a"))
		q.want("SUBACK #1 80 80 01")
	})
}

func TestMQTT_MB6_QuotaOfSubscriptions(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.send(subs(1, "a", "b", "c"))
		p.want("SUBACK #1 01 01 97")
	}, func(o *adaptertest.Options) { o.Core = func(c *core.Options) { c.Limits.Subscriptions = 2 } })
}

func TestMQTT_26_ARefusedFilterOf31AnswersItsQoS(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v31)
		p.send(subs(1, "no", "a"))
		p.want("SUBACK #1 01 01")
		w.connect("q", v5).send(pub("no", "x", 0, 0))
		p.want()
	}, denying("subscribe no"))
}

func TestMQTT_26_MB6_WhatIsNotAvailableHasNoCodeIn31(t *testing.T) {
	no := false
	run(t, &Config{WildcardAvailable: &no, SharedAvailable: &no}, func(w *world) {
		p := w.connect("p", v31)
		p.send(subs(1, "a/#", "b", "$share/g/c"))
		p.want("SUBACK #1 01 01 01")
		w.connect("q", v5).send(pub("a/b", "x", 0, 0), pub("b", "x", 0, 0), pub("c", "x", 0, 0))
		p.want(`PUBLISH b "x"`)
		old := w.connect("old", v311)
		old.send(subs(1, "a/#", "b", "$share/g/c"))
		old.want("SUBACK #1 80 01 80")
		if n := w.count("refused_total", "mqtt", core.NotSupported.String()); n != 4 {
			t.Errorf("%d refusals counted", n)
		}
		if n := w.count("mqtt_reason_codes_total", "SUBACK", "80", "out"); n != 2 {
			t.Errorf("%d codes counted", n)
		}
	})
}

func TestMQTT_26_MB6_WhatIsNotAvailableMayClose31(t *testing.T) {
	no := false
	run(t, &Config{WildcardAvailable: &no, V3Denied: "close"}, func(w *world) {
		p := w.connect("p", v31)
		p.send(subs(1, "a/#"))
		p.ends()
	})
}

func TestMQTT_26_ARefusedFilterOf31MayClose(t *testing.T) {
	run(t, &Config{V3Denied: "close"}, func(w *world) {
		p := w.connect("p", v31)
		p.send(sub(1, "no", 1))
		p.ends()
	}, denying("subscribe no"))
}

func TestMQTT_MB8_MB9_Unsubscribe(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.connect("r", v5, num(packet.ReceiveMaximum, 1))
		r.send(subs(1, "a", "b/#", "$share/g/a"))
		r.recv()
		p := w.connect("p", v5)
		p.send(pub("b", "1", 1, 1), pub("b", "2", 1, 2))
		r.want(`PUBLISH q1 #2 b "1"`)
		r.send(unsub(5, "b/#", "b/+", "A", "a", "a#"))
		r.want("UNSUBACK #5 00 11 11 00 8f") // $share/g/a is another subscription than a
		p.send(pub("b", "3", 1, 3), pub("a", "4", 0, 0))
		r.want(`PUBLISH a "4"`)
		r.send(ack(packet.PUBACK, 2)) // what was queued before is still delivered
		r.want(`PUBLISH q1 #3 b "2"`)
		r.send(unsub(6, "$share/g/a", "$share/g/a"))
		r.want("UNSUBACK #6 00 11")
		old := w.connect("old", v311)
		old.send(unsub(7, "x", "a#"))
		old.want("UNSUBACK #7")
	})
}

func TestMQTT_MM28_MalformedUnsubscribes(t *testing.T) {
	run(t, nil, func(w *world) {
		for in, want := range map[string]string{
			"a2 06 00 00 00 00 01 61":       "DISCONNECT 82",
			"a2 03 00 04 00":                "DISCONNECT 82",
			"a2 06 00 04 00 00 05 61":       "DISCONNECT 81",
			"a2 06 00 04 00 00 01 ff":       "DISCONNECT 81",
			"a2 08 00 04 02 0b 01 00 01 61": "DISCONNECT 81",
		} {
			p := w.connect("p", v5)
			p.raw(in)
			p.ends(want)
		}
	})
}

func TestMQTT_MB1_MB9_PacketsOfManyFilters(t *testing.T) {
	run(t, nil, func(w *world) {
		const n = 5000
		filters := make([]string, n)
		for i := range filters {
			filters[i] = fmt.Sprint("f/", i)
			if i%1000 == 7 {
				filters[i] = "bad#"
			}
		}
		p := w.connect("p", v5)
		p.send(subs(1, filters...))
		got := p.packets()[0].(*packet.Suback)
		for i, c := range got.Codes {
			if (i%1000 == 7) != (c == 0x8f) || len(got.Codes) != n {
				t.Fatalf("%d codes, number %d is %02x", len(got.Codes), i, c)
			}
		}
		p.send(unsub(2, append(filters, "never")...))
		un := p.packets()[0].(*packet.Unsuback)
		for i, c := range un.Codes[:n] {
			if (i%1000 == 7) != (c == 0x8f) || len(un.Codes) != n+1 {
				t.Fatalf("%d codes, number %d is %02x", len(un.Codes), i, c)
			}
		}
		if un.Codes[n] != 0x11 {
			t.Errorf("the last is %02x", un.Codes[n])
		}
	})
}
