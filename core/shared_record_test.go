package core_test

import (
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/entrepot/entrepot/core"
)

// referred follows the store while QoS 2 deliveries of one message move on: the
// message is there as long as an entry is, and no longer; and each state is one
// that a start finds whole.
func referred(t *testing.T, act func(w *world, a, b, member, other *conn)) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(durable("a")), w.attach(durable("b")), w.attach(core.Client{})
		member, other := w.attach(core.Client{ID: "m"}), w.attach(core.Client{ID: "o"})
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
		p.Bind(w.turn, "q", core.Subscription{Filter: "x", QoS: 2})
		a.sub("x", 2)
		b.sub("x", 2)
		member.sub("$queue/q", 2)
		var mu sync.Mutex
		var states []map[string]string
		w.store.watch(func(m map[string]string) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, maps.Clone(m))
		})
		p.pub("x", "1", 2)
		w.end()
		act(w, a, b, member, other)
		w.end()
		w.store.watch(nil)
		for _, kind := range []byte("qm") {
			expect(t, fmt.Sprintf("records %c at the end", kind), w.store.count(kind), 0)
		}
		for i, m := range states {
			entries, messages := 0, 0
			for k := range m {
				switch k[0] {
				case 'q':
					entries++
				case 'm':
					messages++
				}
			}
			if messages > 1 || (messages > 0) != (entries > 0) {
				t.Errorf("change %d leaves %d entries and %d messages", i, entries, messages)
			}
			r, err := core.New(core.Options{Store: &mapStore{m: m}})
			if err != nil {
				t.Fatal(err)
			}
			expect(t, "orphans", r.Stats().Orphans, 0)
			n := 0
			for _, ns := range r.Stats().Namespaces {
				n += ns.QueueMessages
			}
			expect(t, fmt.Sprint("messages after change ", i), n, entries)
			r.Close()
		}
	})
}

func TestASharedMessageStaysAsLongAsAnEntryRefersToIt(t *testing.T) {
	for name, act := range map[string]func(w *world, a, b, member, other *conn){
		"completed": func(w *world, a, b, member, _ *conn) {
			for _, c := range []*conn{member, a, b} {
				ds := c.expect(9, "x=1/2")
				c.settle(core.Received, ds...)
				c.settle(core.Accepted, ds...)
			}
		},
		"given back after PUBREC": func(w *world, a, b, member, other *conn) {
			other.sub("$queue/q", 2)
			ds := member.expect(9, "x=1/2")
			member.settle(core.Received, ds...)
			member.settle(core.Released, ds...)
			other.expect(9, "") // the first one has it
			member.expect(9, "")
			one := a.expect(9, "x=1/2")
			a.settle(core.Received, one...)
			a.settle(core.Released, one...)
			a.settle(core.Accepted, a.expect(9, "x=1/2+R")...)
			b.settle(core.Accepted, b.expect(9, "x=1/2")...)
		},
		"the connection ends after PUBREC": func(w *world, a, b, member, other *conn) {
			other.sub("$queue/q", 2)
			member.settle(core.Received, member.expect(9, "x=1/2")...)
			member.Detach(w.turn, core.ConnectionLost)
			other.expect(9, "")
			a.settle(core.Received, a.expect(9, "x=1/2")...)
			a.Detach(w.turn, core.ConnectionLost)
			a = w.attach(durable("a"))
			b.settle(core.Rejected, b.expect(9, "x=1/2")...)
			a.settle(core.Accepted, a.expect(9, "x=1/2+R")...)
		},
		"the sessions end": func(w *world, a, b, member, _ *conn) {
			member.settle(core.Received, member.expect(9, "x=1/2")...)
			a.settle(core.Received, a.expect(9, "x=1/2")...)
			for _, c := range []*conn{a, b} {
				c.SetExpiry(w.turn, 0)
				c.Detach(w.turn, core.Normal)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { referred(t, act) })
	}
}

// Queues that end while the change that fills them waits for the store: whichever
// of the changes is the last before a crash, no message is left that nobody refers
// to.
func TestAQueueThatEndsWhileItIsWrittenLeavesNoMessage(t *testing.T) {
	for name, end := range map[string]func(w *world, p, a *conn){
		"queue": func(w *world, p, _ *conn) { p.Delete(w.turn, "q", false, false) },
		"session": func(w *world, _, a *conn) {
			a.SetExpiry(w.turn, 0)
			a.Detach(w.turn, core.Normal)
		},
		"both": func(w *world, p, a *conn) {
			a.SetExpiry(w.turn, 0)
			a.Detach(w.turn, core.Normal)
			p.Delete(w.turn, "q", false, false)
		},
	} {
		for window, before := range map[int]int{0: 0, 1: 3, 2: 1} {
			t.Run(fmt.Sprint(name, window), func(t *testing.T) {
				o := core.Options{}
				if window > 0 {
					o = core.SmallPages(o, window)
				}
				simulateWith(t, o, func(w *world) {
					p, a := w.attach(core.Client{}), w.attach(durable("a"))
					p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
					p.Bind(w.turn, "q", core.Subscription{Filter: "x", QoS: 1})
					a.sub("x", 1)
					for range before {
						p.pub("x", "before", 1)
						w.end()
					}
					hold := make(chan struct{})
					w.store.hold = hold
					p.Remember(w.turn, 1)
					w.turn.End() // a change that is being written
					synctest.Wait()
					late := w.late()
					w.turn.Begin()
					for range 3 {
						p.pub("x", "m", 1)
						p.pub("x", "n", 1)
					}
					w.turn.End()
					w.turn.Begin()
					end(w, p, a)
					w.turn.End() // in one change with the records
					late.End()
					var states []map[string]string
					w.store.watch(func(m map[string]string) { states = append(states, maps.Clone(m)) })
					close(hold)
					w.end()
					w.store.watch(nil)
					for i, m := range states {
						w.end()
						w.router.Close()
						w.store = &mapStore{m: m}
						w.open(o)
						expect(t, fmt.Sprint("orphans after change ", i), w.router.Stats().Orphans, 0)
						p := w.attach(core.Client{})
						p.Delete(w.turn, "q", false, false)
						w.attach(core.Client{ID: "a", Clean: true})
						w.end()
						expect(t, fmt.Sprint("left after change ", i), w.store.count('q')+w.store.count('m')+w.store.count('c')+w.store.count('p'), 0)
					}
				})
			})
		}
	}
}

// While the store cannot be read, it is not known whether anything refers to a message that ends; it goes with a later change.
func TestAMessageThatTheStoreWasNotAskedAboutIsRemovedLater(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(durable("a")), w.attach(durable("b")), w.attach(core.Client{})
		a.sub("x", 1)
		b.sub("x", 1)
		a.Detach(w.turn, core.ConnectionLost)
		b.Detach(w.turn, core.ConnectionLost)
		for range 20 { // beyond what stays in memory of a session that is away
			p.pub("x", "1", 1)
		}
		w.end()
		w.store.deaf.Store(true)
		for _, id := range []string{"a", "b"} {
			c := durable(id)
			c.Clean = true
			w.attach(c)
			w.end()
		}
		if w.store.count('q') > 0 || w.store.count('m') == 0 {
			t.Fatalf("%d entries, %d messages: the store was asked", w.store.count('q'), w.store.count('m'))
		}
		w.store.deaf.Store(false)
		w.attach(durable("c")) // any change
		w.end()
		expect(t, "messages that nothing refers to", w.store.count('m'), 0)
	})
}
