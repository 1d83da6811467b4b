package core_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

func TestWhatWasSentComesAgainMarkedAfterACrash(t *testing.T) { // [MQTT-3.3.1-1]
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 1)
		p.pub("x", "1", 1)
		p.pub("x", "2", 1)
		a.expect(1, "x=1/1")
		w.crash(core.Options{})
		b := w.attach(durable("a"))
		got := b.expect(1, "x=1/1+")
		b.Detach(w.turn, core.ConnectionLost)
		w.crash(core.Options{})
		expect(t, "again", text(w.attach(durable("a")).take(1)), text(got))
	})
}

func TestWhatWasNeverSentComesUnmarkedAfterACrash(t *testing.T) { // [MQTT-4.3.2-2]
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 1)
		p.pub("x", "1", 1)
		a.expect(9, "x=1/1")
		a.Detach(w.turn, core.ConnectionLost)
		p.pub("x", "2", 1)
		p.pub("x", "3", 2)
		w.end()
		w.crash(core.Options{})
		w.crash(core.Options{})
		p = w.attach(core.Client{})
		p.pub("x", "4", 1)
		w.end()
		w.crash(core.Options{})
		w.attach(durable("a")).expect(9, "x=1/1+ x=2/1 x=3/1 x=4/1")
	})
}

func TestAConnectedClientThatTookNothingWasSentNothing(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 1)
		a.expect(9, "")
		for i := range 99 {
			p.pub("x", fmt.Sprint(i), 1)
		}
		w.end()
		w.crash(core.Options{})
		for _, d := range w.attach(durable("a")).take(99) {
			expect(t, "attempt", d.Attempt, 1)
		}
	})
}

// However fast a queue flows: what was sent is known to the store before.
func TestNothingIsSentBeforeTheStoreKnows(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 1)
		sent, acknowledged := 0, 0
		for round := range 200 {
			for range round {
				p.pub("x", fmt.Sprint(round), 1)
			}
			open := a.takeAll(1000)
			sent += len(open)
			if len(open) != round {
				t.Fatalf("round %d: %d came", round, len(open))
			}
			if round%50 == 49 {
				o := core.Options{Store: w.store.crashed()}
				r, err := core.New(o)
				if err != nil {
					t.Fatal(err)
				}
				after := &conn{w: w}
				turn := r.NewTurn(nil)
				after.Session, _ = r.Attach(turn, durable("a"), after)
				turn.End()
				again := after.Inbox().Take(turn, make([]core.Delivery, 0, 1000), 1000)
				if len(again) != len(open) {
					t.Fatalf("%d of %d come again", len(again), len(open))
				}
				for _, d := range again {
					expect(t, "attempt", d.Attempt, 2)
				}
				r.Close()
			}
			a.settle(core.Accepted, open...)
			acknowledged += len(open)
		}
		expect(t, "all", acknowledged, sent)
	})
}

func TestARetainedWalkGoesOnAfterARestart(t *testing.T) {
	for qos := range uint8(2) {
		t.Run(fmt.Sprint("QoS ", qos+1), func(t *testing.T) {
			simulate(t, func(w *world) {
				const n = 700
				p, a := w.attach(core.Client{}), w.attach(durable("a"))
				for i := range n {
					p.send(fmt.Sprintf("r/%03d", i), "v", func(m *core.Message) { m.Retain, m.QoS = true, 2 })
				}
				a.subscribe(core.Subscription{Filter: "r/+", QoS: qos + 1, ID: 3})
				came := map[string]int{}
				note := func(ds []core.Delivery) {
					for _, d := range ds {
						if came[d.Message.Topic]++; !d.Stored || !d.Retain || d.QoS != qos+1 || d.IDs[0] != 3 {
							t.Fatalf("%+v", d)
						}
					}
				}
				for crash := range 3 {
					held := a.takeAll(10)
					note(held)
					a.settle(core.Accepted, held[:5]...)
					note(nil)
					for _, d := range held[5:] {
						came[d.Message.Topic]--
					}
					if crash == 2 {
						a.Detach(w.turn, core.ConnectionLost)
						w.restart(core.Options{})
					} else {
						w.crash(core.Options{})
					}
					a = w.attach(durable("a"))
					again := a.takeAll(5)
					note(again)
					for i, d := range again {
						if !d.Redelivered() || d.Message.Topic != held[5+i].Message.Topic {
							t.Fatalf("%d: %s attempt %d, want %s", i, d.Message.Topic, d.Attempt, held[5+i].Message.Topic)
						}
					}
					a.settle(core.Accepted, again...)
				}
				p = w.attach(core.Client{})
				p.pub("r/live", "m", 1)
				for {
					got := a.takeAll(64)
					last := len(got) > 0 && got[len(got)-1].Message.Topic == "r/live"
					if last {
						got = got[:len(got)-1]
					}
					note(got)
					a.settle(core.Accepted, got...)
					if last || len(got) == 0 {
						break
					}
				}
				expect(t, "topics", len(came), n)
				for name, times := range came {
					if times != 1 {
						t.Errorf("%s came %d times", name, times)
					}
				}
				expect(t, "walks in the store", w.store.count('w'), 0)
			})
		})
	}
}

// Walks of the same filter follow each other, and are not forgotten at a restart.
func TestRepeatedRetainedWalksGoOnAfterARestart(t *testing.T) {
	simulate(t, func(w *world) {
		const n = 20
		p, a := w.attach(core.Client{}), w.attach(durable("a"))
		for i := range n {
			p.send(fmt.Sprintf("r/%02d", i), "v", func(m *core.Message) { m.Retain, m.QoS = true, 1 })
		}
		again := core.Subscription{Filter: "r/+", QoS: 1}
		other := core.Subscription{Filter: "r/01", QoS: 1}
		a.subscribe(again, other, again, core.Subscription{Filter: "r/+", QoS: 1, RetainHandling: 1}, again)
		var names []string
		take := func(most int) {
			t.Helper()
			got := a.takeAll(most)
			for _, d := range got {
				names = append(names, d.Message.Topic)
			}
			a.settle(core.Accepted, got...)
		}
		for _, most := range []int{5, 10, 10, 10} { // in the first, at its end, in the second
			take(most)
			w.crash(core.Options{})
			a = w.attach(durable("a"))
		}
		for had := -1; had < len(names); {
			had = len(names)
			take(64)
		}
		expect(t, "deliveries", len(names), 3*n+1)
		times := map[string]int{}
		for _, name := range names {
			times[name]++
		}
		for i := range n {
			want := 3
			if i == 1 {
				want++
			}
			expect(t, fmt.Sprint(i), times[fmt.Sprintf("r/%02d", i)], want)
		}
		expect(t, "walks in the store", w.store.count('w'), 0)
	})
}

// takeAll takes up to a window, with what waits for the store.
func (c *conn) takeAll(window int) (got []core.Delivery) {
	for {
		c.w.end()
		more := c.Inbox().Take(c.w.turn, make([]core.Delivery, 0, min(64, window-len(got))), window)
		got = append(got, more...)
		if len(more) == 0 && !c.told() || len(got) == window {
			return got
		}
	}
}

func TestUnsubscribingEndsAStoredWalk(t *testing.T) {
	simulate(t, func(w *world) {
		p, a := w.attach(core.Client{}), w.attach(durable("a"))
		for i := range 300 {
			p.send(fmt.Sprint("r/", i), "v", retained)
		}
		a.sub("r/+", 1)
		a.take(1)
		w.end()
		expect(t, "walks", w.store.count('w'), 1)
		a.Unsubscribe(w.turn, []string{"r/+"}, nil)
		w.end()
		expect(t, "walks", w.store.count('w'), 0)
	})
}

func TestIdentitiesOfPublishersAreNotGivenAgain(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.attach(core.Client{})
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
		for range 50 {
			w.attach(core.Client{}).Detach(w.turn, core.Normal)
		}
		q := w.attach(core.Client{})
		q.pub("$queue/q", "m", 1)
		w.restart(core.Options{})
		for range 200 { // one of them would be q's
			a := w.attach(core.Client{})
			a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1, NoLocal: true})
			got := a.take(1)
			for len(got) == 0 && a.told() { // it is read first
				got = a.take(1)
			}
			if len(got) != 1 {
				t.Fatal("took the message for its own")
			}
			a.Detach(w.turn, core.ConnectionLost)
		}
	})
}

func TestRecordsThatReferToNothingAreRemovedAndReported(t *testing.T) {
	for name, c := range map[string]struct {
		lost byte // the kind of record that is not there
		kind string
		left string // kinds of which nothing is left
	}{
		"message":      {'m', "queue entry", "q"},
		"session":      {'s', "subscription", "udw"},
		"queue":        {'n', "binding", "b"},
		"subscription": {'u', "retained walk", "w"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			simulate(t, func(w *world) {
				p, a, b := w.attach(core.Client{}), w.attach(durable("a")), w.attach(durable("b"))
				for i := range 300 {
					p.send(fmt.Sprint("r/", i), "v", retained)
				}
				a.sub("r/+", 1)
				a.sub("x", 1)
				b.sub("x", 1)
				a.sub("$queue/jobs", 1)
				a.Remember(w.turn, 1)
				p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
				p.Bind(w.turn, "q", core.Subscription{Filter: "y", QoS: 1})
				p.pub("x", "m", 1)
				w.end()
				w.store = w.store.crashed()
				for k := range w.store.m {
					if k[0] == c.lost {
						delete(w.store.m, k)
					}
				}
				old := w.router
				o := core.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}
				w.open(o)
				old.Close()
				if w.router.Stats().Orphans == 0 {
					t.Error("not counted")
				}
				if !strings.Contains(log.String(), "store.orphans") || !strings.Contains(log.String(), c.kind) {
					t.Errorf("log: %s", log.String())
				}
				w.end()
				for _, kind := range []byte(c.left) {
					expect(t, "records "+string(kind), w.store.count(kind), 0)
				}
				w.restart(core.Options{})
				expect(t, "at the next start", w.router.Stats().Orphans, 0)
				q := w.attach(core.Client{})
				expect(t, "a working router", q.pub("$queue/new", "m", 1), core.OK)
			})
		})
	}
}

// Of two sessions of one client the younger stays, with what is its own.
func TestOfTwoSessionsOfOneClientTheYoungerStays(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.attach(core.Client{})
		for _, id := range []string{"a1", "b", "a2", "a3", "c"} {
			w.attach(durable(id)).sub("of/"+id, 1)
		}
		p.pub("of/a1", "m", 1)
		p.pub("of/a3", "m", 1)
		w.end()
		w.store = w.store.crashed()
		for k, v := range w.store.m {
			if k[0] == 's' {
				w.store.m[k] = strings.NewReplacer("a2", "a1", "a3", "a1").Replace(v)
			}
		}
		old := w.router
		w.open(core.Options{})
		old.Close()
		expect(t, "sessions", w.router.Stats().Namespaces[0].Offline, 3)
		expect(t, "orphans", w.router.Stats().Orphans, 5) // two sessions, a subscription of each, the queue of one
		w.end()
		expect(t, "their records", w.store.count('s'), 3)
		p = w.attach(core.Client{})
		for id, reason := range map[string]core.Reason{"a1": core.NoReceiver, "a2": core.NoReceiver, "a3": core.OK, "b": core.OK, "c": core.OK} {
			expect(t, "to "+id, p.pub("of/"+id, "n", 1), reason)
		}
		w.attach(durable("a1")).expect(9, "of/a3=m/1 of/a3=n/1")
		w.restart(core.Options{})
		expect(t, "orphans at the next start", w.router.Stats().Orphans, 0)
	})
}

func TestADamagedRecordStopsTheStartAndSaysWhich(t *testing.T) {
	for kind, name := range map[byte]string{'s': "session", 'u': "subscription", 'w': "retained walk", 'n': "queue", 'b': "binding", 'm': "message", 'q': "queue entry", 'r': "retained message"} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				p, a, b := w.attach(core.Client{}), w.attach(durable("a")), w.attach(durable("b"))
				for i := range 300 {
					p.send(fmt.Sprint("r/", i), "v", retained)
				}
				a.sub("r/+", 1)
				a.sub("x", 1)
				b.sub("x", 1)
				p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
				p.Bind(w.turn, "q", core.Subscription{Filter: "y", QoS: 1})
				p.pub("x", "m", 1)
				w.end()
				damaged := w.store.crashed()
				for k, v := range damaged.m {
					if k[0] == kind {
						damaged.m[k] = v[:len(v)/2]
						if said, _, err := core.CheckRecord(core.Record{Key: []byte(k), Value: []byte(damaged.m[k])}); err == nil || said != name {
							t.Errorf("the check of a %s says %q, %v", name, said, err)
						}
					}
				}
				_, err := core.New(core.Options{Store: damaged})
				if err == nil || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), name) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestOfTwoSessionsOfOneClientTheNewerIsKept(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(durable("a"))
		a.sub("old", 1)
		older := w.store.crashed()
		a.Detach(w.turn, core.ConnectionLost)
		clean := durable("a")
		clean.Clean = true
		w.attach(clean).sub("new", 1)
		w.end()
		w.store = w.store.crashed()
		for k, v := range older.m { // what a crash of an earlier release may have left
			if k[0] == 's' || k[0] == 'u' {
				w.store.m[k] = v
			}
		}
		old := w.router
		w.open(core.Options{})
		old.Close()
		w.sleep(2 * time.Hour) // would be the end of the older one
		p := w.attach(core.Client{})
		expect(t, "old", p.pub("old", "m", 1), core.NoReceiver)
		w.end()
		expect(t, "sessions", w.store.count('s')+w.store.count('u'), 0)
	})
}
