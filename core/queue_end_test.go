package core_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// A queue that goes with its last consumer, and two connections that come and
// go: whoever consumes it consumes a queue that lives.
func TestAQueueIsNotDeletedUnderAConsumerThatHasJustCome(t *testing.T) {
	t.Parallel()
	r, err := core.New(core.Options{Store: newMapStore()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			x := newWorker(t, r, core.Client{})
			for range 3000 {
				x.s.Declare(x.turn, core.QueueSpec{Name: "q", AutoDelete: true})
				c, reason := x.s.Consume(x.turn, "q", core.ConsumeOptions{QoS: 1})
				if reason == core.NotFound {
					continue // another one's end was faster
				}
				for range 20 {
					runtime.Gosched() // the others are about to delete it
				}
				if _, closed := c.Closed(); closed {
					t.Error("deleted under its consumer")
					return
				}
				c.Cancel(x.turn)
				x.turn.End()
			}
			x.detach()
		})
	}
	all.Wait()
}

func TestAnIdleQueueThatIsUsedAgainStays(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q", IdleExpiry: time.Minute})
		exists := func(what string, want core.Reason) {
			t.Helper()
			_, reason := a.Inspect("q")
			expect(t, what, reason, want)
		}
		w.sleep(40 * time.Second)
		a.Declare(w.turn, core.QueueSpec{Name: "q", IdleExpiry: time.Minute}) // is a use
		w.sleep(40 * time.Second)
		exists("declared again", core.OK)
		c, _ := a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
		w.sleep(2 * time.Minute)
		exists("consumed", core.OK)
		c.Cancel(w.turn)
		w.sleep(59 * time.Second)
		exists("before", core.OK)
		w.sleep(2 * time.Second)
		exists("never used again", core.NotFound)
		expect(t, "timers", w.router.Alarms(), 0)
	})
}

func TestAnIdleQueueThatNobodyEverUsedIsDeleted(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q", IdleExpiry: time.Minute})
		w.sleep(61 * time.Second)
		_, reason := a.Inspect("q")
		expect(t, "gone", reason, core.NotFound)
	})
}

func TestDeletingAsksAgainWhetherTheQueueIsUsed(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q"})
		a.pub("$queue/q", "m", 1)
		_, reason := a.Delete(w.turn, "q", false, true)
		expect(t, "not empty", reason, core.InUse)
		n, reason := a.Delete(w.turn, "q", true, false)
		expect(t, "unused", reason, core.OK)
		expect(t, "waited", n, 1)
		_, reason = a.Delete(w.turn, "q", false, false)
		expect(t, "gone", reason, core.NotFound)
	})
}

func TestAMemberOfADeletedQueueMakesItAnew(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("$queue/jobs", 1)
		a.take(9)
		b.Delete(w.turn, "jobs", false, false)
		w.end()
		expect(t, "subscriptions stored", w.store.count('u'), 0)
		a.sub("$queue/jobs", 1)
		b.pub("jobs", "m", 1)
		a.expect(9, "jobs=m/1")
	})
}

func TestAGroupEndsWithItsLastConsumerOfAnyKind(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{})
		c, _ := a.JoinGroup(w.turn, "g", "x", core.ConsumeOptions{QoS: 1})
		c.Cancel(w.turn)
		a.JoinGroup(w.turn, "g", "x", core.ConsumeOptions{QoS: 1})
		a.Detach(w.turn, core.ConnectionLost)
		w.end()
		expect(t, "groups", w.router.Groups(), 0)
	})
}

func TestTimersAreAsManyAsWhatLives(t *testing.T) {
	simulate(t, func(w *world) {
		client := core.Client{ID: "a", Expiry: 24 * time.Hour}
		client.Will = will("w", time.Second)
		for range 100 {
			w.attach(client).Detach(w.turn, core.ConnectionLost)
			w.sleep(2 * time.Second) // the will is published
			w.attach(client).Detach(w.turn, core.ConnectionLost)
		}
		expect(t, "timers of a session", w.router.Alarms(), 1)
		for range 100 {
			clean := client
			clean.Clean = true
			w.attach(clean).Detach(w.turn, core.ConnectionLost)
		}
		expect(t, "timers of a session that was begun anew", w.router.Alarms(), 1)
		a := w.attach(core.Client{ID: "a"})
		for range 100 {
			a.Declare(w.turn, core.QueueSpec{Name: "q", TTL: time.Hour, IdleExpiry: time.Hour})
			a.pub("$queue/q", "m", 1)
			a.Delete(w.turn, "q", false, false)
		}
		a.Detach(w.turn, core.Normal)
		w.end()
		expect(t, "timers when all has ended", w.router.Alarms(), 0)
	})
}
