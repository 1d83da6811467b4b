package mqtt

import (
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// reader subscribes to a filter at QoS 2.
func (w *world) reader(id string, v packet.Version, filter string, opts ...connectOption) *peer {
	w.t.Helper()
	p := w.connect(id, v, opts...)
	p.send(sub(1, filter, 2))
	p.want("SUBACK #1 02")
	return p
}

func TestMQTT_MP1_TopicNames(t *testing.T) {
	run(t, nil, func(w *world) {
		for in, want := range map[string]string{
			"30 04 00 00 00 78":             "DISCONNECT 82", // empty without alias
			"30 06 00 03 61 2f 2b 00":       "DISCONNECT 90",
			"30 06 00 03 23 2f 61 00":       "DISCONNECT 90",
			"30 06 00 03 61 0a 62 00":       "DISCONNECT 90",
			"30 06 00 03 61 00 62 00":       "DISCONNECT 81",
			"30 06 00 03 61 ff 62 00":       "DISCONNECT 81",
			"32 08 00 03 61 2f 2b 00 01 00": "DISCONNECT 90",
		} {
			p := w.connect("p", v5)
			p.raw(in)
			p.ends(want)
		}
	})
}

func TestMQTT_MP1_ATopicBeyondTheLevelLimitIsDropped(t *testing.T) {
	run(t, nil, func(w *world) {
		deep := strings.Repeat("a/", 128) + "a"
		p := w.connect("p", v5)
		p.send(pub(deep, "x", 1, 1), pub(deep, "x", 2, 2), pub(deep, "x", 0, 0))
		p.want("PUBACK #1 90", "PUBREC #2 90")
		p.open()
		for _, qos := range []byte{0, 1} {
			old := w.connect("old", v311)
			old.send(pub(deep, "x", qos, uint16(qos)))
			old.ends()
		}
	})
}

func TestMQTT_MP1_TheLongestTopicPasses(t *testing.T) {
	run(t, nil, func(w *world) {
		long := strings.Repeat("x", 65535)
		r := w.reader("r", v5, long)
		w.connect("p", v311).send(pub(long, "y", 0, 0))
		r.want(`PUBLISH ` + long + ` "y"`)
	})
}

func TestMQTT_MP2_QoSAndIdentifierBits(t *testing.T) {
	run(t, nil, func(w *world) {
		for in, want := range map[string]string{
			"36 09 00 03 61 2f 62 00 02 00 78": "DISCONNECT 81",
			"38 07 00 03 61 2f 62 00 78":       "DISCONNECT 81",
			"32 09 00 03 61 2f 62 00 00 00 78": "DISCONNECT 82",
		} {
			p := w.connect("p", v5)
			p.raw(in)
			p.ends(want)
		}
	})
}

func TestMQTT_MP3_TheAnswerFollowsTheQoS(t *testing.T) {
	for _, v := range []packet.Version{v31, v311, v5} {
		t.Run(v.String(), func(t *testing.T) {
			run(t, nil, func(w *world) {
				w.reader("r", v, "a")
				p := w.connect("p", v)
				p.send(pub("a", "0", 0, 0), pub("a", "1", 1, 1), pub("a", "2", 2, 2), ack(packet.PUBREL, 2))
				p.want("PUBACK #1", "PUBREC #2", "PUBCOMP #2")
			})
		})
	}
}

func TestMQTT_MP4_AFirstPublishWithDupIsAMessage(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a")
		p := w.connect("p", v5)
		for id, qos := range []byte{1, 2} {
			m := pub("a", "x", qos, uint16(id+1))
			m.Dup = true
			p.send(m)
		}
		r.want(`PUBLISH q1 #2 a "x"`, `PUBLISH q2 #3 a "x"`) // never passed on
	})
}

func TestMQTT_MP5_NothingIsNormalised(t *testing.T) {
	run(t, nil, func(w *world) {
		names := []string{"a", "/a", "a/", "a//b", "A", "a b", "à", "\u00a0", "\ufeff"}
		p := w.connect("p", v5)
		for i, n := range names {
			r := w.connect("r", v5, clean)
			r.send(sub(1, n, 0))
			r.recv()
			for _, other := range names {
				p.send(pub(other, "x", 0, 0))
			}
			r.want(`PUBLISH ` + names[i] + ` "x"`)
		}
	})
}

func TestMQTT_MP6_ADeniedPublish(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "#")
		p := w.connect("p", v5)
		p.send(pub("no", "x", 1, 1), pub("no", "x", 2, 2), pub("no", "x", 0, 0), pub("$SYS/x", "x", 1, 3), pub("$share/g/a", "x", 1, 4))
		p.want("PUBACK #1 87", "PUBREC #2 87", "PUBACK #3 87", "PUBACK #4 87")
		old := w.connect("old", v311)
		old.send(pub("no", "x", 1, 1), pub("no", "x", 2, 2), pub("no", "x", 0, 0), ack(packet.PUBREL, 2))
		old.want("PUBACK #1", "PUBREC #2", "PUBCOMP #2")
		old.open()
		r.want()
	}, denying("publish no"))
}

func TestMQTT_MP6_ADeniedPublishOf3xMayClose(t *testing.T) {
	run(t, &Config{V3Denied: "close"}, func(w *world) {
		for qos := range byte(3) {
			p := w.connect("p", v311)
			p.send(pub("no", "x", qos, uint16(qos)))
			p.ends()
		}
	}, denying("publish no"))
}

func TestMQTT_MP7_QoSAndRetainCanBeRestricted(t *testing.T) {
	zero, no := 0, false
	run(t, &Config{MaxQoS: &zero, RetainAvailable: &no}, func(w *world) {
		p := w.connect("p", v5)
		p.send(pub("a", "x", 1, 1))
		p.ends("DISCONNECT 9b")
		p = w.connect("p", v5)
		p.send(retained("a", "x", 0, 0))
		p.ends("DISCONNECT 9a")
		w.dial("p", v5, will("w", "", 1, false)).ends("CONNACK code=9b")
		w.dial("p", v5, will("w", "", 0, true)).ends("CONNACK code=9a")
		p = w.connect("p", v5)
		p.send(sub(1, "a", 2)) // taken all the same [MQTT-3.2.2-10]
		p.want("SUBACK #1 00")
	})
}

func TestMQTT_MP8_NobodyListens(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.send(pub("nobody", "x", 1, 1), pub("nobody", "x", 2, 2), retained("kept", "x", 1, 3))
		p.want("PUBACK #1 10", "PUBREC #2 10", "PUBACK #3 10")
		old := w.connect("old", v311)
		old.send(pub("nobody", "x", 1, 1))
		old.want("PUBACK #1")
	})
}

func TestMQTT_MP9_APayloadThatIsNotTheTextItClaims(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a")
		p := w.connect("p", v5)
		text := setNum(packet.PayloadFormatIndicator, 1)
		p.send(with(pub("a", "\xff", 1, 1), text), with(pub("a", "\xff", 2, 2), text), with(pub("a", "ok", 1, 3), text))
		p.want("PUBACK #1 99", "PUBREC #2 99", "PUBACK #3")
		r.want(`PUBLISH q1 #2 a "ok" 01=1`)
		p.send(with(pub("a", "\xff", 0, 0), text))
		p.ends("DISCONNECT 99")
		w.dial("q", v5, will("w", "\xff", 0, false, text)).ends("CONNACK code=99")
	})
}

func TestMQTT_MP9_TheCheckCanBeSwitchedOff(t *testing.T) {
	no := false
	run(t, &Config{PayloadFormatCheck: &no}, func(w *world) {
		r := w.reader("r", v5, "a")
		w.connect("p", v5).send(with(pub("a", "\xff", 0, 0), setNum(packet.PayloadFormatIndicator, 1)))
		r.want(`PUBLISH a "\xff" 01=1`)
	})
}

func TestMQTT_MP10_ARefusedPublishStillSetsItsAlias(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		alias := setNum(packet.TopicAlias, 1)
		p.send(with(pub("no", "x", 1, 1), alias), with(pub("", "x", 1, 2), alias))
		p.want("PUBACK #1 87", "PUBACK #2 87")
	}, denying("publish no"))
}

func TestMQTT_MP11_ExpiryZeroReachesThoseWhoAreThere(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a")
		away := w.reader("away", v5, "a", keep(100))
		away.Drop()
		p := w.connect("p", v5)
		p.send(with(pub("a", "x", 1, 1), setNum(packet.MessageExpiryInterval, 0)))
		p.want("PUBACK #1")
		r.want(`PUBLISH q1 #2 a "x" 02=0`)
		w.Advance(time.Second)
		if _, got := w.resumes("away", v5, keep(100)); len(got) > 0 {
			t.Errorf("kept for the absent: %q", got)
		}
	})
}

func TestMQTT_MP12_AClientMayNotSendSubscriptionIdentifiers(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.raw("30 09 00 03 61 2f 62 02 0b 01 78")
		p.ends("DISCONNECT 82")
	})
}

func TestMQTT_MP13_ResponseTopicsAreTopicNames(t *testing.T) {
	run(t, nil, func(w *world) {
		for in, want := range map[string]string{
			"30 07 00 01 61 03 08 00 00":    "DISCONNECT 90",
			"30 08 00 01 61 04 08 00 01 23": "DISCONNECT 90",
			"30 08 00 01 61 04 08 00 01 ff": "DISCONNECT 81",
			"30 08 00 01 61 04 03 00 01 ff": "DISCONNECT 81",
		} {
			p := w.connect("p", v5)
			p.raw(in)
			p.ends(want)
		}
	})
}

func TestMQTT_MA1_MA2_TopicAliasesOfTheClient(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "#")
		p := w.connect("p", v5)
		at := func(n uint32) func(*packet.Properties) { return setNum(packet.TopicAlias, n) }
		p.send(with(pub("a", "1", 0, 0), at(64)), with(pub("", "2", 0, 0), at(64)), with(pub("b", "3", 0, 0), at(64)), with(pub("", "4", 0, 0), at(64)))
		r.want(`PUBLISH a "1"`, `PUBLISH a "2"`, `PUBLISH b "3"`, `PUBLISH b "4"`)
		for in, want := range map[uint32]string{65: "DISCONNECT 94", 0: "DISCONNECT 94", 63: "DISCONNECT 82"} {
			q := w.connect("q", v5)
			q.send(with(pub("", "x", 0, 0), at(in)))
			q.ends(want)
		}
		again := w.connect("p", v5) // MA2: the table dies with the connection
		again.send(with(pub("", "x", 0, 0), at(64)))
		again.ends("DISCONNECT 82")
	})
}
