package core_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// readyQueue declares a named queue with limits of its own. What it gives up goes to
// a durable queue "dead".
func readyQueue(w *world, limits core.QueueLimits) *conn {
	a := w.attach(core.Client{})
	buryIn(w, "dead")
	a.Declare(w.turn, core.QueueSpec{Name: "dead", Durable: true})
	a.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, DeadRoom: "room", Limits: limits})
	w.end()
	return a
}

func buryIn(w *world, queue string) {
	w.router.OnDead("room", func(t *core.Turn, d core.Dead) {
		m := core.NewMessage(d.Message.Payload)
		m.Topic, m.QoS = "$queue/"+queue, 1
		w.router.PublishSystem(t, d.Namespace, m)
	})
}

// contents takes what waits in a queue, and settles it.
func (c *conn) contents(queue string) string {
	c.w.t.Helper()
	c.w.end()
	var all []string
	for {
		d, _, ok, reason := c.get(queue, true)
		if !ok || reason != core.OK {
			return strings.Join(all, " ")
		}
		all = append(all, string(d.Message.Payload))
	}
}

func (c *conn) inspect(queue string) (waiting, inFlight int) {
	c.w.t.Helper()
	info, reason := c.Inspect(queue)
	expect(c.w.t, "inspect", reason, core.OK)
	return info.Waiting, info.InFlight
}

func TestTheLengthOfANamedQueueIsWhatWaits(t *testing.T) {
	for name, limits := range map[string]core.QueueLimits{
		"messages": {Messages: 2, Overflow: core.DropOldest},
		"bytes":    {Bytes: 250, Overflow: core.DropOldest}, // two of 106
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				a := readyQueue(w, limits)
				c, _ := a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
				a.expect(9, "")
				for _, p := range []string{"1", "2", "3"} {
					a.pub("$queue/q", p, 1)
				}
				held := a.expect(3, "$queue/q=1/1 $queue/q=2/1 $queue/q=3/1")
				for _, p := range []string{"4", "5", "6"} {
					a.pub("$queue/q", p, 1)
				}
				a.take(0) // the consumer was woken, and has no room
				n, out := a.inspect("q")
				expect(t, "wait", n, 2)
				expect(t, "in flight", out, 3)
				expect(t, "dropped: the oldest that waits", a.contents("dead"), "4")
				c.Stop(w.turn)
				a.settle(core.Released, held[1]) // before those that wait: the first to go
				expect(t, "given back beyond the limit", a.contents("dead"), "2")
				a.settle(core.Accepted, held[2])
				c.Cancel(w.turn)
				expect(t, "given back by its end", a.contents("dead"), "1")
				expect(t, "left", a.contents("q"), "5 6")
			})
		})
	}
}

func TestWhatIsGivenBackWithinTheLimitKeepsItsPlace(t *testing.T) {
	simulate(t, func(w *world) {
		a := readyQueue(w, core.QueueLimits{Messages: 2, Overflow: core.DropOldest})
		a.pub("$queue/q", "1", 1)
		held, _, _, _ := a.get("q", false)
		a.pub("$queue/q", "2", 1)
		a.settle(core.Released, held)
		expect(t, "nothing is too much", a.contents("dead"), "")
		a.pub("$queue/q", "3", 1) // the oldest is what was given back
		expect(t, "dropped", a.contents("dead"), "1")
		expect(t, "left", a.contents("q"), "2 3")
	})
}

func TestAQueueThatRefusesCountsWhatWaits(t *testing.T) {
	for name, c := range map[string]struct {
		overflow core.Overflow
		dead     string
	}{"refuse": {core.RejectNew, ""}, "refuse and bury": {core.RejectDead, "4 5"}} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				a := readyQueue(w, core.QueueLimits{Messages: 1, Overflow: c.overflow})
				expect(t, "1", a.pub("$queue/q", "1", 1), core.OK)
				held, _, _, _ := a.get("q", false)
				expect(t, "2", a.pub("$queue/q", "2", 1), core.OK)
				second, _, _, _ := a.get("q", false)
				expect(t, "3", a.pub("$queue/q", "3", 0), core.OK)
				expect(t, "4", a.pub("$queue/q", "4", 1), core.QueueFull)
				a.settle(core.Released, held, second) // nothing is dropped for it
				expect(t, "5", a.pub("$queue/q", "5", 0), core.QueueFull)
				expect(t, "dead", a.contents("dead"), c.dead)
				expect(t, "left", a.contents("q"), "1 2 3")
			})
		})
	}
}

// The limit does not open the memory of the gateway to who takes and settles
// nothing: for both together its own default holds.
func TestWhatIsInFlightIsBoundedToo(t *testing.T) {
	for name, c := range map[string]struct {
		limits core.Limits
		queue  core.QueueLimits
	}{
		"messages": {core.Limits{QueueMessages: 3}, core.QueueLimits{Messages: 2}},
		"bytes":    {core.Limits{QueueBytes: 350}, core.QueueLimits{Messages: 2}},
		"both":     {core.Limits{QueueMessages: 3}, core.QueueLimits{Bytes: 1000}},
	} {
		for _, overflow := range []core.Overflow{core.DropOldest, core.RejectNew} {
			t.Run(fmt.Sprint(name, overflow), func(t *testing.T) {
				simulateWith(t, core.Options{Limits: c.limits}, func(w *world) {
					limits := c.queue
					limits.Overflow = overflow
					a := readyQueue(w, limits)
					for range 5 {
						a.pub("$queue/q", "m", 1)
						a.get("q", false)
					}
					n, out := a.inspect("q")
					expect(t, "wait", n, 0)
					expect(t, "in flight", out, 3)
				})
			})
		}
	}
}

// What a consumer was woken for is as good as delivered.
func TestABurstIsNotDroppedBeforeAConsumerThatTakesIt(t *testing.T) {
	simulate(t, func(w *world) {
		a := readyQueue(w, core.QueueLimits{Messages: 1, Overflow: core.DropOldest})
		c, _ := a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
		a.expect(9, "")
		for i := range 100 {
			a.pub("$queue/q", fmt.Sprint(i), 0)
		}
		w.end()
		expect(t, "taken, in helpings", len(a.take(200))+len(c.Take(w.turn, make([]core.Delivery, 0, 64), 200)), 100)
		for i := range 5 {
			a.pub("$queue/q", fmt.Sprint(i), 1)
		}
		held := a.expect(2, "$queue/q=0/1 $queue/q=1/1")
		expect(t, "what it left", a.contents("dead"), "2 3")
		a.settle(core.Accepted, held...)
		expect(t, "the newest stays", a.contents("q"), "4")
	})
}

func TestABurstForAConsumerWhosePeerDoesNotReadIsBounded(t *testing.T) {
	simulate(t, func(w *world) {
		a := readyQueue(w, core.QueueLimits{Messages: 1, Overflow: core.DropOldest})
		b := w.attach(core.Client{})
		b.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
		b.expect(9, "")
		for i := range 3 {
			a.pub("$queue/q", fmt.Sprint(i), 1)
		}
		b.PassOn(w.turn)
		for i := range 3 {
			a.pub("$queue/q", fmt.Sprint(3+i), 1)
		}
		n, _ := a.inspect("q")
		expect(t, "wait", n, 1)
		b.expect(9, "$queue/q=5/1")
	})
}

func TestTheLengthHoldsAfterARestart(t *testing.T) {
	for name, room := range map[string]string{"dropped": "", "buried": "room"} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				a := w.attach(core.Client{})
				a.Declare(w.turn, core.QueueSpec{Name: "dead", Durable: true})
				a.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, DeadRoom: room, Limits: core.QueueLimits{Messages: 2, Overflow: core.DropOldest}})
				for i := range 5 {
					a.pub("$queue/q", fmt.Sprint(i), 1)
					if i < 3 {
						a.get("q", false)
					}
				}
				n, _ := a.inspect("q")
				expect(t, "wait", n, 2)
				w.end()
				w.crash(core.Options{}) // what was in flight waits
				buryIn(w, "dead")
				w.end()
				a = w.attach(core.Client{})
				n, _ = a.inspect("q")
				expect(t, "wait after the start", n, 2)
				expect(t, "dead", a.contents("dead"), map[string]string{"dropped": "", "buried": "0 1 2"}[name])
				a.pub("$queue/q", "5", 1)
				expect(t, "left", a.contents("q"), "4 5")
				a.contents("dead")
				w.end()
				expect(t, "records", w.store.count('q'), 0)
			})
		})
	}
}

// The same where most of the queue is in the store alone.
func TestTheLengthOfAQueueBeyondMemoryIsWhatWaits(t *testing.T) {
	simulateWith(t, core.Options{Limits: core.Limits{WindowMessages: 2}}, func(w *world) {
		a := readyQueue(w, core.QueueLimits{Messages: 10, Overflow: core.DropOldest})
		var held []core.Delivery
		for i := range 20 {
			a.pub("$queue/q", fmt.Sprint(i), 1)
			w.end()
			if i < 8 {
				d, _, _, _ := a.get("q", false)
				held = append(held, d)
			}
		}
		n, _ := a.inspect("q")
		expect(t, "wait", n, 10)
		expect(t, "dead", a.contents("dead"), "8 9")
		a.settle(core.Released, held...)
		expect(t, "given back", a.contents("dead"), "0 1 2 3 4 5 6 7")
		expect(t, "left", a.contents("q"), "10 11 12 13 14 15 16 17 18 19")
		w.end()
		expect(t, "records", w.store.count('q'), 0)
	})
}

// A queue that expires goes with what it holds: that is no dead letter.
func TestAQueueThatNobodyUsesExpiresWithItsMessages(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{})
		buryIn(w, "dead")
		a.Declare(w.turn, core.QueueSpec{Name: "dead", Durable: true})
		spec := core.QueueSpec{Name: "q", Durable: true, DeadRoom: "room", IdleExpiry: time.Minute, ExpiresFull: true}
		a.Declare(w.turn, spec)
		exists := func(what string, want core.Reason) {
			t.Helper()
			_, reason := a.Inspect("q")
			expect(t, what, reason, want)
		}
		for range 4 { // a publish is no use, nor is that the queue becomes empty
			a.pub("$queue/q", "m", 1)
		}
		w.sleep(40 * time.Second)
		a.get("q", true) // is one
		w.sleep(40 * time.Second)
		exists("after a get", core.OK)
		a.Touch(w.turn, "q")
		w.sleep(40 * time.Second)
		exists("after a look", core.OK)
		a.Declare(w.turn, spec)
		w.sleep(40 * time.Second)
		exists("declared again", core.OK)
		c, _ := a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
		w.sleep(2 * time.Minute)
		exists("consumed", core.OK)
		c.Cancel(w.turn)
		w.sleep(50 * time.Second)
		a.Purge(w.turn, "q")
		a.pub("$queue/q", "m", 1)
		w.sleep(9 * time.Second)
		exists("before", core.OK)
		w.sleep(2 * time.Second)
		exists("unused", core.NotFound)
		n, _ := a.inspect("dead")
		expect(t, "dead letters", n, 0)
		expect(t, "records", w.store.count('q')+w.store.count('n'), 1) // of the queue dead
		expect(t, "timers", w.router.Alarms(), 0)
	})
}

func TestTheTimeOfAnUnusedQueueStartsAnewWithTheGateway(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, IdleExpiry: time.Minute, ExpiresFull: true})
		a.pub("$queue/q", "m", 1)
		w.sleep(40 * time.Second)
		w.restart(core.Options{})
		a = w.attach(core.Client{})
		w.sleep(59 * time.Second)
		_, reason := a.Inspect("q")
		expect(t, "before", reason, core.OK)
		w.sleep(2 * time.Second)
		_, reason = a.Inspect("q")
		expect(t, "after", reason, core.NotFound)
		w.end()
		expect(t, "records", w.store.count('q')+w.store.count('n'), 0)
	})
}

// Queues that subscribers of MQTT make keep what waits in them.
func TestAQueueThatIsMadeByUseExpiresEmptyOnly(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, IdleExpiry: time.Minute})
		a.pub("$queue/q", "m", 1)
		w.sleep(2 * time.Minute)
		n, _ := a.inspect("q")
		expect(t, "waits", n, 1)
		a.contents("q")
		w.sleep(59 * time.Second)
		a.inspect("q")
		w.sleep(2 * time.Second)
		_, reason := a.Inspect("q")
		expect(t, "empty", reason, core.NotFound)
	})
}

// A record of an earlier release ends before ExpiresFull: its queue expired by what
// a client declared, which has arguments, or was made by use.
func TestTheExpiryOfAnEarlierReleaseIsWhatItsClientAskedFor(t *testing.T) {
	for args, want := range map[string]core.Reason{"": core.OK, `"x-expires"=60000`: core.NotFound} {
		t.Run(args, func(t *testing.T) {
			simulate(t, func(w *world) {
				a := w.attach(core.Client{})
				a.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, IdleExpiry: time.Minute, Args: args})
				a.pub("$queue/q", "m", 1)
				w.end()
				w.store = w.store.crashed()
				for k, v := range w.store.m {
					if k[0] == 'n' {
						w.store.m[k] = v[:len(v)-1]
					}
				}
				w.crash(core.Options{})
				a = w.attach(core.Client{})
				w.sleep(61 * time.Second)
				_, reason := a.Inspect("q")
				expect(t, "after its time", reason, want)
			})
		})
	}
}
