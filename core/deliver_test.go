package core_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

func TestMessageReachesEveryMatchingSession(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(core.Client{ID: "a"}), w.attach(core.Client{ID: "b"}), w.attach(core.Client{})
		a.sub("x/+", 1)
		b.sub("x/#", 0)
		expect(t, "publish", p.pub("x/1", "m", 1), core.OK)
		a.expect(9, "x/1=m/1")
		b.expect(9, "x/1=m")
		expect(t, "nobody", p.pub("y", "m", 1), core.NoReceiver)
	})
}

func TestOverlappingSubscriptionsMakeOneCopyWithAllIdentifiers(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(core.Client{ID: "a"}), w.attach(core.Client{})
		a.subscribe(core.Subscription{Filter: "x/+", QoS: 0, ID: 1})
		a.subscribe(core.Subscription{Filter: "x/1", QoS: 2, ID: 2})
		a.subscribe(core.Subscription{Filter: "#", QoS: 1})
		p.pub("x/1", "m", 2)
		a.expect(9, "x/1=m/2[2 1]")
	})
}

func TestOverlappingSubscriptionsMakeACopyEachWhereAsked(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(core.Client{ID: "a", Each: true}), w.attach(core.Client{})
		a.subscribe(core.Subscription{Filter: "x", QoS: 0, ID: 1})
		a.subscribe(core.Subscription{Filter: "#", QoS: 1, ID: 2})
		p.pub("x", "m", 1)
		a.expect(9, "x=m[1] x=m/1[2]")
	})
}

func TestNoLocalLeavesOutTheOwnMessages(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.attach(core.Client{ID: "a"}), w.attach(core.Client{ID: "b"})
		a.subscribe(core.Subscription{Filter: "x", QoS: 1, NoLocal: true})
		b.sub("x", 1)
		a.pub("x", "1", 0)
		b.pub("x", "2", 0)
		a.expect(9, "x=2")
		b.expect(9, "x=1 x=2")
	})
}

func TestWindowBoundsWhatIsInFlight(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(core.Client{ID: "a"}), w.attach(core.Client{})
		a.sub("x", 1)
		for _, s := range []string{"1", "2", "3"} {
			p.pub("x", s, 1)
		}
		first := a.expect(2, "x=1/1 x=2/1")
		a.settle(core.Accepted, first[0])
		got := a.Inbox().Take(w.turn, make([]core.Delivery, 0, 9), 1)
		expect(t, "freed", text(got), "x=3/1")
	})
}

func TestUnsettledComesAgainInOrderOnResume(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 2)
		p.pub("x", "1", 1)
		p.pub("x", "2", 2)
		p.pub("x", "3", 1)
		got := a.expect(9, "x=1/1 x=2/2 x=3/1")
		got[1].Consumer.Tag(w.turn, got[1].Seq, 7)
		a.settle(core.Received, got[1])
		a.settle(core.Accepted, got[2])
		p.pub("x", "4", 1)
		w.end()
		a.Detach(w.turn, core.ConnectionLost)
		b := w.attach(durable("a"))
		expect(t, "present", b.Present(), true)
		again := b.expect(9, "x=1/1+ x=2/2+R x=4/1")
		expect(t, "tag", again[1].Tag, 7)
		a.settle(core.Accepted, got[0]) // the old attachment is fenced
		b.Detach(w.turn, core.ConnectionLost)
		w.attach(durable("a")).expect(9, "x=1/1+ x=2/2+R x=4/1+")
	})
}

func TestQoS0ForAnAbsentSessionIsDroppedUnlessKept(t *testing.T) {
	simulate(t, func(w *world) {
		keep := durable("k")
		keep.KeepQoS0 = true
		a, k, p := w.attach(durable("a")), w.attach(keep), w.attach(core.Client{})
		a.sub("x", 1)
		k.sub("x", 1)
		a.Detach(w.turn, core.ConnectionLost)
		k.Detach(w.turn, core.ConnectionLost)
		p.pub("x", "0", 0)
		p.pub("x", "1", 1)
		w.attach(durable("a")).expect(9, "x=1/1")
		w.attach(keep).expect(9, "x=0 x=1/1")
	})
}

// What a client that leaves was not sent of QoS 0 is dropped as what comes then is,
// in the window, beyond it, and where it has a bound of its own.
func TestMQTT_MD6_WhatWasNotSentOfQoS0GoesWithTheClient(t *testing.T) {
	for name, c := range map[string]struct {
		window, apart int
		keep          bool
	}{
		"in the window": {window: 99}, "beyond the window": {window: 2}, "apart": {window: 99, apart: 50}, "kept": {window: 2, keep: true}, "apart, and kept": {window: 99, apart: 50, keep: true},
	} {
		t.Run(name, func(t *testing.T) {
			simulateWith(t, core.SmallPages(core.Options{}, c.window), func(w *world) {
				client := durable("a")
				client.KeepQoS0 = c.keep
				a, p := w.attach(client), w.attach(core.Client{})
				a.sub("x", 1)
				a.BoundQoS0(w.turn, c.apart)
				left, others := "", ""
				for i := range 20 {
					qos := uint8(i % 2)
					p.pub("x", fmt.Sprint(i), qos)
					if i < 10 { // the others are not stored yet
						w.end()
					}
					if text := fmt.Sprintf(" x=%d", i); qos == 0 {
						left += text
					} else {
						left, others = left+text+"/1", others+text+"/1"
					}
				}
				a.Detach(w.turn, core.ConnectionLost)
				dropped := 10
				if c.keep {
					dropped, others = 0, left
				}
				expect(t, "dropped", w.router.Stats().Dropped[core.DropNoReceiver], uint64(dropped))
				expect(t, "messages", w.router.Stats().Namespaces[0].QueueMessages, 20-dropped)
				w.end()
				w.attach(client).expect(99, others[1:])
			})
		})
	}
}

// A connection that takes the place of another gets what was not sent.
func TestWhatWasNotSentOfQoS0OutlivesATakeover(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 1)
		p.pub("x", "0", 0)
		b := w.connect(durable("a"))
		a.Detach(w.turn, core.TakenOver)
		b.expect(9, "x=0")
		expect(t, "dropped", w.router.Stats().Dropped[core.DropNoReceiver], 0)
	})
}

func TestExpiredMessagesAreNotDelivered(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 1)
		a.Detach(w.turn, core.ConnectionLost)
		p.send("x", "short", func(m *core.Message) { m.QoS, m.Expires = 1, w.turn.Now.After(time.Second) })
		p.send("x", "long", func(m *core.Message) { m.QoS, m.Expires = 1, w.turn.Now.After(time.Minute) })
		w.sleep(2 * time.Second)
		b := w.attach(durable("a"))
		got := b.expect(9, "x=long/1")
		left, _ := got[0].Message.Remaining(w.turn.Now, time.Second)
		expect(t, "remaining", left, 58)
		expect(t, "dropped", w.router.Stats().Dropped[core.DropExpired], 1)
	})
}

func TestFullSessionQueueDropsTheOldestAndCounts(t *testing.T) {
	simulate(t, func(w *world) {
		client := durable("a")
		client.Queue.Messages = 2
		a, p := w.attach(client), w.attach(core.Client{})
		a.sub("x", 1)
		for _, s := range []string{"1", "2", "3"} {
			expect(t, "publish", p.pub("x", s, 1), core.OK)
		}
		a.expect(9, "x=2/1 x=3/1")
		expect(t, "dropped", w.router.Stats().Dropped[core.DropQueueFull], 1)
		a.settle(core.Accepted)
	})
}

func TestFullNamedQueueRefuses(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.attach(core.Client{})
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, Limits: core.QueueLimits{Messages: 1}})
		expect(t, "first", p.pub("$queue/q", "1", 1), core.OK)
		expect(t, "second", p.pub("$queue/q", "2", 1), core.QueueFull)
	})
}

func TestLatestQueueKeepsTheNewestOfQoS0(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(core.Client{}), w.attach(core.Client{})
		_, reason := a.Open(w.turn, core.QueueSpec{Latest: true}, core.ConsumeOptions{QoS: 1}, core.Subscription{Filter: "x", QoS: 1})
		expect(t, "open", reason, core.OK)
		a.take(9)
		p.pub("x", "1", 0)
		p.pub("x", "2", 1)
		p.pub("x", "3", 0)
		p.pub("x", "4", 0)
		a.expect(9, "x=2/1 x=4")
	})
}

func TestSlowConsumerHoldsBackOnlyItself(t *testing.T) {
	simulate(t, func(w *world) {
		slow := core.Client{ID: "slow"}
		slow.Queue.Messages = 100
		a, b, p := w.attach(slow), w.attach(core.Client{ID: "fast"}), w.attach(core.Client{})
		a.sub("x", 1)
		b.sub("x", 1)
		got := 0
		for range 1000 {
			p.pub("x", "m", 1)
			for _, d := range b.take(10) {
				d.Consumer.Settle(w.turn, d.Seq, core.Accepted)
				got++
			}
		}
		expect(t, "fast", got, 1000)
		expect(t, "slow waits", a.Inbox().Waiting(), 100)
	})
}

func TestUnsettledDeliveryDoesNotHoldTheRingOpenWithoutEnd(t *testing.T) {
	simulate(t, func(w *world) {
		client := core.Client{ID: "a"}
		client.Queue.Messages = 10
		a, p := w.attach(client), w.attach(core.Client{})
		a.sub("x", 1)
		p.pub("x", "pinned", 1)
		pinned := a.expect(1, "x=pinned/1")
		const published = 70_000
		for range published {
			p.pub("x", "m", 1)
		}
		// The ring has places for 10 + 65,536; the last of them hold what waits.
		got := a.Inbox().Take(w.turn, make([]core.Delivery, 0, 20), 20)
		expect(t, "waited", len(got), 9)
		expect(t, "last place", got[8].Seq-pinned[0].Seq, 10+65_536-1)
		a.settle(core.Accepted, append(got, pinned...)...)
		a.take(20)
		p.pub("x", "goes on", 1)
		a.expect(20, "x=goes on/1")
	})
}

// What a session consumes from, many times over or by private queues, is bounded as its subscriptions are.
func TestSecurity_L11_ConsumersOfASessionAreLimited(t *testing.T) {
	simulateWith(t, core.Options{Limits: core.Limits{Subscriptions: 3}}, func(w *world) {
		a, b := w.attach(core.Client{}), w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q"})
		for _, x := range []struct {
			by   *conn
			want core.Reason
		}{{a, core.OK}, {a, core.OK}, {a, core.OK}, {a, core.Quota}, {b, core.OK}} {
			_, reason := x.by.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
			expect(t, "consume", reason, x.want)
		}
		_, reason := a.Open(w.turn, core.QueueSpec{}, core.ConsumeOptions{}, core.Subscription{Filter: "x"})
		expect(t, "open", reason, core.Quota)
		expect(t, "limits", w.limited(), "subscriptions=2")
	})
}
