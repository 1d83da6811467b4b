package core_test

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

func TestAQueuesTTLEndsWhatWaits(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true, TTL: time.Second})
		waiting := func(want int) {
			t.Helper()
			info, reason := a.Inspect("q")
			expect(t, "inspect", reason, core.OK)
			expect(t, "waiting", info.Waiting, want)
		}
		a.pub("$queue/q", "1", 1)
		w.sleep(600 * time.Millisecond)
		a.pub("$queue/q", "2", 1)
		w.sleep(500 * time.Millisecond)
		waiting(1)
		c, _ := a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 2})
		got := a.expect(10, "$queue/q=2/1")
		w.sleep(time.Second)
		waiting(0)
		a.settle(core.Released, got...) // late: nobody gets it again
		a.expect(10, "")
		a.pub("$queue/q", "3", 1)
		got = a.expect(10, "$queue/q=3/1")
		a.settle(core.Released, got...) // in time
		got = a.expect(10, "$queue/q=3/1+")
		a.settle(core.Accepted, got...)
		c.Cancel(w.turn)
		a.pub("$queue/q", "4", 1)
		a.Detach(w.turn, core.Normal)
		w.restart(core.Options{})
		a = w.attach(core.Client{})
		waiting(1)
		w.sleep(1100 * time.Millisecond)
		waiting(0)
	})
}
