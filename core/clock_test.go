package core_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// R6: the wall clock is set by an hour, forward or back, while a message waits
// to expire, a session to end and a will to be published. All keep their time.
func TestSecurity_R6_AStepOfTheWallClockMovesNothing(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			simulate(t, func(w *world) {
				clock := w.router.Clock()
				p, watch := w.attach(core.Client{}), w.attach(core.Client{})
				watch.sub("will", 0)
				will := core.NewMessage([]byte("late"))
				will.Topic = "will"
				a := w.attach(core.Client{ID: "a", Expiry: time.Hour, Will: &core.Will{Message: will, Delay: time.Minute}})
				a.sub("t", 1)
				a.Detach(w.turn, core.ConnectionLost)
				p.send("t", "m", func(m *core.Message) { m.QoS, m.Expires = 1, clock.After(time.Minute) })
				w.end()
				expect(t, "apart", clock.Behind(), 0)
				clock.SetWall(step)
				expect(t, "apart", clock.Behind(), step)
				time.Sleep(59 * time.Second)
				w.end()
				watch.expect(9, "")
				expect(t, "left", w.router.Stats().Namespaces[0].QueueMessages, 1)
				time.Sleep(2 * time.Second)
				w.end()
				watch.expect(9, "will=late")
				a = w.attach(core.Client{ID: "a", Expiry: time.Hour})
				expect(t, "present", a.Present(), true)
				a.expect(9, "") // it expired in its time
			})
		})
	}
}

// tricked is a router whose wall clock is set by hand.
type tricked struct {
	*world
	step    time.Duration // that the wall clock is ahead of the true time
	options core.Options
}

func trick(t *testing.T, o core.Options, fn func(w *tricked)) {
	simulate(t, func(w *world) {
		x := &tricked{world: w, options: o}
		x.reopen(0)
		fn(x)
	})
}

// reopen stops the router, is away for a time, and starts it on the same store.
func (w *tricked) reopen(away time.Duration) {
	w.end()
	w.router.Close()
	time.Sleep(away)
	w.open(w.fresh())
}

func (w *tricked) fresh() core.Options {
	w.options.Clock = core.NewClockOf(func() time.Time { return time.Now().Add(w.step) })
	return w.options
}

// pass lets time pass, with a look at the clock every ten seconds.
func (w *tricked) pass(d time.Duration) {
	for ; d > 0; d -= 10 * time.Second {
		w.sleep(min(d, 10*time.Second))
		w.router.CheckClock(w.turn)
	}
	w.sleep(100 * time.Millisecond)
}

// expiring publishes messages that expire; their payload is the true time that they have left.
func (w *tricked) expiring(topic string, retain bool, lives ...time.Duration) {
	p := w.attach(core.Client{})
	for _, life := range lives {
		to := topic
		if retain {
			to += "/" + life.String()
		}
		p.send(to, time.Now().Add(life).Format(time.RFC3339), func(m *core.Message) {
			m.QoS, m.Retain, m.Expires = 1, retain, w.turn.Now.After(life)
		})
	}
	p.Detach(w.turn, core.Normal)
	w.end()
}

// left takes what waits and tells how long each has, and by how much that is not true.
func (w *tricked) left(client string) (n int, off []time.Duration) {
	c := w.attach(core.Client{ID: client, Expiry: core.Forever})
	defer func() {
		c.Detach(w.turn, core.Normal)
		w.end()
	}()
	for {
		ds := c.take(9)
		if w.end(); len(ds) == 0 {
			if c.told() {
				continue
			}
			return n, off
		}
		for _, d := range ds {
			n++
			ends, _ := time.Parse(time.RFC3339, string(d.Message.Payload))
			ms, _ := d.Message.Remaining(w.turn.Now, time.Millisecond)
			off = append(off, (time.Duration(ms)*time.Millisecond - time.Until(ends)).Round(2*time.Second))
		}
		c.settle(core.Accepted, ds...)
	}
}

var clients = []string{"a", "b", "c", "d"}

func (w *tricked) subscribed(clients ...string) {
	for _, id := range clients {
		c := w.attach(core.Client{ID: id, Expiry: core.Forever})
		c.sub("t", 1)
		c.Detach(w.turn, core.Normal)
	}
	w.end()
}

// Gateways that were away for a while start with each kind of wrong clock. Nothing expires before the clock has been steady
// for a minute; then what has expired meanwhile is gone, what was published in doubt has its time, and what the receivers are
// told is true; after a crash, another start and a long rest too.
func TestSecurity_R6_AStartWithAWrongClockExpiresNothing(t *testing.T) {
	never := 1000 * time.Hour
	for name, x := range map[string]struct {
		away      time.Duration
		starts    time.Duration // the error of the clock
		corrected time.Duration // after that time
		old       int           // of the three that are old, how many are left in the end
		off       time.Duration // by which they are told too long
	}{
		"1970, corrected":                  {2 * time.Hour, -30 * 365 * 24 * time.Hour, 15 * time.Second, 1, 0},
		"1970 for ever":                    {2 * time.Hour, -30 * 365 * 24 * time.Hour, never, 3, 2 * time.Hour},
		"an hour ahead, corrected":         {time.Second, time.Hour, 25 * time.Second, 3, 0},
		"an hour ahead for ever":           {time.Second, time.Hour, never, 2, -time.Hour},
		"an hour back, corrected":          {time.Minute, -time.Hour, 45 * time.Second, 3, 0},
		"an hour back for ever":            {time.Minute, -time.Hour, never, 3, time.Minute},
		"right, but it was away for hours": {2 * time.Hour, 0, never, 1, 0},
	} {
		for _, window := range []int{256, 1} { // in memory, or read back
			t.Run(fmt.Sprint(name, " ", window), func(t *testing.T) {
				trick(t, core.SmallPages(core.Options{}, window), func(w *tricked) {
					w.subscribed(clients...)
					w.expiring("t", false, 50*time.Minute, 90*time.Minute, 10*time.Hour)
					w.expiring("r", true, 50*time.Minute, 90*time.Minute, 10*time.Hour)
					w.step = x.starts
					w.reopen(x.away)
					w.expiring("t", false, 30*time.Minute)
					w.expiring("r", true, 30*time.Minute)
					step := func(d time.Duration) {
						if d >= x.corrected {
							w.step = 0
						}
					}
					for d := time.Duration(0); d < 50*time.Second; d += 10 * time.Second {
						step(d)
						w.pass(10 * time.Second)
					}
					n, _ := w.left("a")
					expect(t, "left in doubt", n, 4)
					expect(t, "retained in doubt", w.router.Stats().Namespaces[0].Retained, 4)
					step(never - 1)
					w.pass(3 * time.Minute)
					check := func(when string, client string) {
						t.Helper()
						n, off := w.left(client)
						want := []time.Duration{x.off, x.off, x.off}[3-x.old:]
						want = append(want, 0)
						if n != x.old+1 || fmt.Sprint(off) != fmt.Sprint(want) {
							t.Errorf("%s: %d left, told %v too long, want %v", when, n, off, want)
						}
						if got := w.router.Stats().Namespaces[0].Retained; got != x.old+1 {
							t.Errorf("%s: %d retained", when, got)
						}
					}
					check("afterwards", "b")
					w.reopen(time.Second)
					check("after a start", "c")
					w.pass(2 * time.Minute)
					w.crash(w.fresh())
					w.pass(2 * time.Minute)
					check("after a crash", "d")
				})
			})
		}
	}
}
