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
