package core_test

import (
	"fmt"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// A start reads how much waits for a session that is away, not what; the rest is
// read when it is back, in order, and nothing is written for it meanwhile.
func TestAStartDoesNotReadWhatWaitsForASessionThatIsAway(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 1)
		p.pub("x", "sent", 1)
		sent := a.expect(1, "x=sent/1")
		a.settle(core.Accepted, sent...)
		p.pub("x", "in flight", 1)
		a.expect(1, "x=in flight/1")
		a.Detach(w.turn, core.ConnectionLost)
		want := "x=in flight/1+"
		for i := range 5 {
			p.pub("x", fmt.Sprint(i), 1)
			want += fmt.Sprintf(" x=%d/1", i)
		}
		for range 2 {
			w.restart(core.Options{})
			expect(t, "in memory", w.router.InMemory("a"), 1)
			messages, bytes := w.router.InQueue("a")
			expect(t, "waiting", messages, 6)
			if least := int64(6 * 96); bytes < least {
				t.Fatalf("%d bytes, want %d at least", bytes, least)
			}
			written := 0
			w.store.watch(func(map[string]string) { written++ })
			w.end()
			expect(t, "writes", written, 0)
			w.store.watch(nil)
		}
		p = w.attach(core.Client{})
		p.pub("x", "new", 1)
		a = w.attach(durable("a"))
		got := a.expect(20, want+" x=new/1")
		a.settle(core.Accepted, got...)
		expect(t, "entries", w.store.count('q'), 0)
		expect(t, "in memory", w.router.InMemory("a"), 0)
	})
}

// Messages that several sessions wait for are read once at the start, and so is
// what stands beside them; each leaves the store with its last receiver.
func TestAStartReadsSharedMessagesOnce(t *testing.T) {
	for name, window := range map[string]int{"in the window": 0, "beyond it": 3} {
		t.Run(name, func(t *testing.T) {
			o := core.Options{}
			if window > 0 {
				o = core.SmallPages(o, window)
			}
			simulateWith(t, o, func(w *world) {
				p := w.attach(core.Client{})
				want := map[string]string{}
				for _, id := range []string{"a", "b"} {
					c := w.attach(durable(id))
					c.sub("both", 1)
					c.sub(id, 1)
					c.Detach(w.turn, core.ConnectionLost)
				}
				for i := range 12 {
					for _, id := range []string{"a", "b"} {
						if i%4 == 0 {
							continue
						}
						p.pub(id, fmt.Sprint(i), 1)
						want[id] += fmt.Sprintf(" %s=%d/1", id, i)
					}
					if i%2 == 0 {
						p.pub("both", fmt.Sprint(i), 1)
						want["a"] += fmt.Sprintf(" both=%d/1", i)
						want["b"] += fmt.Sprintf(" both=%d/1", i)
					}
				}
				w.restart(o)
				if window == 0 { // up to the last that is shared
					expect(t, "in memory", w.router.InMemory("a"), 14)
				}
				messages, _ := w.router.InQueue("a")
				expect(t, "waiting", messages, 15)
				w.restart(o)
				expect(t, "shared", w.store.count('m'), 6)
				for _, id := range []string{"a", "b"} {
					expect(t, "shared", w.store.count('m'), 6)
					c := w.attach(durable(id))
					got := c.expect(100, want[id][1:])
					c.settle(core.Accepted, got...)
				}
				w.end()
				expect(t, "records", w.store.count('q')+w.store.count('m')+w.store.count('p'), 0)
			})
		})
	}
}

// A queue that is empty goes on with its numbers: the session's record holds.
func TestAStartWritesNothingForADrainedSession(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 1)
		for i := range 40 {
			p.pub("x", fmt.Sprint(i), 1)
			a.settle(core.Accepted, a.expect(1, fmt.Sprintf("x=%d/1", i))...)
		}
		for _, end := range []func(){func() { a.Detach(w.turn, core.ConnectionLost); w.restart(core.Options{}) }, func() { w.crash(core.Options{}) }} {
			end()
			written := 0
			w.store.watch(func(map[string]string) { written++ })
			w.end()
			w.store.watch(nil)
			expect(t, "writes", written, 0)
			a, p = w.attach(durable("a")), w.attach(core.Client{})
			p.pub("x", "m", 1)
			a.settle(core.Accepted, a.expect(1, "x=m/1")...)
		}
	})
}
