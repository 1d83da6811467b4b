package core_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// press sets the pressure and begins a turn that knows it.
func (w *world) press(p core.Pressure) {
	w.router.SetPressure(p)
	w.end()
}

func TestSecurity_O4_WhatWouldGrowIsRefusedAndTheRestGoesOn(t *testing.T) {
	simulate(t, func(w *world) {
		reader, away, p := w.attach(core.Client{}), w.attach(durable("away")), w.attach(core.Client{})
		reader.sub("a", 1)
		away.sub("a", 1)
		expect(t, "retained before", p.send("r", "x", retained), core.NoReceiver)
		expect(t, "publish before", p.pub("a", "1", 1), core.OK)
		w.end()
		away.Detach(w.turn, core.ConnectionLost)
		w.press(core.Pressure{Level: core.LevelRefuse})

		expect(t, "QoS 1", p.pub("a", "2", 1), core.Busy)
		expect(t, "retained", p.send("r", "y", func(m *core.Message) { m.Retain = true }), core.Busy)
		expect(t, "delayed", p.later("a", "x", 0, 1000), core.Busy)
		expect(t, "subscription", reader.sub("b", 0).Reason, core.Busy)
		expect(t, "group", reader.sub("$share/g/b", 0).Reason, core.Busy)
		expect(t, "queue", reader.sub("$queue/new", 0).Reason, core.Busy)
		_, reason := w.router.Attach(w.turn, durable("new"), &conn{w: w})
		expect(t, "session", reason, core.Busy)
		_, reason = w.router.Attach(w.turn, core.Client{}, &conn{w: w})
		expect(t, "session of a connection", reason, core.Busy)
		_, reason = reader.Open(w.turn, core.QueueSpec{}, core.ConsumeOptions{}, core.Subscription{Filter: "c"})
		expect(t, "private queue", reason, core.Busy)

		expect(t, "QoS 0", p.pub("a", "0", 0), core.OK)
		expect(t, "clearing", p.send("r", "", retained), core.NoReceiver)
		expect(t, "the same filter again", reader.sub("a", 1).Reason, core.OK)
		reader.settle(core.Accepted, reader.expect(9, "a=1/1 a=0")...)
		back := w.attach(durable("away")) // it empties its queue
		back.settle(core.Accepted, back.expect(9, "a=1/1")...)

		w.press(core.Pressure{})
		expect(t, "QoS 1 after", p.pub("a", "3", 1), core.OK)
		expect(t, "subscription after", reader.sub("b", 0).Reason, core.OK)
	})
}

func TestSecurity_O6_WhatIsStoredIsRefusedByNameWhileTheDiskIsFull(t *testing.T) {
	simulate(t, func(w *world) {
		p, r, stored := w.attach(core.Client{}), w.attach(core.Client{}), w.attach(durable("d"))
		r.sub("a", 1)
		stored.sub("a", 1)
		p.send("r", "x", retained)
		w.press(core.Pressure{DiskFull: true})
		expect(t, "name", core.DiskFull.String(), "disk full")
		expect(t, "QoS 1", p.pub("a", "1", 1), core.DiskFull)
		expect(t, "QoS 2", p.pub("a", "1", 2), core.DiskFull)
		expect(t, "retained", p.send("r", "y", func(m *core.Message) { m.Retain = true }), core.DiskFull)
		expect(t, "stored subscription", stored.sub("b", 0).Reason, core.DiskFull)
		expect(t, "subscription of a connection", r.sub("b", 0).Reason, core.OK)
		_, reason := w.router.Attach(w.turn, durable("new"), &conn{w: w})
		expect(t, "stored session", reason, core.DiskFull)
		w.attach(core.Client{ID: "transient"})
		expect(t, "QoS 0", p.pub("a", "0", 0), core.OK)
		expect(t, "clearing", p.send("r", "", retained), core.NoReceiver)
		r.expect(9, "a=0")
		w.press(core.Pressure{})
		expect(t, "QoS 1 after", p.pub("a", "2", 1), core.OK)
	})
}

func TestSecurity_O2_QoS0ToReceiversThatLagIsDropped(t *testing.T) {
	for level, lag := range map[core.Level]int{core.LevelShed: 1024, core.LevelBrake: 64} {
		t.Run(level.String(), func(t *testing.T) {
			simulate(t, func(w *world) {
				slow, p := w.attach(core.Client{ID: "slow"}), w.attach(core.Client{})
				slow.sub("a", 1)
				w.press(core.Pressure{Level: level})
				for range lag + 10 {
					expect(t, "QoS 0", p.pub("a", "x", 0), core.OK)
				}
				expect(t, "QoS 1", p.pub("a", "y", 1), core.OK)
				s := w.router.Stats()
				expect(t, "waiting", s.Namespaces[0].QueueMessages, lag+1)
				expect(t, "shed", s.Dropped[core.DropShed], 10)
				expect(t, "word", core.DropShed.String(), "shed")
			})
		})
	}
}

func TestATurnCountsPublishesAgainstWhatItsLoopAllows(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.attach(core.Client{})
		expect(t, "unbounded", w.turn.Pressed(), false)
		w.turn.Allow(2)
		p.pub("a", "1", 0)
		expect(t, "one of two", w.turn.Pressed(), false)
		p.RouteQueues(w.turn, "a")
		expect(t, "two of two", w.turn.Pressed(), true)
		expect(t, "routed", w.turn.Routed(), 2)
		w.turn.Allow(core.Unbounded)
		expect(t, "allowed", w.turn.Pressed(), false)
	})
}

func TestSecurity_O3_RetainedMessagesComeInTurnsUnderPressure(t *testing.T) {
	for _, client := range []core.Client{{}, durable("a")} {
		for qos := range uint8(3) {
			t.Run(fmt.Sprintf("%s %d", client.ID, qos), func(t *testing.T) {
				simulate(t, func(w *world) {
					p := w.attach(core.Client{})
					for i := range 300 {
						p.send(fmt.Sprintf("x/%03d", i), "r", func(m *core.Message) { m.Retain, m.QoS = true, qos })
					}
					w.end()
					a := w.attach(client)
					w.router.SetPressure(core.Pressure{Level: core.LevelBrake})
					w.end()
					a.sub("x/#", qos)
					var got []core.Delivery
					turns := 0
					for ; len(got) < 300 && turns < 20; turns++ {
						before := len(got)
						got = append(got, a.drain()...)
						if n := len(got) - before; n > 64 {
							t.Fatalf("%d in one turn", n)
						}
						a.told()
						w.sleep(400 * time.Millisecond)
						expect(t, "woken", a.told(), len(got) < 300)
					}
					expect(t, "messages", len(got), 300)
					for i, d := range got {
						expect(t, "order", d.Message.Topic, fmt.Sprintf("x/%03d", i))
					}
					if turns < 5 {
						t.Errorf("%d turns", turns)
					}
					w.router.SetPressure(core.Pressure{})
					w.end()
					a.sub("x/+", qos)
					expect(t, "without pressure", len(a.drain()), 300)
				})
			})
		}
	}
}

// drain takes what the session's own queue gives now, and settles it.
func (c *conn) drain() (all []core.Delivery) {
	for {
		c.w.end()
		ds := c.Inbox().Take(c.w.turn, make([]core.Delivery, 0, 100), 100)
		if c.settle(core.Accepted, ds...); len(ds) == 0 && !c.told() {
			return all
		}
		all = append(all, ds...)
	}
}
