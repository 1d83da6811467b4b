package core_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// What ends sessions, sends wills and sends delayed messages is caught up as what expires.
func TestSecurity_R6_SessionsAndDelayedMessagesAreCaughtUp(t *testing.T) {
	trick(t, core.Options{}, func(w *tricked) {
		for id, life := range map[string]time.Duration{"short": time.Hour, "long": 10 * time.Hour} {
			c := w.attach(core.Client{ID: id, Expiry: life})
			c.Detach(w.turn, core.Normal)
		}
		p := w.attach(core.Client{})
		p.later("a", "soon", 1, 90*time.Minute, retained)
		p.later("b", "late", 1, 10*time.Hour, retained)
		w.end()
		w.step = -30 * 365 * 24 * time.Hour
		w.reopen(2 * time.Hour)
		w.pass(50 * time.Second)
		w.step = 0
		w.pass(50 * time.Second)
		stats := func() string {
			ns := w.router.Stats().Namespaces[0]
			return fmt.Sprint(ns.Offline, " away, ", ns.Delayed, " delayed, ", ns.Retained, " sent")
		}
		expect(t, "in doubt", stats(), "2 away, 2 delayed, 0 sent")
		w.pass(30 * time.Second)
		expect(t, "afterwards", stats(), "1 away, 1 delayed, 1 sent")
		w.sleep(8*time.Hour - 3*time.Minute)
		expect(t, "before the rest is due", stats(), "1 away, 1 delayed, 1 sent")
		w.sleep(3 * time.Minute)
		expect(t, "after it is due", stats(), "0 away, 0 delayed, 2 sent")
	})
}

// The clock of a gateway that runs is set: times of day follow it after a minute, and not before; lives do not, also not over
// the next start.
func TestSecurity_R6_AStepWhileItRunsMovesTimesOfDayOnly(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			trick(t, core.Options{}, func(w *tricked) {
				w.subscribed(clients...)
				w.expiring("t", false, 30*time.Minute, 10*time.Hour)
				wall := func() time.Duration { // what the router takes the time of day for, as far as it is wrong
					c := w.router.Clock()
					if back := c.Of(c.Wall(c.Now())).Until(c.Now()); back != 0 {
						t.Errorf("there and back are %v apart", back)
					}
					return c.Wall(c.Now()).Sub(time.Now()).Round(time.Second)
				}
				w.pass(2 * time.Minute)
				w.step = step
				w.pass(50 * time.Second)
				expect(t, "time of day at first", wall(), 0)
				w.pass(time.Minute)
				expect(t, "time of day after a minute", wall(), step)
				n, off := w.left("a")
				expect(t, "left", fmt.Sprint(n, off), "2 [0s 0s]")
				w.reopen(10 * time.Minute)
				expect(t, "time of day after a start", wall(), step)
				n, off = w.left("b")
				expect(t, "left after a start", fmt.Sprint(n, off), "2 [0s 0s]")
			})
		})
	}
}

// A device without a clock of its own starts in 1970 each time, and is told the time after a while. However often: what was
// published has its time.
func TestSecurity_R6_ADeviceWithoutAClockStartsOftenAndForgetsNothing(t *testing.T) {
	trick(t, core.SmallPages(core.Options{Limits: core.Limits{SessionExpiryMS: 1e12}}, 2), func(w *tricked) {
		w.subscribed("a")
		published := 0
		for i := range 265 { // more than runs are told apart
			if i < 12 || i >= 250 {
				w.expiring("t", false, 2000*time.Hour)
				published++
			}
			w.step = -30*365*24*time.Hour - time.Duration(i)*time.Hour
			w.reopen(3 * time.Hour)
			if i == 260 {
				w.expiring("t", false, time.Hour) // over at the next start
			}
			w.pass(20 * time.Second)
			w.step = 0
			w.pass(80 * time.Second)
		}
		n, off := w.left("a")
		wrong := 0
		for _, d := range off {
			if d != 0 {
				wrong++
			}
		}
		if n != published || wrong > 265-255 {
			t.Errorf("%d of %d left, %d with another time: %v", n, published, wrong, off)
		}
	})
}
