package mqtt

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/mqtt/packet"
)

func TestMQTT_MD1_QoSIsTheLowerOfPublishedAndGranted(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		for granted := range byte(3) {
			r := w.connect("r", v5)
			r.send(sub(1, "a", packet.NewOptions(granted, false, false, 0)))
			r.recv()
			for published := range byte(3) {
				p.send(pub("a", "x", published, uint16(10*granted+published)))
				got := r.packets()
				if len(got) != 1 || got[0].(*packet.Publish).QoS != min(published, granted) {
					t.Errorf("published %d, granted %d: %v", published, granted, got)
				}
			}
		}
	})
}

func TestMQTT_MD1_WildcardsDoNotMatchDollarTopics(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "#")
		r.send(sub(2, "+/x", 0))
		r.recv()
		p := w.connect("p", v5)
		p.send(pub("$queue/x", "x", 1, 1))
		p.want("PUBACK #1")
		r.want()
	})
}

func TestMQTT_MD2_OrderIsKeptPerTopic(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a", num(packet.ReceiveMaximum, 3))
		p := w.connect("p", v5)
		for i := range 50 {
			p.send(pub("a", fmt.Sprint(i), byte(i%3), uint16(i+1)))
		}
		var got []string
		for range 200 {
			for _, x := range r.packets() {
				switch x := x.(type) {
				case *packet.Publish:
					got = append(got, string(x.Payload))
					if x.QoS == 1 {
						r.send(ack(packet.PUBACK, x.ID))
					} else if x.QoS == 2 {
						r.send(ack(packet.PUBREC, x.ID))
					}
				case *packet.Ack:
					r.send(ack(packet.PUBCOMP, x.ID))
				}
			}
		}
		for i := range 50 {
			if i >= len(got) || got[i] != fmt.Sprint(i) {
				t.Fatalf("got %q", got)
			}
		}
	})
}

func TestMQTT_MD3_OverlappingSubscriptionsMakeOneCopy(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.connect("r", v5)
		r.send(sub(1, "a/#", packet.NewOptions(1, false, false, 0), 1), sub(2, "a/+", packet.NewOptions(2, false, true, 0), 2), sub(3, "a/b", 0))
		r.recv()
		w.connect("p", v5).send(retained("a/b", "x", 2, 1))
		got := r.recv()
		if len(got) != 1 || got[0] != `PUBLISH q2 #2 retain a/b "x" id=1 id=2` && got[0] != `PUBLISH q2 #2 retain a/b "x" id=2 id=1` {
			t.Errorf("got %q", got)
		}
	})
}

func TestMQTT_MD3_OverlapEachMakesACopyEach(t *testing.T) {
	run(t, &Config{Overlap: "each"}, func(w *world) {
		r := w.connect("r", v5)
		r.send(sub(1, "a/#", 0, 1), sub(2, "a/+", 1, 2))
		r.recv()
		w.connect("p", v5).send(pub("a/b", "x", 1, 1))
		got := strings.Join(r.recv(), "|")
		if !strings.Contains(got, `PUBLISH a/b "x" id=1`) || !strings.Contains(got, `a/b "x" id=2`) || strings.Count(got, "PUBLISH") != 2 {
			t.Errorf("got %q", got)
		}
	})
}

func TestMQTT_MD4_PropertiesPassUnaltered(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a")
		also := w.reader("also", v5, "a") // a second receiver takes the shared encoding
		p := w.connect("p", v5)
		for i, payload := range []string{"", "\x00\xff\xfe", "text"} {
			p.send(with(pub("a", payload, byte(i), uint16(i)), setStr(packet.ContentType, "t"), setStr(packet.ResponseTopic, "re/ply"),
				setStr(packet.CorrelationData, "\x00\x01"), setNum(packet.TopicAlias, 1),
				user("b", "1", "a", "2", "b", "1", "", "")))
		}
		for i, payload := range []string{"", "\x00\xff\xfe", "text"} {
			for _, x := range []*peer{r, also} {
				head := "PUBLISH "
				if i > 0 {
					head = fmt.Sprintf("PUBLISH q%d #%d ", i, i+2)
				}
				want := head + fmt.Sprintf("a %q 03=t 08=re/ply 09=\x00\x01 b:1 a:2 b:1 :", payload)
				got := x.next()
				if got != want {
					t.Errorf("got  %q\nwant %q", got, want)
				}
			}
		}
	})
}

// next returns one packet of those that have come.
func (p *peer) next() string {
	p.t.Helper()
	p.lines = append(p.lines, p.recv()...)
	if len(p.lines) == 0 {
		return ""
	}
	line := p.lines[0]
	p.lines = p.lines[1:]
	return line
}

func TestMQTT_MD5_ExpiryCountsDown(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a", keep(1000))
		r.Drop()
		p := w.connect("p", v5)
		for i, s := range []uint32{3, 10, 1<<32 - 1} {
			p.send(with(pub("a", fmt.Sprint(s), 1, uint16(i+1)), setNum(packet.MessageExpiryInterval, s)))
		}
		p.send(pub("a", "never", 1, 9))
		w.Advance(3500 * time.Millisecond)
		_, got := w.resumes("r", v5, keep(1000))
		want := `PUBLISH q1 #3 a "10" 02=7|PUBLISH q1 #4 a "4294967295" 02=4294967292|PUBLISH q1 #5 a "never"`
		if strings.Join(got, "|") != want {
			t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
		}
	})
}

func TestMQTT_MD6_QoS0ForTheAbsentIsDropped(t *testing.T) {
	for keepIt, want := range map[bool]int{false: 0, true: 1} {
		t.Run(fmt.Sprint(keepIt), func(t *testing.T) {
			run(t, &Config{QueueQoS0: keepIt}, func(w *world) {
				w.reader("r", v5, "a", keep(100)).Drop()
				w.connect("p", v5).send(pub("a", "x", 0, 0))
				if _, got := w.resumes("r", v5, keep(100)); len(got) != want {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

func TestMQTT_MD7_WhatExceedsTheMaximumPacketSizeIsNotSent(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a", keep(100), num(packet.MaximumPacketSize, 40))
		twin := w.reader("twin", v5, "a")
		p := w.connect("p", v5)
		big := strings.Repeat("x", 40)
		p.send(pub("a", big, 0, 0), pub("a", big, 1, 1), pub("a", big, 2, 2), pub("a", "small", 1, 3))
		r.want(`PUBLISH q1 #5 a "small"`)
		r.Drop()
		_, got := w.resumes("r", v5, keep(100), num(packet.MaximumPacketSize, 40))
		if strings.Join(got, "|") != `PUBLISH q1 #5 dup a "small"` { // the large ones are settled
			t.Errorf("got %q", got)
		}
		if n := len(twin.recv()); n != 4 {
			t.Errorf("the twin got %d of 4", n)
		}
		if n := w.count("mqtt_too_large_total"); n != 3 {
			t.Errorf("counted %d, want 3", n)
		}
		// The largest that fits: 1 + 1 + 2 + 1 + 1 + 34 bytes.
		p.send(pub("a", strings.Repeat("y", 34), 0, 0))
	})
}

func TestMQTT_MA3_AliasesTowardsTheClient(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "#", num(packet.TopicAliasMaximum, 2))
		p := w.connect("p", v5)
		for _, topic := range []string{"a", "a", "b", "c", "a", "c", "b"} {
			p.send(pub(topic, "x", 0, 0))
		}
		r.want(`PUBLISH a "x" 23=1`, `PUBLISH  "x" 23=1`, `PUBLISH b "x" 23=2`, `PUBLISH c "x"`, `PUBLISH  "x" 23=1`, `PUBLISH c "x"`, `PUBLISH  "x" 23=2`)
		none := w.reader("none", v5, "#")
		p.send(pub("a", "y", 0, 0), pub("a", "y", 0, 0))
		none.want(`PUBLISH a "y"`, `PUBLISH a "y"`)
	})
}

func TestMQTT_MA3_OutboundAliasesCanBeSwitchedOff(t *testing.T) {
	no := false
	run(t, &Config{TopicAliasOut: &no}, func(w *world) {
		r := w.reader("r", v5, "#", num(packet.TopicAliasMaximum, 2))
		w.connect("p", v5).send(pub("a", "x", 0, 0), pub("a", "x", 0, 0))
		r.want(`PUBLISH a "x"`, `PUBLISH a "x"`)
	})
}

func TestMQTT_MA4_AnAliasThatWasNotSentIsNotSet(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "#", num(packet.TopicAliasMaximum, 2), num(packet.MaximumPacketSize, 40))
		p := w.connect("p", v5)
		p.send(pub("a", strings.Repeat("x", 60), 0, 0), pub("a", "x", 0, 0), pub("a", "y", 0, 0))
		r.want(`PUBLISH a "x" 23=1`, `PUBLISH  "y" 23=1`)
	})
}

func TestMQTT_MA3_AnAliasNeverMakesAPacketTooLarge(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "#", num(packet.TopicAliasMaximum, 2), num(packet.MaximumPacketSize, 40))
		w.connect("p", v5).send(pub("a", strings.Repeat("x", 34), 0, 0)) // 40 bytes without the alias
		r.want(`PUBLISH a "` + strings.Repeat("x", 34) + `"`)
	})
}

func TestMQTT_MF1_TheWindowIsTheSmallerOfBoth(t *testing.T) {
	run(t, &Config{Inflight: 4}, func(w *world) {
		for asked, want := range map[uint32]int{2: 2, 65535: 4} {
			r := w.reader("r", v5, "a", num(packet.ReceiveMaximum, asked))
			p := w.connect("p", v5)
			for i := range 10 {
				p.send(pub("a", fmt.Sprint(i), byte(1+i%2), uint16(i+1)))
			}
			got := r.packets()
			if len(got) != want {
				t.Fatalf("asked %d: %d in flight, want %d", asked, len(got), want)
			}
			r.send(ack(packet.PUBREC, got[1].(*packet.Publish).ID)) // half done frees nothing
			r.want(fmt.Sprintf("PUBREL #%d", got[1].(*packet.Publish).ID))
			r.send(ack(packet.PUBCOMP, got[1].(*packet.Publish).ID))
			if n := len(r.recv()); n != 1 {
				t.Errorf("asked %d: PUBCOMP brought %d", asked, n)
			}
			r.send(ack(packet.PUBACK, got[0].(*packet.Publish).ID, packet.UnspecifiedError))
			if n := len(r.recv()); n != 1 {
				t.Errorf("asked %d: PUBACK brought %d", asked, n)
			}
			r.Drop()
			p.Drop()
		}
	})
}

func TestMQTT_MF1_ARepeatedPubrelTakesNoQuota(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a", keep(100), num(packet.ReceiveMaximum, 1))
		p := w.connect("p", v5)
		p.send(pub("a", "1", 2, 1), pub("a", "2", 1, 2))
		r.want(`PUBLISH q2 #2 a "1"`)
		r.send(ack(packet.PUBREC, 2))
		r.want("PUBREL #2")
		r.Drop()
		_, got := w.resumes("r", v5, keep(100), num(packet.ReceiveMaximum, 1))
		if strings.Join(got, "|") != `PUBREL #2|PUBLISH q1 #3 a "2"` {
			t.Errorf("got %q", got)
		}
	})
}

func TestMQTT_MF2_QoS0FlowsAtQuotaZero(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a", num(packet.ReceiveMaximum, 1))
		r.send(sub(2, "b", 0))
		r.recv()
		p := w.connect("p", v5)
		p.send(pub("a", "1", 1, 1), pub("b", "0", 0, 0))
		r.want(`PUBLISH q1 #2 a "1"`, `PUBLISH b "0"`)
		r.send(ping, sub(3, "c", 0))
		r.want("PINGRESP", "SUBACK #3 00")
	})
}

func TestMQTT_MF3_MoreThanOurReceiveMaximum(t *testing.T) {
	run(t, &Config{ReceiveMaximum: 2}, func(w *world) {
		p := w.connect("p", v5)
		p.send(pub("a", "1", 2, 1), pub("a", "2", 2, 2))
		p.want("PUBREC #1 10", "PUBREC #2 10")
		p.send(pub("a", "1", 2, 1)) // a repetition is no new exchange
		p.want("PUBREC #1")
		p.send(ack(packet.PUBREL, 1), pub("a", "3", 2, 3)) // MF4: one acknowledged, exactly one more
		p.want("PUBCOMP #1", "PUBREC #3 10")
		p.send(pub("a", "4", 1, 4))
		p.ends("DISCONNECT 93")
		old := w.connect("old", v311)
		for i := range uint16(10) {
			old.send(pub("a", "x", 2, i+1))
		}
		old.open()
	})
}

func TestMQTT_MF5_MM3_AnInboundPacketAboveTheMaximum(t *testing.T) {
	run(t, &Config{MaximumPacketSize: 200}, func(w *world) {
		p := w.connect("p", v5)
		p.raw("30 c6 01") // 198 + 3 bytes, known at the header
		p.ends("DISCONNECT 95")
		q := w.connect("q", v5)
		q.raw("30 c5 01")
		q.open()
		old := w.connect("old", v311)
		old.raw("30 c6 01")
		old.ends()
	})
}

func TestMQTT_MF7_AcknowledgementsBeforePublish(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.reader("p", v5, "a")
		p.send(pub("a", "1", 1, 1), pub("a", "2", 1, 2), ping)
		p.want("PUBACK #1", "PUBACK #2", "PINGRESP", `PUBLISH q1 #2 a "1"`, `PUBLISH q1 #3 a "2"`)
	})
}

func TestMQTT_MD8_AReaderThatLagsHurtsNobody(t *testing.T) {
	run(t, nil, func(w *world) {
		slow, fast := w.reader("slow", v5, "a"), w.reader("fast", v5, "a")
		slow.Stall()
		p := w.connect("p", v5)
		payload := strings.Repeat("x", 10_000)
		for range 500 {
			p.send(pub("a", payload, 0, 0))
		}
		if n := len(fast.recv()); n != 500 {
			t.Errorf("the fast reader got %d of 500", n)
		}
		slow.Unstall()
		if n := len(slow.recv()); n != 500 {
			t.Errorf("the slow reader got %d of 500", n)
		}
	})
}
