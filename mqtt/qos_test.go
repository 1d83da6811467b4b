package mqtt

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

func TestMQTT_MQ1_QoS0HasNoIdentifier(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a")
		w.connect("p", v5).send(pub("a", "x", 0, 0))
		r.want(`PUBLISH a "x"`)
	})
}

func TestMQTT_MQ2_MQ3_OutboundExchanges(t *testing.T) {
	for _, v := range []packet.Version{v31, v311, v5} {
		t.Run(v.String(), func(t *testing.T) {
			run(t, nil, func(w *world) {
				r := w.reader("r", v, "a")
				p := w.connect("p", v)
				p.send(pub("a", "1", 1, 1), pub("a", "2", 2, 2))
				r.want(`PUBLISH q1 #2 a "1"`, `PUBLISH q2 #3 a "2"`)
				r.send(ack(packet.PUBREC, 3), ack(packet.PUBACK, 2))
				r.want("PUBREL #3") // MQ3
				r.send(ack(packet.PUBREC, 3))
				r.want("PUBREL #3") // again, and never PUBLISH
				r.send(ack(packet.PUBCOMP, 3))
				r.want()
				r.open()
			})
		})
	}
}

func TestMQTT_MQ4_ARefusalOfTheClientSettles(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a", keep(100))
		p := w.connect("p", v5)
		p.send(pub("a", "1", 1, 1), pub("a", "2", 2, 2))
		r.want(`PUBLISH q1 #2 a "1"`, `PUBLISH q2 #3 a "2"`)
		r.send(ack(packet.PUBACK, 2, packet.UnspecifiedError), ack(packet.PUBREC, 3, packet.QuotaExceeded))
		r.want() // no PUBREL
		r.Drop()
		if _, got := w.resumes("r", v5, keep(100)); len(got) > 0 {
			t.Errorf("sent again: %q", got)
		}
	})
}

func TestMQTT_MM20_NoMatchingSubscribersOfABridgeCompletes(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a")
		w.connect("p", v5).send(pub("a", "1", 1, 1), pub("a", "2", 2, 2))
		r.want(`PUBLISH q1 #2 a "1"`, `PUBLISH q2 #3 a "2"`)
		r.send(ack(packet.PUBACK, 2, packet.NoMatchingSubscribers), ack(packet.PUBREC, 3, packet.NoMatchingSubscribers))
		r.want("PUBREL #3")
		r.send(ack(packet.PUBCOMP, 3))
		r.open()
	})
}

func TestMQTT_MQ5_AfterPubackTheIdentifierIsNew(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a")
		p := w.connect("p", v5)
		for range 2 {
			m := pub("a", "x", 1, 7)
			m.Dup = true
			p.send(m)
			p.want("PUBACK #7")
		}
		r.want(`PUBLISH q1 #2 a "x"`, `PUBLISH q1 #3 a "x"`)
	})
}

// pendingWorld has a durable reader that is away, so that publishes to it wait
// for the store until the world settles: packets sent in one chunk are all
// processed before the first commit.
func pendingWorld(t *testing.T, f func(w *world, p *peer)) {
	run(t, nil, func(w *world) {
		w.reader("away", v5, "d", keep(1000)).Drop()
		f(w, w.connect("p", v5))
	})
}

func TestMQTT_MQ6_AnIdentifierWhosePubackIsPending(t *testing.T) {
	pendingWorld(t, func(w *world, p *peer) {
		p.send(pub("d", "1", 1, 7), pub("d", "2", 1, 7))
		p.want("PUBACK #7", "PUBACK #7 91")
		_, got := w.resumes("away", v5, keep(1000))
		if len(got) != 1 {
			t.Errorf("routed %q", got)
		}
	})
}

func TestMQTT_MQ6_In3xItIsRoutedAgain(t *testing.T) {
	pendingWorld(t, func(w *world, _ *peer) {
		p := w.connect("old", v311)
		p.send(pub("d", "1", 1, 7), pub("d", "2", 1, 7))
		p.want("PUBACK #7", "PUBACK #7")
		_, got := w.resumes("away", v5, keep(1000))
		if len(got) != 2 {
			t.Errorf("routed %q", got)
		}
	})
}

func TestMQTT_MQ7_InboundQoS2IsExactlyOnce(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a")
		p := w.connect("p", v5, keep(100))
		p.send(pub("a", "x", 2, 5))
		p.want("PUBREC #5")
		m := pub("a", "other", 2, 5) // held, whatever DUP or content
		p.send(m)
		p.want("PUBREC #5")
		p.Drop()
		p, _ = w.resumes("p", v5, keep(100))
		m.Dup = true
		p.send(m)
		p.want("PUBREC #5")
		p.send(ack(packet.PUBREL, 5))
		p.want("PUBCOMP #5")
		r.want(`PUBLISH q2 #2 a "x"`)
		p.send(pub("a", "new", 2, 5)) // after PUBCOMP the identifier is new
		p.want("PUBREC #5")
		r.want(`PUBLISH q2 #3 a "new"`)
		if w.count("mqtt_duplicates_total") != 2 {
			t.Error("duplicates were not counted")
		}
	})
}

func TestMQTT_7_TheGaugeOfHeldIdentifiers(t *testing.T) {
	run(t, nil, func(w *world) {
		held := func(want uint64) {
			t.Helper()
			if got := w.count("mqtt_qos2_held"); got != want {
				t.Errorf("%d held, want %d", got, want)
			}
		}
		p := w.connect("p", v5, keep(100))
		p.send(pub("a", "x", 2, 1), pub("a", "y", 2, 2), pub("a", "y", 2, 2))
		held(2)
		p.send(ack(packet.PUBREL, 1))
		held(1)
		p.Drop()
		held(0)
		p, _ = w.resumes("p", v5, keep(100))
		p.send(ack(packet.PUBREL, 2), ack(packet.PUBREL, 2))
		held(0)
	})
}

func TestMQTT_MQ7_AfterARefusalTheIdentifierIsFree(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a")
		p := w.connect("p", v5)
		p.send(pub("no", "x", 2, 5))
		p.want("PUBREC #5 87")
		p.send(pub("a", "x", 2, 5))
		p.want("PUBREC #5")
		r.want(`PUBLISH q2 #2 a "x"`)
	}, denying("publish no"))
}

func TestMQTT_MQ8_AnIdentifierOfAnotherKindOfExchange(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.send(pub("a", "x", 2, 5))
		p.want("PUBREC #5 10")
		p.send(pub("a", "x", 1, 5), sub(5, "a", 0), unsub(5, "a"))
		p.want("PUBACK #5 91", "SUBACK #5 91", "UNSUBACK #5 91")
		p.send(ack(packet.PUBREL, 5))
		p.want("PUBCOMP #5")
		p.send(sub(5, "a", 0))
		p.want("SUBACK #5 00")
		old := w.connect("old", v311)
		old.send(pub("a", "x", 2, 5), sub(5, "b", 0))
		old.want("PUBREC #5", "SUBACK #5 00")
	})
}

func TestMQTT_MQ8_QoS2WithAnIdentifierThatASubscribeHolds(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5, keep(100))
		p.send(sub(5, "b", 1), pub("a", "x", 2, 5))
		got := p.recv()
		if strings.Join(got, "|") != "SUBACK #5 01|PUBREC #5 91" {
			t.Errorf("got %q", got)
		}
	})
}

func TestMQTT_MQ9_MM23_AcknowledgementsOfTheWrongStep(t *testing.T) {
	run(t, nil, func(w *world) {
		for name, c := range map[string]struct {
			qos byte
			ack *packet.Ack
		}{
			"PUBREC for QoS 1":          {1, ack(packet.PUBREC, 2)},
			"PUBCOMP for QoS 1":         {1, ack(packet.PUBCOMP, 2)},
			"PUBACK for QoS 2":          {2, ack(packet.PUBACK, 2)},
			"PUBCOMP before our PUBREL": {2, ack(packet.PUBCOMP, 2)},
		} {
			r := w.reader("r", v5, "a")
			w.connect("p", v5).send(pub("a", "x", c.qos, 1))
			r.recv()
			r.send(c.ack)
			if got := r.recv(); len(got) != 1 || got[0] != "DISCONNECT 82" {
				t.Errorf("%s: %q", name, got)
			}
		}
	})
}

func TestMQTT_MQ9_MM22_UnknownIdentifiersCloseNothing(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		p.send(ack(packet.PUBACK, 9), ack(packet.PUBCOMP, 9), ack(packet.PUBREC, 9, packet.QuotaExceeded), ack(packet.PUBREC, 9),
			ack(packet.PUBREL, 9), ack(packet.PUBREL, 9, packet.PacketIdentifierNotFound))
		p.want("PUBREL #9 92", "PUBCOMP #9 92", "PUBCOMP #9 92")
		old := w.connect("old", v311)
		old.send(ack(packet.PUBACK, 9), ack(packet.PUBREC, 9), ack(packet.PUBREL, 9))
		old.want("PUBREL #9", "PUBCOMP #9")
		if w.count("mqtt_stray_acks_total", "PUBACK") != 2 {
			t.Error("strays were not counted")
		}
	})
}

// failing breaks the store of the world.
func failing(store *adaptertest.Store) func(*adaptertest.Options) {
	return func(o *adaptertest.Options) { o.Store = store }
}

func TestMQTT_MQ11_AcknowledgementsLeaveInOrder(t *testing.T) {
	pendingWorld(t, func(w *world, p *peer) {
		w.reader("here", v5, "t")
		p.send(pub("d", "1", 1, 1), pub("t", "2", 1, 2), pub("d", "3", 2, 3), pub("nobody", "4", 1, 4), pub("no", "", 1, 5))
		p.want("PUBACK #1", "PUBACK #2", "PUBREC #3", "PUBACK #4 10", "PUBACK #5 10")
	})
}

func TestMQTT_MQ12_PubcompWaitsForTheDeletion(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5, keep(100))
		p.send(pub("a", "x", 2, 5))
		p.want("PUBREC #5 10")
		p.send(ack(packet.PUBREL, 5), pub("a", "y", 2, 5)) // the deletion is not safe yet: still in use
		p.want("PUBCOMP #5", "PUBREC #5 91")
	})
}

func TestMQTT_MQ13_PubrelWaitsForTheStore(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a", keep(100))
		w.connect("p", v5).send(pub("a", "x", 2, 1))
		r.want(`PUBLISH q2 #2 a "x"`)
		r.send(ack(packet.PUBREC, 2), ack(packet.PUBCOMP, 2)) // PUBREL has not left
		r.ends("DISCONNECT 82")
		_, got := w.resumes("r", v5, keep(100))
		if strings.Join(got, "|") != "PUBREL #2" {
			t.Errorf("got %q", got)
		}
	})
}

func TestMQTT_MQ15_AResumeRepeatsInTheOriginalOrder(t *testing.T) {
	for _, v := range []packet.Version{v31, v311, v5} {
		t.Run(v.String(), func(t *testing.T) {
			run(t, nil, func(w *world) {
				opt := clean
				if v == v5 {
					opt = keep(100)
				} else {
					opt = resume
				}
				r := w.reader("r", v, "a", opt)
				p := w.connect("p", v5)
				for i := range 5 {
					p.send(pub("a", fmt.Sprint(i), byte(1+i%2), uint16(i+1)))
				}
				r.want(`PUBLISH q1 #2 a "0"`, `PUBLISH q2 #3 a "1"`, `PUBLISH q1 #4 a "2"`, `PUBLISH q2 #5 a "3"`, `PUBLISH q1 #6 a "4"`)
				r.send(ack(packet.PUBACK, 4), ack(packet.PUBREC, 3))
				r.want("PUBREL #3")
				r.Drop()
				p.send(pub("a", "late", 1, 9))
				again := &peer{Conn: w.Open(), t: t, v: v}
				c := &packet.Connect{Version: v, ClientID: []byte("r")}
				opt(c)
				again.send(c)
				got := again.recv()[1:]
				want := []string{`PUBLISH q1 #2 dup a "0"`, "PUBREL #3", `PUBLISH q2 #5 dup a "3"`, `PUBLISH q1 #6 dup a "4"`, `PUBLISH q1 #7 a "late"`}
				if strings.Join(got, "\n") != strings.Join(want, "\n") {
					t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
			})
		})
	}
}

func TestMQTT_MQ15_NothingIsRepeatedWithoutAResume(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v311, "a")
		w.connect("p", v5).send(pub("a", "x", 1, 1))
		r.recv()
		w.Advance(10 * 60 * 1e9)
		r.want()
	})
}

func TestMQTT_MQ15_RestartKeepsTheExchanges(t *testing.T) {
	t.Parallel()
	store := adaptertest.NewStore()
	adaptertest.Test(t, roomWith(nil), adaptertest.Options{Store: store}, func(t *testing.T, d *adaptertest.Driver) {
		w := &world{d, t}
		r := w.reader("r", v5, "a", keep(1000))
		p := w.connect("p", v5, keep(1000))
		p.send(pub("a", "1", 1, 1), pub("a", "2", 2, 2), pub("a", "3", 2, 3))
		p.want("PUBACK #1", "PUBREC #2", "PUBREC #3")
		r.want(`PUBLISH q1 #2 a "1"`, `PUBLISH q2 #3 a "2"`, `PUBLISH q2 #4 a "3"`)
		r.send(ack(packet.PUBREC, 3))
		r.want("PUBREL #3")
	})
	adaptertest.Test(t, roomWith(nil), adaptertest.Options{Store: store}, func(t *testing.T, d *adaptertest.Driver) {
		w := &world{d, t}
		_, got := w.resumes("r", v5, keep(1000))
		want := []string{`PUBLISH q1 #2 a "1"`, `PUBLISH q2 #4 a "3"`, "PUBREL #3"}
		for i := range got { // that it was sent before is known only where the client had answered
			got[i] = strings.Replace(got[i], "dup ", "", 1)
		}
		slices.Sort(got)
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		p, _ := w.resumes("p", v5, keep(1000))
		p.send(pub("a", "2", 2, 2))
		p.want("PUBREC #2") // still held: not routed again
		if w.count("mqtt_duplicates_total") != 1 {
			t.Error("the identifier was forgotten")
		}
	})
}

func TestMQTT_MQ16_WhatWasSentDoesNotExpire(t *testing.T) {
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "a", keep(100))
		short := setNum(packet.MessageExpiryInterval, 2)
		p := w.connect("p", v5)
		p.send(with(pub("a", "sent", 1, 1), short))
		r.want(`PUBLISH q1 #2 a "sent" 02=2`)
		r.Drop()
		p.send(with(pub("a", "waits", 1, 2), short))
		w.Advance(5 * 1e9)
		_, got := w.resumes("r", v5, keep(100))
		if strings.Join(got, "|") != `PUBLISH q1 #2 dup a "sent" 02=1` {
			t.Errorf("got %q", got)
		}
	})
}

func TestMQTT_6_AStoreThatCannotWriteRefuses(t *testing.T) {
	store := adaptertest.NewStore()
	run(t, nil, func(w *world) {
		w.reader("away", v5, "d", keep(1000)).Drop()
		p, old := w.connect("p", v5), w.connect("old", v311)
		dur := w.connect("dur", v5, keep(1000))
		store.Fail(core.ErrStoreClosed)
		p.send(pub("d", "x", 1, 1), pub("d", "x", 2, 2))
		p.want("PUBACK #1 97", "PUBREC #2 97")
		p.send(pub("d", "x", 1, 3))
		p.want("PUBACK #3 97")
		dur.send(sub(4, "s", 1))
		dur.want("SUBACK #4 97")
		old.send(pub("d", "x", 1, 1))
		old.want() // withheld, and reading stops
		if !old.Paused() {
			t.Error("reading goes on")
		}
		old.open()
		w.Advance(2e9)
		if old.Paused() {
			t.Error("reading never goes on")
		}
		w.dial("new", v5, keep(60)).ends("CONNACK code=88")
		w.dial("new", v311, resume).ends("CONNACK code=03")
		here := w.connect("here", v5) // QoS 0 goes on
		here.send(sub(1, "t", 0))
		here.want("SUBACK #1 00")
		p.send(pub("t", "x", 0, 0))
		here.want(`PUBLISH t "x"`)
	}, failing(store))
}
