package core_test

import (
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// At no moment does the store hold a message twice, or not at all, on its way
// to the dead letters.
func TestADeadLetterAndItsRemovalAreOneChange(t *testing.T) {
	spec := func(s core.QueueSpec) core.QueueSpec {
		s.Name, s.Durable, s.DeadRoom = "q", true, "room"
		return s
	}
	rejected := core.QueueSpec{Name: "q", Durable: true, DeadLetter: true, MaxAttempts: 1}
	for name, c := range map[string]struct {
		spec core.QueueSpec
		die  func(w *world, a *conn)
	}{
		"expired in the queue": {spec(core.QueueSpec{TTL: time.Second}), func(w *world, _ *conn) { w.sleep(2 * time.Second) }},
		"expired by itself": {spec(core.QueueSpec{}), func(w *world, a *conn) {
			w.sleep(2 * time.Second)
			a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
			a.expect(9, "")
		}},
		"over the limit": {spec(core.QueueSpec{Limits: core.QueueLimits{Messages: 1, Overflow: core.DropOldest}}), func(w *world, a *conn) {
			a.pub("$queue/q", "next", 0)
		}},
		"rejected": {rejected, func(w *world, a *conn) {
			a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
			a.settle(core.Rejected, a.expect(9, "$queue/q=m/1")...)
		}},
		"tried too often": {rejected, func(w *world, a *conn) {
			a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
			a.settle(core.Released, a.expect(9, "$queue/q=m/1")...)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				w.router.OnDead("room", func(t *core.Turn, d core.Dead) {
					m := core.NewMessage(d.Message.Payload)
					m.Topic, m.QoS = "$queue/dead", 1
					w.router.PublishSystem(t, d.Namespace, m)
				})
				a := w.attach(core.Client{})
				a.Declare(w.turn, c.spec)
				a.Declare(w.turn, core.QueueSpec{Name: "dead", Durable: true})
				a.send("$queue/q", "m", func(m *core.Message) {
					if m.QoS = 1; name == "expired by itself" {
						m.Expires = w.turn.Now + 1000
					}
				})
				w.end()
				w.store.watch(func(records map[string]string) {
					n := 0
					for k, v := range records {
						if k[0] == 'q' && strings.HasSuffix(v, "\x01m") {
							n++
						}
					}
					if n != 1 {
						t.Errorf("%d copies in the store", n)
					}
				})
				c.die(w, a)
				w.end()
				info, _ := a.Inspect(map[bool]string{true: "dead", false: "$dead/q"}[c.spec.DeadRoom != ""])
				expect(t, "dead letters", info.Waiting, 1)
			})
		})
	}
}

func TestDeadLettersThatPushOutOthersEnd(t *testing.T) {
	simulate(t, func(w *world) {
		n := 0
		w.router.OnDead("room", func(t *core.Turn, d core.Dead) { // a circle
			if n++; n < 100 {
				m := core.NewMessage(d.Message.Payload)
				m.Topic = "$queue/q"
				w.router.PublishSystem(t, d.Namespace, m)
			}
		})
		a := w.attach(core.Client{})
		a.Declare(w.turn, core.QueueSpec{Name: "q", DeadRoom: "room", Limits: core.QueueLimits{Messages: 1, Overflow: core.DropOldest}})
		a.pub("$queue/q", "1", 0)
		a.pub("$queue/q", "2", 0)
		w.end()
		expect(t, "buried", n, 100)
	})
}
