package mqtt

import (
	"fmt"
	"strings"
	"testing"
	"time"

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

func TestMQTT_MB3_MM25_MalformedSubscribes(t *testing.T) {
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

func TestMQTT_MR1_MR2_RetainedMessages(t *testing.T) {
	run(t, nil, func(w *world) {
		live := w.reader("live", v5, "a")
		p := w.connect("p", v5)
		p.send(retained("a", "1", 0, 0), retained("a", "2", 1, 1), pub("a", "3", 0, 0))
		live.want(`PUBLISH a "1"`, `PUBLISH q1 #3 a "2"`, `PUBLISH a "3"`) // live: RETAIN 0
		r := w.connect("r", v5)
		r.send(sub(1, "a", 2))
		r.want("SUBACK #1 02", `PUBLISH q1 #1 retain a "2"`)
		p.send(retained("a", "", 1, 2))
		r.want(`PUBLISH q1 #2 a ""`) // delivered as a normal message, not stored
		s := w.connect("s", v5)
		s.send(sub(1, "a", 2))
		s.want("SUBACK #1 02")
	})
}

func TestMQTT_MR3_RetainHandling(t *testing.T) {
	run(t, nil, func(w *world) {
		w.connect("p", v5).send(retained("a", "x", 0, 0))
		r := w.connect("r", v5)
		handling := func(id uint16, h byte) *packet.Subscribe {
			return sub(id, "a", packet.NewOptions(0, false, false, h), uint32(id))
		}
		r.send(handling(1, 2))
		r.want("SUBACK #1 00")
		r.send(handling(2, 1))
		r.want("SUBACK #2 00") // subscribed before
		r.send(handling(3, 0))
		r.want("SUBACK #3 00", `PUBLISH retain a "x" id=3`)
		r.send(handling(4, 0))
		r.want("SUBACK #4 00", `PUBLISH retain a "x" id=4`) // at each SUBSCRIBE
		r.send(unsub(5, "a"), handling(6, 1))
		r.want("UNSUBACK #5 00", "SUBACK #6 00", `PUBLISH retain a "x" id=6`)
		old := w.connect("old", v311)
		old.send(sub(1, "a", 0))
		old.want("SUBACK #1 00", `PUBLISH retain a "x"`)
	})
}

func TestMQTT_MR4_SharedSubscriptionsGetNoRetained(t *testing.T) {
	run(t, nil, func(w *world) {
		w.connect("p", v5).send(retained("a", "x", 0, 0))
		r := w.connect("r", v5)
		r.send(subs(1, "$share/g/a", "$queue/a"))
		r.want("SUBACK #1 01 01")
	})
}

func TestMQTT_MR5_ManyRetainedPassTheWindow(t *testing.T) {
	run(t, nil, func(w *world) {
		const n = 3000
		p := w.connect("p", v5)
		for i := range n {
			p.send(retained(fmt.Sprintf("a/%04d", i), "x", 1, uint16(i+1)))
		}
		p.recv()
		r := w.connect("r", v5, num(packet.ReceiveMaximum, 7))
		r.send(sub(1, "a/#", 1), ping)
		got := r.packets()
		if got[0].Kind() != packet.SUBACK || got[1].Kind() != packet.PINGRESP || len(got) != 9 {
			t.Fatalf("%d packets, first %s", len(got), show(got[0]))
		}
		seen := 0
		for got = got[2:]; len(got) > 0; got = r.packets() {
			for _, x := range got {
				r.send(ack(packet.PUBACK, x.(*packet.Publish).ID))
				seen++
			}
		}
		if seen != n {
			t.Errorf("%d of %d", seen, n)
		}
	})
}

func TestMQTT_MR6_RetainedExpireAndKeepTheirProperties(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.send(with(retained("a", "x", 1, 1), setNum(packet.MessageExpiryInterval, 10), setStr(packet.ContentType, "t"), user("k", "v")))
		w.Advance(4 * time.Second)
		r := w.connect("r", v5)
		r.send(sub(1, "a", 0))
		r.want("SUBACK #1 00", `PUBLISH retain a "x" 02=6 03=t k:v`)
		w.Advance(7 * time.Second)
		r.send(sub(2, "a", 0))
		r.want("SUBACK #2 00")
	})
}

func TestMQTT_MR7_TheRetainedLimitRefusesTheWholePublish(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "#")
		p := w.connect("p", v5)
		p.send(retained("a", "1", 1, 1), retained("b", "2", 1, 2))
		p.want("PUBACK #1", "PUBACK #2 97")
		r.want(`PUBLISH q1 #2 a "1"`)
	}, func(o *adaptertest.Options) { o.Core = func(c *core.Options) { c.Limits.Retained = 1 } })
}

func TestMQTT_MG1_MM27_FormsOfSharedSubscriptions(t *testing.T) {
	run(t, nil, func(w *world) {
		bad := []string{"$share/g", "$share//f", "$share/g/", "$share/g#/f", "$share/+/f", "$share/", "$share/g/$share/h/f", "$share/g/$queue/q"}
		p := w.connect("p", v5)
		p.send(subs(1, append(bad, "$share/g/f/#")...))
		p.want("SUBACK #1" + strings.Repeat(" 8f", len(bad)) + " 01")
		q := w.connect("q", v311)
		q.send(subs(1, bad...))
		q.want("SUBACK #1" + strings.Repeat(" 80", len(bad)))
	})
}

func TestMQTT_MG2_MG3_EachMessageGoesToOneMember(t *testing.T) {
	run(t, nil, func(w *world) {
		var members []*peer
		for i := range 3 {
			m := w.connect(fmt.Sprint("m", i), v5)
			m.send(sub(1, "$share/g/a/#", packet.Options(i), uint32(i+1)))
			m.recv()
			members = append(members, m)
		}
		p := w.connect("p", v5)
		for i := range 30 {
			p.send(pub("a/b", fmt.Sprint(i), 2, uint16(i+1)))
			p.send(ack(packet.PUBREL, uint16(i+1)))
		}
		total := 0
		for i, m := range members {
			got := m.packets()
			total += len(got)
			if len(got) == 0 {
				t.Errorf("member %d got nothing", i)
			}
			for _, x := range got {
				x := x.(*packet.Publish)
				if x.QoS != byte(i) || x.Properties.SubscriptionIDs[0] != uint32(i+1) {
					t.Errorf("member %d got %s", i, show(x))
				}
			}
		}
		if total != 30 {
			t.Errorf("%d deliveries of 30", total)
		}
	})
}

func TestMQTT_MG4_QoS1OfAMemberThatLeavesGoesToAnother(t *testing.T) {
	run(t, nil, func(w *world) {
		a := w.connect("a", v5)
		a.send(sub(1, "$share/g/t", 1))
		a.recv()
		w.connect("p", v5).send(pub("t", "x", 1, 1))
		if got := a.recv(); len(got) != 1 {
			t.Fatalf("got %q", got)
		}
		b := w.connect("b", v5)
		b.send(sub(1, "$share/g/t", 1))
		b.want("SUBACK #1 01")
		a.Drop()
		got := b.packets()
		if len(got) != 1 || got[0].(*packet.Publish).Dup { // DUP 0: this client sees it for the first time
			t.Fatalf("got %v", got)
		}
		if w.count("mqtt_group_handovers_total") != 1 {
			t.Error("not counted")
		}
	})
}

func TestMQTT_MG4_QoS2ThatWasSentStaysWithItsMember(t *testing.T) {
	run(t, nil, func(w *world) {
		a := w.connect("a", v5, keep(100))
		a.send(sub(1, "$share/g/t", 2))
		a.recv()
		p := w.connect("p", v5)
		p.send(pub("t", "x", 2, 1), pub("t", "y", 2, 2))
		sent := a.packets()
		if len(sent) != 2 {
			t.Fatalf("got %d", len(sent))
		}
		id := sent[0].(*packet.Publish).ID
		a.send(ack(packet.PUBREC, id))
		a.want(fmt.Sprintf("PUBREL #%d", id))
		b := w.connect("b", v5)
		b.send(sub(1, "$share/g/t", 2))
		b.recv()
		a.Drop()
		b.want()
		_, got := w.resumes("a", v5, keep(100))
		want := fmt.Sprintf(`PUBREL #%d|PUBLISH q2 #%d dup t "y"`, id, sent[1].(*packet.Publish).ID)
		if strings.Join(got, "|") != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

func TestMQTT_MG5_ARefusedGroupMessageIsNotOfferedAgain(t *testing.T) {
	run(t, nil, func(w *world) {
		a := w.connect("a", v5)
		a.send(sub(1, "$share/g/t", 1))
		a.recv()
		w.connect("p", v5).send(pub("t", "x", 1, 1))
		id := a.packets()[0].(*packet.Publish).ID
		b := w.connect("b", v5)
		b.send(sub(1, "$share/g/t", 1))
		b.recv()
		a.send(ack(packet.PUBACK, id, packet.QuotaExceeded))
		a.want()
		b.want()
	})
}

func TestMQTT_MG6_AGroupEndsWithItsLastMember(t *testing.T) {
	run(t, nil, func(w *world) {
		a := w.connect("a", v5, keep(100))
		a.send(sub(1, "$share/g/t", 1))
		a.recv()
		a.Drop()
		p := w.connect("p", v5)
		p.send(pub("t", "waits", 1, 1)) // a durable member is away: it waits
		p.want("PUBACK #1")
		a, got := w.resumes("a", v5, keep(100))
		if len(got) != 1 {
			t.Errorf("got %q", got)
		}
		a.send(unsub(2, "$share/g/t"))
		a.recv()
		p.send(pub("t", "lost", 1, 2))
		p.want("PUBACK #2 10")
	})
}

func TestMQTT_MG7_AStalledMemberGetsNone(t *testing.T) {
	run(t, nil, func(w *world) {
		full := w.connect("full", v5, num(packet.ReceiveMaximum, 1))
		full.send(sub(1, "$share/g/t", 1))
		full.recv()
		ok := w.connect("ok", v5)
		ok.send(sub(1, "$share/g/t", 1))
		ok.recv()
		p := w.connect("p", v5)
		n := 0
		for i := range 20 {
			p.send(pub("t", "x", 1, uint16(i+1)))
			for _, x := range ok.packets() {
				ok.send(ack(packet.PUBACK, x.(*packet.Publish).ID))
				n++
			}
		}
		if stuck := len(full.recv()); stuck != 1 || n != 19 {
			t.Errorf("full got %d, ok got %d", stuck, n)
		}
	})
}

func TestMQTT_MY1_MY2_NamedQueues(t *testing.T) {
	run(t, nil, func(w *world) {
		a := w.connect("a", v5)
		a.send(sub(1, "$queue/jobs/+", 1, 5))
		a.want("SUBACK #1 01")
		p := w.connect("p", v5)
		p.send(pub("jobs/1", "x", 2, 1)) // bound to filter NAME
		p.want("PUBREC #1")
		got := a.packets()
		if len(got) != 1 || show(got[0]) != fmt.Sprintf(`PUBLISH q1 #%d jobs/1 "x" id=5`, got[0].(*packet.Publish).ID) {
			t.Fatalf("got %v", got)
		}
		b := w.connect("b", v5)
		b.send(sub(1, "$queue/jobs/+", 1))
		b.recv()
		a.Drop() // released to the head at once
		if got := b.recv(); len(got) != 1 || !strings.Contains(got[0], `jobs/1 "x"`) {
			t.Errorf("got %q", got)
		}
		b.send(unsub(2, "$queue/jobs/+"))
		b.want("UNSUBACK #2 00")
		p.send(pub("jobs/2", "kept", 1, 2)) // MY4: the queue stays
		p.want("PUBACK #2")
	})
}

func TestMQTT_MY3_PublishIntoAQueue(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.send(retained("$queue/q", "x", 1, 1), pub("$queue/no", "x", 1, 2))
		p.want("PUBACK #1", "PUBACK #2 87")
		r := w.connect("r", v5)
		r.send(sub(1, "$queue/q", packet.NewOptions(1, false, true, 0)))
		got := r.recv()
		if len(got) != 2 || !strings.HasSuffix(got[1], `$queue/q "x"`) || strings.Contains(got[1], "retain") {
			t.Errorf("got %q", got)
		}
		if w.count("mapping_dropped_total", "mqtt", "queue", "retain") != 1 {
			t.Error("the ignored RETAIN was not counted")
		}
	}, denying("queue no"))
}
