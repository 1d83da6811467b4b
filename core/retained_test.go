package core_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

func TestRetainedComesWithTheSubscription(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.attach(core.Client{})
		p.send("x/1", "old", retained)
		p.send("x/1", "new", retained)
		p.send("x/2", "b", retained)
		a := w.attach(core.Client{ID: "a"})
		a.subscribe(core.Subscription{Filter: "x/#", QoS: 1, ID: 9})
		a.expect(9, "x/1=new/1r[9] x/2=b/1r[9]")
		p.send("x/2", "", retained)
		a.expect(9, "x/2=/1[9]")
		_, reason := p.Retained(w.turn, "x/2")
		expect(t, "cleared", reason, core.NotFound)
	})
}

func TestRetainHandlingAndRetainAsPublished(t *testing.T) {
	simulate(t, func(w *world) {
		p, a := w.attach(core.Client{}), w.attach(core.Client{ID: "a"})
		p.send("x", "m", retained)
		a.subscribe(core.Subscription{Filter: "x", RetainHandling: 2, RetainAsPublished: true})
		a.expect(9, "")
		a.subscribe(core.Subscription{Filter: "x", RetainHandling: 1, RetainAsPublished: true})
		a.expect(9, "")
		a.subscribe(core.Subscription{Filter: "x", RetainAsPublished: true})
		a.expect(9, "x=mr")
		p.send("x", "n", retained)
		a.expect(9, "x=nr")
	})
}

// Several filters are like so many packets [MQTT-3.8.4-5]: what one of them
// brings does not depend on those behind it.
func TestTheSameFilterTwiceBringsRetainedTwice(t *testing.T) {
	simulate(t, func(w *world) {
		p, a := w.attach(core.Client{}), w.attach(core.Client{ID: "a"})
		for _, name := range []string{"x/1", "x/2"} {
			p.send(name, "m", func(m *core.Message) { m.Retain, m.QoS = true, 2 })
		}
		sub := func(f string, qos, handling uint8, id uint32) core.Subscription {
			return core.Subscription{Filter: f, QoS: qos, RetainHandling: handling, ID: id}
		}
		a.subscribe(sub("x/+", 0, 0, 1), sub("x/1", 1, 0, 2), sub("x/+", 2, 0, 3), sub("x/+", 1, 1, 4), sub("x/+", 1, 2, 5))
		a.expect(9, "x/1=mr[1] x/2=mr[1] x/1=m/1r[2] x/1=m/2r[3] x/2=m/2r[3]")
		a.subscribe(sub("y", 1, 1, 1), sub("x/2", 1, 1, 1), sub("x/2", 1, 1, 2))
		a.expect(9, "x/2=m/1r[1]")
	})
}

// A walk that is under way begins again.
func TestSubscribingAgainBeginsTheWalkAgain(t *testing.T) {
	simulate(t, func(w *world) {
		p, a := w.attach(core.Client{}), w.attach(durable("a"))
		for _, name := range []string{"x/1", "x/2", "x/3"} {
			p.send(name, "m", func(m *core.Message) { m.Retain, m.QoS = true, 1 })
		}
		a.sub("x/+", 1)
		w.end()
		a.settle(core.Accepted, a.takeAll(1)...)
		a.sub("x/+", 1)
		got := a.takeAll(9)
		expect(t, "again", text(got), "x/1=m/1r x/2=m/1r x/3=m/1r")
		a.settle(core.Accepted, got...)
		w.end()
		expect(t, "walks in the store", w.store.count('w'), 0)
	})
}

func TestLiveMessagesComeAfterTheRetainedWalk(t *testing.T) {
	simulate(t, func(w *world) {
		p, a := w.attach(core.Client{}), w.attach(core.Client{ID: "a"})
		want := ""
		for i := range 600 {
			name := fmt.Sprintf("x/%03d", i)
			p.send(name, "r", retained)
			want += name + "=r/1r "
		}
		a.sub("x/#", 1)
		p.pub("x/599", "live", 1)
		p.send("x/598", "newer", retained)
		w.end()
		var all []core.Delivery
		c := a.NextReady()
		for {
			got := c.Take(w.turn, make([]core.Delivery, 0, 7), 7)
			all = append(all, got...)
			for _, d := range got {
				d.Consumer.Settle(w.turn, d.Seq, core.Accepted)
			}
			if len(got) == 0 {
				break
			}
		}
		expect(t, "deliveries", len(all), 601)
		for _, d := range all {
			if string(d.Message.Payload) == "r" && d.Message.Topic == "x/598" {
				t.Fatal("an old value although a newer one arrives live")
			}
		}
		expect(t, "end", text(all[599:]), "x/599=live/1 x/598=newer/1")
		_ = want
	})
}

func TestUnsettledRetainedComesAgain(t *testing.T) {
	simulate(t, func(w *world) {
		p, a := w.attach(core.Client{}), w.attach(durable("a"))
		p.send("x", "m", retained)
		a.sub("x", 1)
		a.expect(9, "x=m/1r")
		a.Detach(w.turn, core.ConnectionLost)
		b := w.attach(durable("a"))
		b.settle(core.Accepted, b.expect(9, "x=m/1r+")...)
		b.Detach(w.turn, core.ConnectionLost)
		w.attach(durable("a")).expect(9, "")
	})
}

func TestGroupsAndQueuesGetNoRetained(t *testing.T) {
	simulate(t, func(w *world) {
		p, a := w.attach(core.Client{}), w.attach(core.Client{ID: "a"})
		p.send("x", "m", retained)
		a.sub("$share/g/x", 1)
		a.sub("$queue/x", 1)
		a.expect(9, "")
	})
}

func TestRetainedExpires(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.attach(core.Client{})
		p.send("x", "m", func(m *core.Message) { m.Retain, m.Expires = true, w.turn.Now.After(time.Second) })
		_, reason := p.Retained(w.turn, "x")
		expect(t, "before", reason, core.OK)
		w.sleep(time.Second)
		_, reason = p.Retained(w.turn, "x")
		expect(t, "after", reason, core.NotFound)
		a := w.attach(core.Client{ID: "a"})
		a.sub("x", 0)
		a.expect(9, "")
	})
}

func TestConditionalWriteIsDecidedWithTheWrite(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.attach(core.Client{})
		put := func(payload string, cond func(*core.Message) bool) core.Reason {
			mt, _ := p.Route(w.turn, []byte("x"))
			m := core.NewMessage([]byte(payload))
			m.Topic, m.Retain = mt.Topic(), true
			_, _, reason := p.PublishIf(w.turn, mt, m, cond)
			return reason
		}
		absent := func(old *core.Message) bool { return old == nil }
		expect(t, "first", put("1", absent), core.NoReceiver)
		expect(t, "second", put("2", absent), core.Precondition)
		m, _ := p.Retained(w.turn, "x")
		expect(t, "value", string(m.Payload), "1")
		rev := m.Revision()
		expect(t, "matching", put("3", func(old *core.Message) bool { return old.Revision() == rev }), core.NoReceiver)
	})
}

func TestRetainedWalkWaitsForTheSubscriptionToBeSafe(t *testing.T) {
	simulate(t, func(w *world) {
		p, a := w.attach(core.Client{}), w.attach(durable("a"))
		p.send("x", "m", retained)
		w.end()
		a.take(9)
		w.store.hold = make(chan struct{})
		_, seq, pending := a.Subscribe(w.turn, []core.Subscription{{Filter: "x"}}, nil)
		expect(t, "pending", pending, true)
		a.expect(9, "")
		close(w.store.hold)
		w.end()
		expect(t, "safe", a.Safe() >= seq, true)
		a.expect(9, "x=mr")
	})
}

func TestBindingThatAsksGetsTheRetainedMessages(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.attach(core.Client{})
		for i := range 600 {
			p.send(fmt.Sprintf("x/%03d", i), "r", retained)
		}
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
		p.Bind(w.turn, "q", core.Subscription{Filter: "x/#", QoS: 2})
		w.end()
		info, _ := p.Inspect("q")
		expect(t, "waiting", info.Waiting, 600)
		p.Bind(w.turn, "q", core.Subscription{Filter: "x/#", QoS: 2, RetainHandling: 1})
		p.Bind(w.turn, "q", core.Subscription{Filter: "#", QoS: 2, RetainHandling: 2})
		w.end()
		info, _ = p.Inspect("q")
		expect(t, "neither an old binding nor one that does not ask", info.Waiting, 600)
		w.restart(core.Options{})
		q := w.attach(core.Client{})
		q.Consume(w.turn, "q", core.ConsumeOptions{QoS: 2})
		q.expect(2, "x/000=r/1r x/001=r/1r")
	})
}

func TestExpiredRetainedMessagesAreRemoved(t *testing.T) {
	simulateWith(t, core.Options{Limits: core.Limits{Retained: 20_000}}, func(w *world) {
		p := w.attach(core.Client{})
		keep := func(from, to int, life time.Duration) {
			t.Helper()
			for i := from; i < to; i++ {
				reason := p.send(fmt.Sprintf("r/%05d", i), "v", func(m *core.Message) {
					if retained(m); life > 0 {
						m.Expires = w.turn.Now.After(life)
					}
				})
				expect(t, "publish", reason, core.NoReceiver)
			}
			w.end()
		}
		stored := func(want int) {
			t.Helper()
			expect(t, "retained", w.router.Stats().Namespaces[0].Retained, want)
			expect(t, "records", w.store.count('r'), want)
		}
		keep(0, 10_000, time.Second)
		keep(10_000, 19_000, 10*time.Minute)
		keep(19_000, 20_000, 0)
		w.sleep(2 * time.Minute)
		stored(10_000)
		keep(0, 1000, time.Hour)
		w.restart(core.Options{})
		p = w.attach(core.Client{})
		w.sleep(15 * time.Minute)
		stored(2000)
		w.sleep(time.Hour)
		stored(1000)
		expect(t, "bytes of one", w.router.Stats().Namespaces[0].RetainedBytes/1000, 104)
		expect(t, "timers", w.router.Alarms(), 0)
	})
}
