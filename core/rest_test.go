package core_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/entrepot/entrepot/core"
)

// comes takes up to so many deliveries of QoS 1, which are numbered from one on;
// those below sent are marked as repeated.
func (c *conn) comes(most, from, to, sent int) (got []core.Delivery) {
	c.w.t.Helper()
	for idle := 0; idle < 2 && len(got) < most; idle++ {
		c.w.end()
		n := len(got)
		if got = c.Inbox().Take(c.w.turn, slices.Grow(got, most), most-n); len(got) > n {
			idle = 0
		}
	}
	for i := range got {
		if d := &got[i]; string(d.Message.Payload) != fmt.Sprint(from+i) || d.Redelivered() != (from+i < sent) {
			c.w.t.Fatalf("%s: %s comes in place %d, repeated: %v", c.ClientID(), d.Message.Payload, i, d.Redelivered())
		}
	}
	expect(c.w.t, "deliveries to "+c.ClientID(), len(got), to-from)
	return got
}

func (w *world) fillTopic(p *conn, from, to int) {
	for i := from; i < to; i++ {
		p.pub("t", fmt.Sprint(i), 1)
	}
	w.end()
}

// What a session has in memory while nobody takes from it is bounded by little,
// whatever it held while it was connected, and whatever arrives; and it misses
// nothing of it.
func TestASessionThatIsAwayHoldsLittleInMemory(t *testing.T) {
	const sessions = 10
	for name, c := range map[string]struct{ before, taken, after int }{
		"what waited":       {before: 200},
		"what was sent":     {before: 200, taken: 150},
		"all was sent":      {before: 40, taken: 40},
		"what arrives":      {after: 200},
		"all of it":         {before: 1000, taken: 100, after: 500},
		"few":               {before: 6, taken: 3},
		"few, and then all": {before: 6, taken: 3, after: 300},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				p := w.attach(core.Client{})
				var all []*conn
				for i := range sessions {
					all = append(all, w.attach(durable(fmt.Sprint("s", i))))
					all[i].sub("t", 1)
				}
				w.fillTopic(p, 0, c.before)
				for _, a := range all {
					if c.taken > 0 {
						a.comes(c.taken, 0, c.taken, 0)
					}
					a.Detach(w.turn, core.ConnectionLost)
				}
				w.fillTopic(p, c.before, c.before+c.after)
				total := c.before + c.after
				for i := range all {
					id := fmt.Sprint("s", i)
					if n, bytes := w.router.Resident(id); n > core.RestMessages || bytes > core.RestBytes {
						t.Fatalf("%s has %d messages and %d bytes in memory", id, n, bytes)
					}
					n, _ := w.router.InQueue(id)
					expect(t, "messages", n, total)
					a := w.attach(durable(id))
					got := a.comes(2*total, 0, total, c.taken)
					a.settle(core.Accepted, got[:1+i%2*(total-1)]...)
				}
				w.end()
				w.crash(core.Options{})
				for i := range all {
					w.attach(durable(fmt.Sprint("s", i))).comes(2*total, 1+i%2*(total-1), total, total)
				}
			})
		})
	}
}

// A message that many wait for is one in memory.
func TestWhatManySessionsWaitForStaysInMemory(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.attach(core.Client{})
		for i := range 20 {
			a := w.attach(durable(fmt.Sprint("s", i)))
			a.sub("t", 1)
			if i%2 == 0 {
				a.Detach(w.turn, core.ConnectionLost)
			}
		}
		w.fillTopic(p, 0, 100)
		for i := range 20 {
			n, _ := w.router.Resident(fmt.Sprint("s", i))
			expect(t, "in memory", n, 100)
		}
	})
}

// What is on its way to the store when its session leaves is let go of when it is
// there.
func TestWhatIsNotStoredYetIsLetGoOfLater(t *testing.T) {
	for _, taken := range []int{0, 10, 50} {
		t.Run(fmt.Sprint(taken), func(t *testing.T) {
			simulate(t, func(w *world) {
				p, a := w.attach(core.Client{}), w.attach(durable("a"))
				a.sub("t", 1)
				w.fillTopic(p, 0, 20)
				first := min(taken, 20)
				a.comes(first, 0, first, 0) // how far it may send is stored
				hold := make(chan struct{})
				w.store.hold = hold
				p.Remember(w.turn, 1)
				w.turn.End() // a change that is being written
				synctest.Wait()
				w.turn.Begin()
				for i := 20; i < 100; i++ {
					p.pub("t", fmt.Sprint(i), 1)
				}
				sent := first + len(a.Inbox().Take(w.turn, make([]core.Delivery, 0, 99), taken-first))
				expect(t, "sent before it is stored", sent > 20, taken > 20)
				a.Detach(w.turn, core.ConnectionLost)
				close(hold)
				w.end()
				if n, _ := w.router.Resident("a"); n > core.RestMessages {
					t.Fatalf("%d messages in memory", n)
				}
				w.attach(durable("a")).comes(200, 0, 100, sent)
			})
		})
	}
}

// A full queue drops the oldest that was not sent, also when none of it is in
// memory.
func TestAFullQueueKeepsWhatWasInFlightWhenItsClientLeft(t *testing.T) {
	client := durable("a")
	client.Queue = core.QueueLimits{Messages: 40}
	for _, waits := range []int{0, 10} {
		t.Run(fmt.Sprint(waits), func(t *testing.T) {
			simulate(t, func(w *world) {
				p, a := w.attach(core.Client{}), w.attach(client)
				a.sub("t", 1)
				w.fillTopic(p, 0, 30+waits)
				a.comes(30, 0, 30, 0)
				a.Detach(w.turn, core.ConnectionLost)
				for i := 30 + waits; i < 70; i++ { // none of which is stored before the last
					p.pub("t", fmt.Sprint(i), 1)
				}
				w.end()
				n, _ := w.router.InQueue("a")
				expect(t, "messages", n, 40)
				for i := 70; i < 75; i++ {
					p.pub("t", fmt.Sprint(i), 1)
					w.end()
				}
				expect(t, "entries", w.store.count('q'), 40)
				a = w.attach(client)
				a.comes(30, 0, 30, 30)
				a.comes(99, 65, 75, 0)
			})
		})
	}
}

// What was asked for before the client left is not taken in after that.
// A start reads sizes by the segment, which may hold what was sent and what was
// not.
func TestAFullQueueKeepsTheSameAfterAStart(t *testing.T) {
	simulate(t, func(w *world) {
		options := core.SmallPages(core.Options{}, 1)
		w.end()
		w.router.Close()
		w.store = newMapStore()
		w.open(options)
		m := newPagedModel(w, options)
		s := m.sessions[1] // takes nine messages
		for i := range 10 {
			m.publish("s1", uint8([]int{1, 1, 0, 1, 2}[i%5]), 0, false)
		}
		m.take(&s.pagedQueue, s.conn.takeAll, 6)
		m.settle(&s.pagedQueue, 2, core.Accepted)
		m.away()
		w.crash(options)
		m.gone()
		m.attach(s, s.client)
		m.detach(s)
		for range 17 {
			m.publish("s1", 1, 0, false)
		}
		m.attach(s, s.client)
		m.take(&s.pagedQueue, s.conn.takeAll, 20)
		m.settle(&s.pagedQueue, 0, core.Accepted)
		m.take(&s.pagedQueue, s.conn.takeAll, 20)
	})
}

func TestWhatIsReadForASessionThatHasLeftIsLetGoOf(t *testing.T) {
	simulate(t, func(w *world) {
		p, a := w.attach(core.Client{}), w.attach(durable("a"))
		a.sub("t", 1)
		a.Detach(w.turn, core.ConnectionLost)
		w.fillTopic(p, 0, 1000)
		for range 20 {
			a = w.attach(durable("a"))
			a.Inbox().Take(w.turn, make([]core.Delivery, 0, 9), 0)
			a.Detach(w.turn, core.ConnectionLost)
			w.end()
			if n, _ := w.router.Resident("a"); n > core.RestMessages {
				t.Fatalf("%d messages in memory", n)
			}
		}
		w.attach(durable("a")).comes(2000, 0, 1000, 0)
	})
}

// What is amid its exchange, or has an identifier of its own, is found again as
// it was, although that was not stored yet when the client left.
func TestWhatIsAmidItsExchangeStaysInMemory(t *testing.T) {
	for _, x := range []struct {
		name             string
		received, tagged int
		end              func(w *world)
	}{
		{"PUBREC has come", 20, -1, func(*world) {}},
		{"PUBREC had come before a crash", 20, -1, func(w *world) { w.crash(core.Options{}) }},
		{"an identifier of its own", -1, 20, func(*world) {}},
		{"an identifier of its own before a crash", -1, 20, func(w *world) { w.crash(core.Options{}) }},
	} {
		t.Run(x.name, func(t *testing.T) {
			simulate(t, func(w *world) {
				p, a := w.attach(core.Client{}), w.attach(durable("a"))
				a.sub("t", 2)
				for i := range 60 {
					p.pub("t", fmt.Sprint(i), 2)
				}
				w.end()
				var got []core.Delivery
				for len(got) < 50 {
					w.end()
					got = a.Inbox().Take(w.turn, slices.Grow(got, 50), 50-len(got))
				}
				if x.received >= 0 {
					a.Inbox().Settle(w.turn, got[x.received].Seq, core.Received)
				} else {
					a.Inbox().Tag(w.turn, got[x.tagged].Seq, 7)
				}
				a.Detach(w.turn, core.ConnectionLost)
				w.end()
				if n, _ := w.router.Resident("a"); n > 21+core.RestMessages {
					t.Fatalf("%d messages in memory", n)
				}
				x.end(w)
				a = w.attach(durable("a"))
				got = nil
				for len(got) < 60 {
					w.end()
					got = a.Inbox().Take(w.turn, slices.Grow(got, 99), 99)
				}
				for i, d := range got {
					tag := uint32(0)
					if i == x.tagged {
						tag = 7
					}
					if string(d.Message.Payload) != fmt.Sprint(i) || d.Received != (i == x.received) || d.Tag != tag || d.Redelivered() != (i < 50) {
						t.Fatalf("in place %d comes %s: %+v", i, d.Message.Payload, d)
					}
				}
			})
		})
	}
}

// A message that a shared queue gave is still one of that queue when it comes
// back: rejected, it goes where that queue's dead letters go.
func TestWhatASharedQueueGaveStaysItsOwn(t *testing.T) {
	simulate(t, func(w *world) {
		p, a := w.attach(core.Client{}), w.attach(durable("a"))
		dead := 0
		w.router.OnDead("room", func(*core.Turn, core.Dead) { dead++ })
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, DeadRoom: "room"})
		a.sub("$queue/q", 2)
		a.sub("t", 1)
		p.pub("$queue/q", "given", 2)
		w.end()
		w.fillTopic(p, 0, 50)
		a.take(99)
		w.end()
		a.take(99)
		a.Detach(w.turn, core.ConnectionLost)
		w.end()
		a = w.attach(durable("a"))
		for range 4 {
			w.end()
			for _, d := range a.Inbox().Take(w.turn, make([]core.Delivery, 0, 99), 99) {
				if string(d.Message.Payload) == "given" {
					a.settle(core.Rejected, d)
				}
			}
		}
		expect(t, "dead letters of the queue", dead, 1)
	})
}
