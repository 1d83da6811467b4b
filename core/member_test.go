package core_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

func TestTheActiveConsumerIsOneThatIsConnected(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(durable("a")), w.attach(durable("b")), w.attach(core.Client{})
		p.Declare(w.turn, core.QueueSpec{Name: "q", SingleActive: true})
		a.sub("$queue/q", 1)
		b.sub("$queue/q", 1)
		a.expect(9, "")
		b.expect(9, "")
		p.pub("$queue/q", "1", 1)
		b.expect(9, "")
		a.Detach(w.turn, core.ConnectionLost)
		got := b.expect(9, "$queue/q=1/1")
		a = w.attach(durable("a")) // at the end of the line
		p.pub("$queue/q", "2", 1)
		a.expect(9, "")
		b.settle(core.Accepted, append(got, b.expect(9, "$queue/q=2/1")...)...)
		b.Detach(w.turn, core.ConnectionLost)
		p.pub("$queue/q", "3", 1)
		a.expect(9, "$queue/q=3/1")
	})
}

func TestQoS2ThatWasSentStaysWithItsSessionOverARestart(t *testing.T) { // [MQTT-4.8.2-4]
	simulate(t, func(w *world) {
		a, b, p := w.attach(durable("a")), w.attach(durable("b")), w.attach(core.Client{})
		a.subscribe(core.Subscription{Filter: "$share/g/x", QoS: 2, ID: 4})
		p.pub("x", "m", 2)
		sent := a.expect(9, "x=m/2[4]")
		b.sub("$share/g/x", 2)
		b.expect(9, "")
		w.crash(core.Options{})
		w.attach(durable("b")).expect(9, "")
		again := w.attach(durable("a")).expect(9, "x=m/2+[4]")
		expect(t, "identifier", again[0].Seq, sent[0].Seq)
	})
}

func TestQoS2ThatWasSentGoesToNobodyElseWhenItsSessionEnds(t *testing.T) { // [MQTT-4.8.2-5]
	for name, client := range map[string]core.Client{"durable": durable("a"), "transient": {ID: "a"}} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				a, b, p := w.attach(client), w.attach(durable("b")), w.attach(core.Client{})
				a.sub("$share/g/x", 2)
				p.pub("x", "1", 1)
				p.pub("x", "2", 2)
				a.expect(9, "x=1/1 x=2/2")
				b.sub("$share/g/x", 2)
				b.expect(9, "")
				a.SetExpiry(w.turn, 0)
				a.Detach(w.turn, core.ConnectionLost)
				b.settle(core.Accepted, b.expect(9, "x=1/1+")...)
				expect(t, "entries", w.store.count('q'), 0)
			})
		})
	}
}

// What counts is the QoS that a message was sent with, not what the subscription
// has become since: QoS 1 goes to others, QoS 2 to nobody.
func TestAnotherQoSOfASubscriptionChangesNothingOfWhatWasSent(t *testing.T) { // [MQTT-4.8.2-5]
	for name, client := range map[string]core.Client{"durable": durable("a"), "transient": {ID: "a"}} {
		for _, filter := range []string{"$share/g/x", "$queue/x"} {
			for _, last := range []uint8{0, 1, 2} {
				t.Run(fmt.Sprint(name, " ", filter, " ", last), func(t *testing.T) {
					simulate(t, func(w *world) {
						a, b, p := w.attach(client), w.attach(durable("b")), w.attach(core.Client{})
						a.sub(filter, 1)
						p.pub("x", "1", 2)
						a.expect(9, "x=1/1")
						a.sub(filter, 2)
						p.pub("x", "2", 2)
						a.expect(9, "x=2/2")
						a.sub(filter, last)
						b.sub(filter, 2)
						b.expect(9, "")
						a.SetExpiry(w.turn, 0)
						a.Detach(w.turn, core.ConnectionLost)
						b.settle(core.Accepted, b.expect(9, "x=1/2")...)
						expect(t, "entries", w.store.count('q'), 0)
					})
				})
			}
		}
	}
}

func TestWhatAFormerMemberHoldsIsCompletedByIt(t *testing.T) { // [MQTT-3.10.4-3]
	for name, client := range map[string]core.Client{"durable": durable("a"), "transient": {ID: "a"}} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				a, b, p := w.attach(client), w.attach(durable("b")), w.attach(core.Client{})
				a.sub("$share/g/x", 2)
				p.pub("x", "1", 1)
				p.pub("x", "2", 2)
				p.pub("x", "3", 1)
				got := a.expect(9, map[string]string{"durable": "x=1/1 x=2/2 x=3/1", "transient": "x=1/1 x=2/2 x=3/1"}[name])
				b.sub("$share/g/x", 2)
				a.Unsubscribe(w.turn, []string{"$share/g/x"}, nil)
				p.pub("x", "4", 1)
				b.settle(core.Accepted, b.expect(9, "x=4/1")...)
				a.expect(9, "")
				a.settle(core.Received, got[1])
				a.settle(core.Accepted, got[0], got[1])
				a.Detach(w.turn, core.ConnectionLost) // one is left
				b.settle(core.Accepted, b.expect(9, "x=3/1+")...)
				expect(t, "entries", w.store.count('q'), 0)
			})
		})
	}
}

func TestRejectedQoS2GoesToTheDeadLettersOfItsQueue(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, DeadLetter: true})
		a.sub("$queue/q", 2)
		p.pub("$queue/q", "1", 2)
		p.pub("$queue/q", "2", 2)
		got := a.expect(9, "$queue/q=1/2 $queue/q=2/2")
		a.settle(core.Rejected, got[0])
		w.crash(core.Options{})
		a, p = w.attach(durable("a")), w.attach(core.Client{})
		a.settle(core.Rejected, a.expect(9, "$queue/q=2/2+")...)
		info, reason := p.Inspect("$dead/q")
		expect(t, "dead letters", reason, core.OK)
		expect(t, "waiting", info.Waiting, 2)
	})
}

func TestAMemberIsGivenNoMoreQoS2ThanItsWindow(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(durable("a")), w.attach(durable("b")), w.attach(core.Client{})
		a.sub("$share/g/x", 2)
		for _, s := range []string{"1", "2", "3", "4", "5"} {
			p.pub("x", s, 2)
		}
		c := a.NextReady()
		for c != nil && c == a.Inbox() {
			c.Take(w.turn, nil, 0)
			c = a.NextReady()
		}
		for range 5 {
			c.Take(w.turn, make([]core.Delivery, 0, 9), 2)
			w.end()
		}
		expect(t, "given", a.Inbox().Waiting(), 2)
		b.sub("$share/g/x", 2)
		b.expect(9, "x=3/2 x=4/2 x=5/2")
		a.expect(9, "x=1/2 x=2/2")
	})
}

func TestOrderIsKeptAmongWhatIsGivenAndWhatIsNot(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("$share/g/x", 2)
		want := ""
		for i := range 12 {
			s := string(rune('a' + i))
			p.pub("x", s, uint8(1+i%4/2))
			want += "x=" + s + []string{"/1 ", "/2 "}[i%4/2]
		}
		a.expect(99, want[:len(want)-1])
	})
}

// A consumer that may not take what waits first does not hide what is behind.
func TestWhatOneMayNotTakeHidesNothingFromIt(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(core.Client{ID: "a"}), w.attach(core.Client{ID: "b"}), w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q"})
		a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1, NoLocal: true})
		b.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
		a.expect(9, "")
		b.expect(9, "")
		a.pub("$queue/q", "own", 1) // wakes b
		for _, s := range []string{"1", "2", "3"} {
			p.pub("$queue/q", s, 1) // wakes a, whose share is half of it
		}
		a.expect(9, "$queue/q=1/1 $queue/q=2/1")
		b.expect(9, "$queue/q=own/1 $queue/q=3/1")
	})
}

func TestAWillIsKeptOverAnOrderlyStop(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{ID: "a", Expiry: time.Hour, Will: will("w", 0)})
		w.attach(durable("s")).sub("w", 1)
		w.router.Stop()
		a.Detach(w.turn, core.ShuttingDown)
		w.sleep(time.Minute)
		w.restart(core.Options{})
		s := w.attach(durable("s"))
		w.sleep(29 * time.Second)
		s.expect(9, "")
		w.sleep(2 * time.Second)
		s.expect(9, "w=gone/1")
	})
}
