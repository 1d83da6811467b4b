package mqtt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// The client still holds the identifier of a group's QoS 2 message: what the
// session's own queue got meanwhile must not use it. [MQTT-4.4.0-1]
func TestMQTT_MQ15_MG4_NewMessagesLeaveTheIdentifiersOfAGroupAlone(t *testing.T) {
	run(t, nil, func(w *world) {
		a := w.connect("a", v5, keep(100))
		a.send(sub(1, "$share/g/t", 2), sub(2, "own", 2))
		a.want("SUBACK #1 02", "SUBACK #2 02")
		p := w.connect("p", v5)
		p.send(pub("own", "first", 1, 1), pub("t", "group", 2, 2))
		a.want(`PUBLISH q1 #2 own "first"`, `PUBLISH q2 #3 t "group"`)
		a.send(ack(packet.PUBREC, 3))
		a.want("PUBREL #3")
		a.Drop()
		for i := range 4 {
			p.send(pub("own", fmt.Sprint(i), 2, uint16(10+i)))
		}
		a, got := w.resumes("a", v5, keep(100))
		want := `PUBLISH q1 #2 dup own "first"|PUBREL #3|PUBLISH q2 #4 own "0"|PUBLISH q2 #5 own "1"|PUBLISH q2 #6 own "2"|PUBLISH q2 #7 own "3"`
		if strings.Join(got, "|") != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		a.send(ack(packet.PUBCOMP, 3))
		a.open()
	})
}

// What is retained is repeated where it was sent: a client that remembers the
// last value of a topic would else go back to an old one. [MQTT-4.6.0-1]
func TestMQTT_MQ15_RetainedMessagesAreRepeatedInTheirPlace(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprintf("restart=%v", restart), func(t *testing.T) {
			t.Parallel()
			options := adaptertest.Options{Store: adaptertest.NewStore()}
			want := []string{
				`PUBLISH q1 #2 dup a/1 "live"`, `PUBLISH q1 #59072 dup retain a/2 "old"`, `PUBLISH q2 #59073 dup retain a/3 "old"`, `PUBLISH q1 #3 dup a/2 "new"`,
				`PUBLISH q1 #50496 dup retain b "old"`, `PUBLISH q2 #4 dup b "new"`,
			}
			check := func(w *world) {
				if _, got := w.resumes("r", v5, keep(1000)); strings.Join(got, "\n") != strings.Join(want, "\n") {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			}
			adaptertest.Test(t, roomWith(nil), options, func(t *testing.T, d *adaptertest.Driver) {
				w := &world{d, t}
				p := w.connect("p", v5)
				p.send(retained("a/2", "old", 1, 1), retained("a/3", "old", 2, 2), retained("b", "old", 1, 3))
				p.recv()
				r := w.reader("r", v5, "a/1", keep(1000))
				p.send(pub("a/1", "live", 1, 4))
				p.recv()
				r.send(sub(2, "a/+", 2))
				p.send(pub("a/2", "new", 1, 5))
				p.recv()
				r.send(sub(3, "b", 2))
				p.send(pub("b", "new", 2, 6))
				r.recv()
				r.Drop()
				if !restart {
					check(w)
				}
			})
			if restart {
				adaptertest.Test(t, roomWith(nil), options, func(t *testing.T, d *adaptertest.Driver) { check(&world{d, t}) })
			}
		})
	}
}

// The client knows a retained QoS 2 message by its identifier: whatever a crash
// takes of what was to be written, that is the one under which it comes again,
// and nothing else has it. [MQTT-4.3.3-1] [MQTT-4.4.0-1]
func TestMQTT_MQ15_AKillDoesNotOutrunTheIdentifiersOfRetainedMessages(t *testing.T) {
	t.Parallel()
	seen := 0
	for at, died := 0, true; died; at++ {
		d := &dying{Store: adaptertest.NewStore(), how: "before", left: -1}
		var after *adaptertest.Store
		known := map[string]string{} // identifiers by topic
		runHere(t, nil, func(w *world) {
			d.mu.Lock()
			d.gate, d.left = make(chan struct{}), at
			d.mu.Unlock()
			p := w.dial("p", v5)
			for i := range 20 {
				p.Send(retained(fmt.Sprintf("a/%02d", i), "kept", 2, uint16(1+i)).AppendTo(nil, v5))
				p.Send(packet.AppendAck(nil, v5, packet.PUBREL, uint16(1+i), packet.Success))
			}
			p.recv()
			r := w.dial("r", v5, keep(1000))
			r.send(sub(1, "own", 1))
			p.send(pub("own", "0", 1, 100))
			r.recv()
			r.send(ack(packet.PUBACK, 2), sub(2, "a/#", 2))
			for _, in := range r.packets() {
				if m, ok := in.(*packet.Publish); ok {
					known[string(m.Topic)+string(m.Payload)] = fmt.Sprintf("#%d ", m.ID)
				}
			}
			died = d.dead()
			after = stored(d.Store)
			close(d.gate)
		}, func(o *adaptertest.Options) { o.Store = d })
		seen = max(seen, len(known))
		runHere(t, nil, func(w *world) {
			r := w.dial("r", v5, keep(1000))
			for _, in := range r.packets() {
				m, ok := in.(*packet.Publish)
				if !ok {
					continue
				}
				id := fmt.Sprintf("#%d ", m.ID)
				for name, other := range known {
					if same := name == string(m.Topic)+string(m.Payload); same != (id == other) {
						t.Errorf("write %d: %s was %sand %s %s is %s", at, name, other, m.Topic, m.Payload, id)
					}
				}
			}
		}, func(o *adaptertest.Options) { o.Store = after })
		if at > 200 {
			t.Fatal("the store is written without an end")
		}
	}
	if seen != 20 {
		t.Errorf("the reader saw %d messages at most", seen)
	}
}

// Each reconnect leaves more PUBREL packets unanswered than the Receive
// Maximum counts: all are repeated, and none of their identifiers is used.
func TestMQTT_MQ15_MF1_ReleasedExchangesPileUpOverReconnects(t *testing.T) {
	run(t, &Config{Inflight: 2}, func(w *world) {
		a := w.reader("a", v5, "t", keep(100))
		p := w.connect("p", v5)
		used := map[uint16]bool{}
		for round := range 5 {
			p.send(pub("t", "x", 2, 1), pub("t", "y", 2, 2))
			p.send(ack(packet.PUBREL, 1), ack(packet.PUBREL, 2))
			repeated := 0
			for _, x := range a.packets() {
				switch x := x.(type) {
				case *packet.Publish:
					if used[x.ID] {
						t.Errorf("round %d: identifier %d is in use", round, x.ID)
					}
					used[x.ID] = true
					a.send(ack(packet.PUBREC, x.ID))
				case *packet.Ack:
					repeated++
				}
			}
			if repeated != 2*round {
				t.Errorf("round %d: %d PUBREL packets repeated", round, repeated)
			}
			a.Drop()
			a = w.dial("a", v5, keep(100))
		}
	})
}

func TestMQTT_MV2_MC22_ARefusedConnectionHasNoWill(t *testing.T) {
	store := adaptertest.NewStore()
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "w")
		gone := will("w", "gone", 0, false)
		w.dial("t", v5, num(packet.MaximumPacketSize, 5), gone).ends("CONNACK code=95") // its CONNACK 00 is larger
		w.dial("u", v5, num(packet.MaximumPacketSize, 4), gone).ends()
		store.Fail(core.ErrStoreClosed)
		w.dial("v", v5, keep(60), gone).ends("CONNACK code=88")
		r.want()
	}, failing(store))
}

func TestMQTT_MF3_MP10_ARefusedPublishCountsUntilItsPuback(t *testing.T) {
	g := &gated{Store: adaptertest.NewStore()}
	run(t, &Config{ReceiveMaximum: 3}, func(w *world) {
		w.reader("away", v5, "d", keep(1000)).Drop()
		p := w.connect("p", v5)
		open := g.shut()
		p.send(pub("d", "x", 1, 1), pub("no", "x", 1, 2), pub("no", "x", 1, 3)) // answers wait for the first
		p.want()
		open()
		w.Settle()
		p.want("PUBACK #1", "PUBACK #2 87", "PUBACK #3 87")
		open = g.shut()
		defer open()
		p.send(pub("d", "x", 1, 1), pub("no", "x", 1, 2), pub("no", "x", 1, 3), pub("no", "x", 1, 4))
		p.ends("DISCONNECT 93")
	}, denying("publish no"), func(o *adaptertest.Options) { o.Store = g })
}

// A store that hangs: what the client goes on sending is not read for ever.
func TestMQTT_MF6_TooManyAnswersThatWaitStopReading(t *testing.T) {
	runGated(t, func(w *world, g *gated) {
		w.reader("away", v5, "d", keep(1000)).Drop()
		p := w.connect("p", v5, keepAliveOf(1))
		open := g.shut()
		p.send(pub("d", "x", 1, 1))
		var b []byte
		for range maxAnswers + 100 {
			b = ack(packet.PUBREL, 9).AppendTo(b, v5)
		}
		p.Send(b)
		if !p.Paused() {
			t.Error("reading goes on")
		}
		w.Advance(10 * 1e9)
		p.open() // its keep alive stands still
		open()
		w.Settle()
		if got := p.recv(); len(got) != maxAnswers+101 {
			t.Errorf("%d answers", len(got))
		}
		if p.Paused() {
			t.Error("reading never goes on")
		}
		w.Advance(2 * 1e9)
		p.ends("DISCONNECT 8d")
	})
}

// A publish of 3.x that cannot be stored stops reading for longer than the
// keep alive.
func TestMQTT_MF6_KeepAliveStandsStillWhileWeDoNotRead(t *testing.T) {
	store := adaptertest.NewStore()
	run(t, nil, func(w *world) {
		w.reader("away", v5, "d", keep(1000)).Drop()
		p := w.connect("p", v311, keepAliveOf(1))
		w.Advance(14e8)
		store.Fail(core.ErrStoreClosed)
		p.send(pub("d", "x", 1, 1))
		w.Advance(1e9)
		p.open() // 1 s in which nothing was read
		w.Advance(1500e6 - 1e6)
		p.open()
		w.Advance(1e6)
		p.ends()
	}, failing(store))
}

func TestMQTT_MX2_MX6_OurEndOfAConnectionHasAReasonString(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.Evict(core.Kicked)
		d := p.packets()[0].(*packet.Disconnect)
		if s := string(d.Properties.Str(packet.ReasonString)); s != core.Kicked.String() {
			t.Errorf("got %q", s)
		}
		q := w.dial("q", v5, will("no", "x", 0, false))
		c := q.packets()[0].(*packet.Connack)
		if s := string(c.Properties.Str(packet.ReasonString)); c.Code != packet.NotAuthorized || s != core.NotAuthorized.String() {
			t.Errorf("got %02x %q", byte(c.Code), s)
		}
		w.dial("q", v311, will("no", "x", 0, false)).ends("CONNACK code=05")
		if n := w.count("refused_total", "mqtt", core.NotAuthorized.String()); n != 2 {
			t.Errorf("%d refusals counted", n)
		}
	}, denying("will no"))
}
