package core_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/core"
)

// fill publishes n messages straight into a queue.
func (w *world) fill(p *conn, queue string, n int) {
	for i := range n {
		p.pub("$queue/"+queue, fmt.Sprint(i), 1)
		w.end()
	}
}

func TestWhatIsDroppedUnreadGoesToItsUndertaker(t *testing.T) {
	for name, spec := range map[string]core.QueueSpec{
		"full": {Limits: core.QueueLimits{Messages: 10, Overflow: core.DropOldest}},
		"TTL":  {TTL: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			options := core.SmallPages(core.Options{}, 2)
			simulateWith(t, options, func(w *world) {
				var mu sync.Mutex // turns of several goroutines bury
				dead := map[string]int{}
				w.router.OnDead("room", func(_ *core.Turn, d core.Dead) {
					mu.Lock()
					defer mu.Unlock()
					dead[string(d.Message.Payload)]++
				})
				p := w.attach(core.Client{})
				spec.Name, spec.Durable, spec.DeadRoom = "q", true, "room"
				p.Declare(w.turn, spec)
				w.fill(p, "q", 30)
				w.sleep(2 * time.Second)
				info, _ := p.Inspect("q")
				want := 20
				if spec.TTL > 0 {
					want = 30
				}
				expect(t, "waiting", info.Waiting, 30-want)
				expect(t, "dead", len(dead), want)
				for payload, n := range dead {
					expect(t, payload, n, 1)
				}
				expect(t, "entries", w.store.count('q'), 30-want)
			})
		})
	}
}

// What a full queue drops is gone when what it made room for is stored, and not
// before.
func TestACrashKeepsWhatATurnThatWasLostHasDropped(t *testing.T) {
	options := core.SmallPages(core.Options{}, 2)
	simulateWith(t, options, func(w *world) {
		a, b, p := w.attach(core.Client{ID: "a", Expiry: time.Hour, Queue: core.QueueLimits{Messages: 6}}), w.attach(durable("b")), w.attach(core.Client{})
		a.sub("x", 1)
		b.sub("x", 1) // one record for both
		a.Detach(w.turn, core.ConnectionLost)
		for i := range 6 {
			p.pub("x", fmt.Sprint(i), 1)
			w.end()
		}
		for i := range 6 {
			p.pub("x", fmt.Sprint("later ", i), 1)
		}
		synctest.Wait() // the pager has nothing to do yet
		w.crash(options)
		expect(t, "not stored", text(w.attach(durable("a")).takeAll(9)), "x=0/1 x=1/1 x=2/1 x=3/1 x=4/1 x=5/1")
		p = w.attach(core.Client{})
		for i := range 9 {
			p.pub("x", fmt.Sprint("again ", i), 1)
		}
		w.end()
		expect(t, "records of a and b", w.store.count('q'), 6+6+9)
	})
}

// Of a long queue, all that is read back may have expired.
func TestAGetGoesPastWindowsThatHaveExpired(t *testing.T) {
	simulateWith(t, core.SmallPages(core.Options{}, 2), func(w *world) {
		p := w.attach(core.Client{})
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
		for i := range 20 {
			p.send("$queue/q", fmt.Sprint(i), func(m *core.Message) { m.QoS, m.Expires = 1, w.turn.Now.After(time.Second) })
			w.end()
		}
		w.sleep(2 * time.Second)
		w.fill(p, "q", 1)
		d, left, ok, _ := p.get("q", true)
		expect(t, "found", ok, true)
		expect(t, "payload", string(d.Message.Payload), "0")
		expect(t, "left", left, 0)
		w.end()
		expect(t, "records", w.store.count('q')+w.store.count('p'), 0)
	})
}

func TestARangeIsDeletedWhereALongQueueWasDrained(t *testing.T) {
	simulateWith(t, core.SmallPages(core.Options{}, 4), func(w *world) {
		p := w.attach(core.Client{})
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
		w.fill(p, "q", 40)
		expect(t, "segments", w.store.count('p') > 5, true)
		for i := range 40 {
			d, waiting, ok, _ := p.get("q", false)
			if !ok || string(d.Message.Payload) != fmt.Sprint(i) || waiting != 39-i {
				t.Fatalf("%d: %v, %d wait", i, ok, waiting)
			}
			p.settle(core.Accepted, d)
		}
		expect(t, "records", w.store.count('q')+w.store.count('p'), 0)
	})
}

// One that is not settled holds the ring; what is behind it goes on.
func TestAnUnsettledDeliveryDoesNotHoldUpALongQueue(t *testing.T) {
	simulateWith(t, core.SmallPages(core.Options{}, 4), func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 1)
		a.Detach(w.turn, core.ConnectionLost)
		for i := range 100 {
			p.pub("x", fmt.Sprint(i), 1)
		}
		a = w.attach(durable("a"))
		first := a.takeAll(1)
		for i := 1; i < 100; i++ {
			got := a.takeAll(1)
			if len(got) != 1 || string(got[0].Message.Payload) != fmt.Sprint(i) {
				t.Fatalf("%d: %s", i, text(got))
			}
			a.settle(core.Accepted, got...)
		}
		w.crash(core.SmallPages(core.Options{}, 4))
		a = w.attach(durable("a"))
		a.expect(9, "x=0/1+")
		_ = first
	})
}

func TestALongQueueIsServedFromMemoryWhenTheStoreFails(t *testing.T) {
	simulateWith(t, core.SmallPages(core.Options{}, 2), func(w *world) {
		p := w.attach(core.Client{})
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
		w.fill(p, "q", 5)
		w.store.mu.Lock()
		w.store.err = core.ErrStoreClosed
		w.store.mu.Unlock()
		p.pub("$queue/q", "not stored", 1)
		w.end()
		expect(t, "refused", p.pub("$queue/q", "later", 1), core.Unavailable)
		expect(t, "QoS 0", p.pub("$queue/q", "volatile", 0), core.OK)
		for _, want := range []string{"0", "1", "2", "3", "4", "not stored", "volatile"} {
			d, _, ok, _ := p.get("q", true)
			if w.end(); !ok || string(d.Message.Payload) != want {
				t.Fatalf("got %v %v, want %s", ok, d.Message, want)
			}
		}
	})
}

// A start reads the bounds of a long queue, not its entries.
func TestAStartDoesNotReadLongQueues(t *testing.T) {
	simulateWith(t, core.SmallPages(core.Options{}, 4), func(w *world) {
		p := w.attach(core.Client{})
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
		w.fill(p, "q", 200)
		w.end()
		w.store = w.store.crashed()
		n := 0
		for k, v := range w.store.m { // nobody would miss them
			if k[0] == 'q' {
				if n++; k[len(k)-1] > 20 && k[len(k)-1] < 190 {
					w.store.m[k] = v[:1]
				}
			}
		}
		old := w.router
		w.open(core.SmallPages(core.Options{}, 4))
		old.Close()
		p = w.attach(core.Client{})
		info, _ := p.Inspect("q")
		expect(t, "waiting", info.Waiting, 200)
		n, _ = p.Purge(w.turn, "q")
		expect(t, "purged", n, 200)
		w.end()
		expect(t, "records", w.store.count('q')+w.store.count('p'), 0)
	})
}

// What waits in memory may be for nobody who is there: a consumer that wants none
// of what it published comes to what is behind it.
func TestAConsumerGoesPastAWindowThatIsNotForIt(t *testing.T) {
	simulateWith(t, core.SmallPages(core.Options{}, 2), func(w *world) {
		a, p := w.attach(core.Client{}), w.attach(core.Client{})
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
		a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1, NoLocal: true})
		w.fill(a, "q", 20)
		p.pub("$queue/q", "for it", 1)
		a.expect(9, "$queue/q=for it/1")
		info, _ := p.Inspect("q")
		expect(t, "waiting", info.Waiting, 20)
	})
}
