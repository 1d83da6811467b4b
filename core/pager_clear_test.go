package core_test

import (
	"fmt"
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/core"
)

// clearing is a way in which a queue gives up messages that it shares with
// others and has not in memory.
type clearing struct {
	name string
	act  func(w *world, p *conn)
	left int // of 20 in the queue, after it
}

var clearings = []clearing{
	{"purged", func(w *world, p *conn) { p.Purge(w.turn, "q") }, 0},
	{"deleted", func(w *world, p *conn) { p.Delete(w.turn, "q", false, false) }, 0},
	{"full", func(w *world, p *conn) {
		for i := range 12 {
			p.pub("x", fmt.Sprint("later ", i), 1)
		}
	}, 20},
	{"expired", func(w *world, _ *conn) { w.sleep(61 * time.Second) }, 0},
	{"purged and deleted", func(w *world, p *conn) { p.Purge(w.turn, "q"); p.Delete(w.turn, "q", false, false) }, 0},
}

func (c *clearing) setUp(w *world) (p *conn) {
	p = w.attach(core.Client{})
	w.attach(durable("other")).sub("x", 1) // so that all is shared
	p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, TTL: time.Minute, Limits: core.QueueLimits{Messages: 20, Overflow: core.DropOldest}})
	p.Bind(w.turn, "q", core.Subscription{Filter: "x", QoS: 1})
	for i := range 20 {
		p.pub("x", fmt.Sprint(i), 1)
		w.end()
	}
	return p
}

// check starts on what was left, and finds what was given up neither in the
// queue nor, when the other has taken its part, anywhere.
func (c *clearing) check(w *world, options core.Options, when string) {
	w.t.Helper()
	w.end()
	if n := w.router.Stats().Orphans; n > 0 {
		w.t.Fatalf("%s: %d orphans", when, n)
	}
	p := w.attach(core.Client{})
	info, _ := p.Inspect("q")
	expect(w.t, when+": waiting", info.Waiting, c.left)
	expect(w.t, when+": removals to be done", w.store.count('c'), 0)
	other := w.attach(durable("other"))
	all := other.takeAll(100)
	if len(all) < 20 {
		w.t.Fatalf("%s: the other has only %d", when, len(all))
	}
	if c.left == 0 { // its numbers go on behind those that were given up
		for i := range 9 {
			p.pub("x", fmt.Sprint("new ", i), 1)
		}
		w.end()
		if info, reason := p.Inspect("q"); reason == core.OK {
			expect(w.t, when+": new ones", info.Waiting, 9)
		}
		all = append(all, other.takeAll(100)...)
	}
	p.Purge(w.turn, "q")
	other.settle(core.Accepted, all...)
	w.end()
	for _, kind := range []byte("qmpc") {
		expect(w.t, fmt.Sprintf("%s: records %c", when, kind), w.store.count(kind), 0)
	}
	w.restart(options)
	expect(w.t, when+": orphans", w.router.Stats().Orphans, 0)
}

// A crash after each change of the store that a removal takes.
func TestWhatWasGivenUpUnreadDoesNotComeBackAfterACrash(t *testing.T) {
	for _, c := range clearings {
		t.Run(c.name, func(t *testing.T) {
			options := core.SmallPages(core.Options{}, 2)
			simulateWith(t, options, func(w *world) {
				p := c.setUp(w)
				var mu sync.Mutex
				var states []map[string]string
				w.store.watch(func(m map[string]string) {
					mu.Lock()
					defer mu.Unlock()
					states = append(states, maps.Clone(m))
				})
				c.act(w, p)
				w.end()
				w.store.watch(nil)
				if len(states) < 4 {
					t.Errorf("only %d changes", len(states))
				}
				for i, m := range states {
					w.router.Close()
					w.store = &mapStore{m: m}
					w.open(options)
					c.check(w, options, fmt.Sprint("change ", i))
				}
			})
		})
	}
}

// An orderly stop, which does not wait for the pager, after each of them.
func TestWhatWasGivenUpUnreadDoesNotComeBackAfterAStop(t *testing.T) {
	for _, c := range clearings {
		t.Run(c.name, func(t *testing.T) {
			options := core.SmallPages(core.Options{}, 2)
			simulateWith(t, options, func(w *world) {
				for changes := range 6 {
					p := c.setUp(w)
					hold := make(chan struct{})
					w.store.mu.Lock()
					w.store.hold = hold
					w.store.mu.Unlock()
					c.act(w, p)
					w.turn.End()
					for range changes {
						synctest.Wait()
						select {
						case hold <- struct{}{}:
						default: // there is nothing more
						}
					}
					closed := make(chan struct{})
					go func() {
						w.router.Close()
						close(closed)
					}()
					synctest.Wait()
					close(hold)
					<-closed
					w.open(options)
					w.turn.Begin()
					c.check(w, options, fmt.Sprint("after ", changes))
					w.router.Close()
					w.store = newMapStore()
					w.open(options)
				}
			})
		})
	}
}

// What was given up behind the window is a hole, which the last message before it
// takes along.
func TestAPurgeGoesToTheHoleBehindTheWindow(t *testing.T) {
	options := core.SmallPages(core.Options{}, 2)
	simulateWith(t, options, func(w *world) {
		p := clearings[0].setUp(w)
		for range 2 {
			p.get("q", false)
		}
		states := make(chan map[string]string, 100)
		w.store.watch(func(m map[string]string) { states <- maps.Clone(m) })
		n, _ := p.Purge(w.turn, "q")
		expect(t, "purged", n, 18)
		w.end()
		w.router.Close()
		w.store = &mapStore{m: <-states}
		w.open(options)
		p = w.attach(core.Client{})
		n, _ = p.Purge(w.turn, "q")
		expect(t, "purged", n, 2)
		w.fill(p, "q", 1)
		info, _ := p.Inspect("q")
		expect(t, "waiting", info.Waiting, 1)
	})
}

// What is left of a queue that is gone is removed in slices; each start goes on.
func TestEntriesOfAQueueThatIsGoneAreRemovedOverCrashes(t *testing.T) {
	options := core.SmallPages(core.Options{}, 2)
	simulateWith(t, options, func(w *world) {
		p := w.attach(core.Client{})
		for _, id := range []string{"a", "b"} {
			s := w.attach(durable(id))
			s.sub("x", 1)
			s.Detach(w.turn, core.ConnectionLost)
		}
		for i := range 20 {
			p.pub("x", fmt.Sprint(i), 1)
		}
		w.end()
		w.router.Close()
		w.store = w.store.crashed()
		for k := range w.store.m {
			if k[0] == 's' {
				delete(w.store.m, k)
			}
		}
		var states []map[string]string
		var mu sync.Mutex
		w.store.watch(func(m map[string]string) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, maps.Clone(m))
		})
		w.open(options)
		w.end()
		w.store.watch(nil)
		if len(states) < 10 {
			t.Errorf("only %d changes", len(states))
		}
		for i, m := range states {
			w.router.Close()
			w.store = &mapStore{m: m}
			w.open(options)
			w.end()
			for _, kind := range []byte("qmpcu") {
				expect(t, fmt.Sprintf("change %d: records %c", i, kind), w.store.count(kind), 0)
			}
		}
	})
}

// A start comes before the rooms: dead letters wait for the one that takes them,
// and come to it once.
func TestDeadLettersOfAStartWaitForTheirRoom(t *testing.T) {
	options := core.SmallPages(core.Options{}, 2)
	simulateWith(t, options, func(w *world) {
		dead := map[string]int{}
		var mu sync.Mutex
		take := func(_ *core.Turn, d core.Dead) {
			mu.Lock()
			defer mu.Unlock()
			dead[string(d.Message.Payload)]++
		}
		w.router.OnDead("room", take)
		p := w.attach(core.Client{})
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, DeadRoom: "room", TTL: time.Second})
		w.fill(p, "q", 30)
		states := make(chan map[string]string, 100)
		w.store.watch(func(m map[string]string) { states <- maps.Clone(m) })
		w.sleep(2 * time.Second)
		w.store.watch(nil)
		expect(t, "dead", len(dead), 30)
		first := <-states // given up, and nobody has looked
		w.router.Close()
		before := maps.Clone(dead)
		w.store = &mapStore{m: first}
		w.open(options)
		w.sleep(time.Minute)
		expect(t, "while there is no room", fmt.Sprint(dead), fmt.Sprint(before))
		expect(t, "removals to be done", w.store.count('c') > 0, true)
		w.router.OnDead("room", take)
		w.end()
		expect(t, "removals to be done", w.store.count('c')+w.store.count('q'), 0)
		again := 0
		for payload, n := range dead {
			if again += n - before[payload]; n > 2 {
				t.Errorf("%s came %d times", payload, n)
			}
		}
		if again == 0 {
			t.Error("none came")
		}
	})
}
