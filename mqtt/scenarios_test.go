package mqtt

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// Scenarios that independent suites play, in each version.

var versions = []packet.Version{v31, v311, v5}

// eachVersion runs f once a version.
func eachVersion(t *testing.T, cfg *Config, f func(w *world, v packet.Version)) {
	for _, v := range versions {
		t.Run(v.String(), func(t *testing.T) { run(t, cfg, func(w *world) { f(w, v) }) })
	}
}

// lasting makes a session that outlives its connection, in any version.
func lasting(c *packet.Connect) {
	c.CleanStart = false
	if c.Version == v5 {
		c.Properties.SetNum(packet.SessionExpiryInterval, 1000)
	}
}

// back connects again to a lasting session and returns what follows CONNACK.
func (w *world) back(id string, v packet.Version) (*peer, []string) {
	w.t.Helper()
	p := w.dial(id, v, lasting)
	got := p.recv()
	if len(got) == 0 || !strings.HasPrefix(got[0], "CONNACK") {
		w.t.Fatalf("%s: %q", id, got)
	}
	if present := strings.Contains(got[0], "present"); present != (v != v31) { // 3.1 cannot tell
		w.t.Errorf("%s: %s", id, got[0])
	}
	return p, got[1:]
}

func TestMQTT_MC16_MD6_OfflineMessagesOfEachQoS(t *testing.T) {
	eachVersion(t, nil, func(w *world, v packet.Version) {
		r := w.connect("r", v, lasting)
		r.send(sub(1, "+/x", 2), sub(2, "q1/#", 1), sub(3, "q0/#", 0))
		r.want("SUBACK #1 02", "SUBACK #2 01", "SUBACK #3 00")
		r.send(bye(packet.Success))
		p := w.connect("p", v)
		for qos := range 3 {
			p.send(pub("a/x", fmt.Sprint(qos), byte(qos), uint16(qos)))
			p.send(pub("q1/y", fmt.Sprint(qos), byte(qos), uint16(10*qos)))
			p.send(pub("q0/y", fmt.Sprint(qos), byte(qos), uint16(100*qos)))
		}
		_, got := w.back("r", v)
		want := `PUBLISH q1 #2 a/x "1"|PUBLISH q1 #3 q1/y "1"|PUBLISH q2 #4 a/x "2"|PUBLISH q1 #5 q1/y "2"`
		if strings.Join(got, "|") != want {
			t := w.t
			t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
		}
	})
}

func TestMQTT_MR1_MR2_RetainedOfEachQoSOverSessions(t *testing.T) {
	eachVersion(t, nil, func(w *world, v packet.Version) {
		p := w.connect("p", v)
		for qos := range 3 {
			p.send(retained(fmt.Sprint("r/", qos), "x", byte(qos), uint16(qos)))
		}
		p.send(ack(packet.PUBREL, 2))
		p.recv()
		p.Drop()
		for granted := range 3 {
			r := w.connect("r", v)
			r.send(sub(1, "r/+", packet.Options(granted)))
			got := strings.Join(r.recv()[1:], "|")
			for qos := range 3 {
				want := fmt.Sprintf(`retain r/%d "x"`, qos)
				if q := min(qos, granted); q > 0 {
					want = fmt.Sprintf("PUBLISH q%d #", q)
				}
				if !strings.Contains(got, want) {
					w.t.Errorf("granted %d: %s lacks %s", granted, got, want)
				}
			}
			r.Drop()
		}
		p = w.connect("p", v)
		for qos := range 3 {
			p.send(retained(fmt.Sprint("r/", qos), "", byte(qos), uint16(qos)))
		}
		r := w.connect("r", v)
		r.send(sub(1, "r/+", 2))
		r.want("SUBACK #1 02")
	})
}

func TestMQTT_MV9_MV2_WillsOfEachQoSAndRetain(t *testing.T) {
	eachVersion(t, nil, func(w *world, v packet.Version) {
		r := w.reader("r", v, "w/#")
		id := uint16(1)
		for qos := range byte(3) {
			for _, retain := range []bool{false, true} {
				name := fmt.Sprintf("w/%d/%v", qos, retain)
				w.connect("dying", v, will(name, "gone", qos, retain)).Drop()
				want := fmt.Sprintf(`PUBLISH %s "gone"`, name)
				if id++; qos > 0 {
					want = fmt.Sprintf(`PUBLISH q%d #%d %s "gone"`, qos, id, name)
				}
				r.want(want)
			}
		}
		late := w.connect("late", v)
		late.send(sub(1, "w/#", 0))
		late.want("SUBACK #1 00", `PUBLISH retain w/0/true "gone"`, `PUBLISH retain w/1/true "gone"`, `PUBLISH retain w/2/true "gone"`)
	})
}

func TestMQTT_MC14_CleanStartLeavesNothing(t *testing.T) {
	eachVersion(t, nil, func(w *world, v packet.Version) {
		r := w.reader("r", v, "a", lasting)
		p := w.connect("p", v)
		p.send(pub("a", "sent", 2, 1))
		r.recv()
		r.send(pub("b", "held", 2, 7))
		r.recv()
		r.Drop()
		p.send(pub("a", "queued", 1, 2))
		r = w.connect("r", v)
		r.want()
		p.send(pub("a", "later", 1, 3))
		r.want() // the subscription is gone
		r.send(ack(packet.PUBREL, 7))
		want := "PUBCOMP #7"
		if v == v5 {
			want += " 92" // and so is the identifier
		}
		r.want(want)
		r.Drop()
		if again := w.dial("r", v, lasting).recv(); strings.Contains(again[0], "present") {
			w.t.Errorf("%q", again)
		}
	})
}

func TestMQTT_MF1_MQ3_AWindowOfOne(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "#", num(packet.ReceiveMaximum, 1))
		p := w.connect("p", v5)
		p.send(pub("a", "1", 2, 1), pub("a", "2", 1, 2), pub("a", "3", 2, 3))
		r.want(`PUBLISH q2 #2 a "1"`)
		r.send(ack(packet.PUBREC, 2))
		r.want("PUBREL #2") // PUBREC frees nothing
		r.send(ack(packet.PUBCOMP, 2))
		r.want(`PUBLISH q1 #3 a "2"`)
		r.send(ack(packet.PUBACK, 3, packet.UnspecifiedError))
		r.want(`PUBLISH q2 #4 a "3"`)
		r.send(ack(packet.PUBREC, 4, packet.NotAuthorized)) // a refusal frees
		p.send(pub("a", "4", 1, 4))
		r.want(`PUBLISH q1 #5 a "4"`)
		r.send(ack(packet.PUBACK, 5), ack(packet.PUBACK, 5), ack(packet.PUBACK, 99)) // strays free nothing more
		p.send(pub("a", "5", 1, 5), pub("a", "6", 1, 6))
		r.want(`PUBLISH q1 #6 a "5"`)
	})
}

func TestMQTT_MF3_TheLimitIsExact(t *testing.T) {
	run(t, &Config{ReceiveMaximum: 2}, func(w *world) {
		p := w.connect("p", v5)
		p.send(pub("a", "1", 2, 1), pub("a", "2", 2, 2))
		p.want("PUBREC #1 10", "PUBREC #2 10")
		p.send(pub("a", "2", 2, 2)) // repeated: not another one
		p.want("PUBREC #2")
		p.send(ack(packet.PUBREL, 1))
		p.want("PUBCOMP #1")
		p.send(ack(packet.PUBREL, 1), pub("a", "3", 2, 3)) // a stray PUBREL frees nothing
		p.want("PUBCOMP #1 92", "PUBREC #3 10")
		p.send(pub("a", "4", 0, 0)) // QoS 0 is free
		p.send(pub("a", "5", 1, 5))
		p.ends("DISCONNECT 93")
		old := w.connect("old", v311)
		for i := range 10 {
			old.send(pub("a", "x", 2, uint16(i+1)))
		}
		old.open()
	})
}

func TestMQTT_MC23_MT1_TakeoverByAnotherVersion(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		r := w.connect("r", v5, lasting)
		r.send(sub(1, "a", packet.NewOptions(2, false, true, 0), 7))
		r.recv()
		full := []func(*packet.Properties){setStr(packet.ContentType, "t"), user("k", "v")}
		p.send(with(pub("a", "1", 2, 1), full...))
		r.want(`PUBLISH q2 #2 a "1" 03=t id=7 k:v`)
		old, got := w.back("r", v311)
		r.ends("DISCONNECT 8e")
		if strings.Join(got, "|") != `PUBLISH q2 #2 dup a "1"` {
			t.Errorf("got %q", got)
		}
		old.send(ack(packet.PUBREC, 2))
		old.want("PUBREL #2")
		older, got := w.back("r", v31)
		old.ends()
		if strings.Join(got, "|") != "PUBREL #2" {
			t.Errorf("got %q", got)
		}
		older.send(ack(packet.PUBCOMP, 2))
		p.send(with(pub("a", "2", 1, 2), full...))
		older.want(`PUBLISH q1 #3 a "2"`)
		_, got = w.back("r", v5)
		if strings.Join(got, "|") != `PUBLISH q1 #3 dup a "2" 03=t id=7 k:v` {
			t.Errorf("got %q", got)
		}
	})
}

func TestMQTT_MD1_MP6_DollarTopics(t *testing.T) {
	eachVersion(t, nil, func(w *world, v packet.Version) {
		r := w.connect("r", v)
		r.send(subs(1, "#", "+/x", "$SYS/#", "$SYS/+"))
		r.want("SUBACK #1 01 01 01 01")
		p := w.connect("p", v)
		p.send(pub("$SYS/x", "mine", 1, 1), pub("$other/x", "mine", 1, 2), pub("$share/g/x", "mine", 1, 3))
		if v == v5 {
			p.want("PUBACK #1 87", "PUBACK #2 87", "PUBACK #3 87")
		} else {
			p.want("PUBACK #1", "PUBACK #2", "PUBACK #3") // acknowledged and dropped
		}
		r.want()
		w.Turn(func(t *core.Turn) {
			m := core.NewMessage([]byte("ours"))
			m.Topic = "$SYS/x"
			w.Router.PublishSystem(t, core.DefaultNamespace, m)
		})
		r.want(`PUBLISH $SYS/x "ours"`)
	})
}

func TestMQTT_MB8_MQ3_UnsubscribeLetsWhatWasSentFinish(t *testing.T) {
	eachVersion(t, nil, func(w *world, v packet.Version) {
		r := w.reader("r", v, "a")
		p := w.connect("p", v)
		p.send(pub("a", "x", 2, 1))
		r.want(`PUBLISH q2 #2 a "x"`)
		r.send(unsub(9, "a", "never", "A"))
		want := "UNSUBACK #9"
		if v == v5 {
			want += " 00 11 11"
		}
		r.want(want)
		p.send(pub("a", "y", 1, 2))
		r.want()
		r.send(ack(packet.PUBREC, 2))
		r.want("PUBREL #2")
		r.send(ack(packet.PUBCOMP, 2))
		r.want()
		r.open()
	})
}

// What a resumed session repeats keeps its order with a window that is smaller
// than what is outstanding.
func TestMQTT_MQ15_MF1_ResumeWithASmallerWindow(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a", keep(100))
		p := w.connect("p", v5)
		for i := range 6 {
			p.send(pub("a", fmt.Sprint(i), byte(1+i%2), uint16(i+1)))
		}
		if got := r.recv(); len(got) != 6 {
			t.Fatalf("got %q", got)
		}
		r.send(ack(packet.PUBREC, 3), ack(packet.PUBREC, 7))
		r.want("PUBREL #3", "PUBREL #7")
		r.Drop()
		p.send(pub("a", "new", 1, 9))
		r, got := w.resumes("r", v5, keep(100), num(packet.ReceiveMaximum, 1))
		all := got
		for range 20 {
			for _, line := range got {
				var qos, id int
				if n, _ := fmt.Sscanf(line, "PUBLISH q%d #%d", &qos, &id); n == 2 && qos == 1 {
					r.send(ack(packet.PUBACK, uint16(id)))
				} else if n == 2 {
					r.send(ack(packet.PUBREC, uint16(id)))
				} else if n, _ := fmt.Sscanf(line, "PUBREL #%d", &id); n == 1 {
					r.send(ack(packet.PUBCOMP, uint16(id)))
				}
			}
			got = r.recv()
			all = append(all, got...)
		}
		want := []string{
			`PUBLISH q1 #2 dup a "0"`, "PUBREL #3", `PUBLISH q1 #4 dup a "2"`, `PUBLISH q2 #5 dup a "3"`, "PUBREL #5",
			`PUBLISH q1 #6 dup a "4"`, "PUBREL #7", `PUBLISH q1 #8 a "new"`,
		}
		if strings.Join(all, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(all, "\n"), strings.Join(want, "\n"))
		}
	})
}

// Every packet of a client, cut short at every length that its header then
// announces, and with each byte changed: an answer or an end, and a client
// beside it goes on.
func TestMQTT_MW1_MW7_MX3_CutAndChangedPackets(t *testing.T) {
	eachVersion(t, nil, func(w *world, v packet.Version) {
		healthy := w.connect("healthy", v5)
		bodies := map[byte][]byte{}
		for _, x := range []packet.Packet{
			&packet.Connect{Version: v, ClientID: []byte("p")}, with(pub("a/b", "payload", 2, 9), setNum(packet.MessageExpiryInterval, 9), user("k", "v")),
			ack(packet.PUBACK, 3), ack(packet.PUBREC, 3), ack(packet.PUBREL, 3), ack(packet.PUBCOMP, 3), sub(4, "$share/g/+/b", 1, 5), unsub(5, "a/#"),
			ping, bye(packet.DisconnectWithWill),
		} {
			b := x.AppendTo(nil, v)
			bodies[b[0]] = b[2:]
		}
		try := func(in []byte) {
			p := w.connect("p", v)
			p.Send(in)
			p.recv() // what is said is well-formed
			p.Drop()
		}
		for first, body := range bodies {
			for n := range body {
				try(append([]byte{first, byte(n)}, body[:n]...))
			}
			for i := range body {
				for _, x := range []byte{0x00, 0x7f, 0x80, 0xff} {
					in := append([]byte{first, byte(len(body))}, body...)
					in[2+i] = x
					try(in)
				}
			}
		}
		healthy.send(ping)
		healthy.want("PINGRESP")
	})
}

// The golden conversation of the page, byte for byte.
func TestMQTT_23_GoldenConversation(t *testing.T) {
	run(t, nil, func(w *world) {
		p := &peer{Conn: w.Open(), t: t, v: v5}
		for _, x := range [][2]string{
			{"10 0e 00 04 4d 51 54 54 05 02 00 3c 00 00 01 61", "20 0e 00 00 0b 21 04 00 22 00 40 27 01 00 00 00"},
			{"82 09 00 01 00 00 03 61 2f 2b 01", "90 04 00 01 00 01"},
			{"62 02 00 03", "70 03 00 03 92"},
			{"32 0b 00 03 78 2f 62 00 02 00 78 79 7a", "40 03 00 02 10"},
			{"32 09 00 03 61 2f 62 00 02 00 78", "40 02 00 02 32 09 00 03 61 2f 62 00 02 00 78"},
			{"40 02 00 02", ""},
			{"a2 08 00 04 00 00 03 61 2f 2b", "b0 04 00 04 00 00"},
			{"c0 00", "d0 00"},
			{"e0 00", ""},
		} {
			in, err := hex.DecodeString(strings.ReplaceAll(x[0], " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			p.Send(in)
			if got := hexOf(p.Recv()); got != x[1] {
				t.Errorf("%s: got %s, want %s", x[0], got, x[1])
			}
		}
		if _, closed := p.Closed(); !closed {
			t.Error("still open")
		}
	})
}
