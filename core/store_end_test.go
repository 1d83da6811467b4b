package core_test

import (
	"strings"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// prompt is a connection that acts within the call that tells it something.
type prompt struct {
	*conn
	act func()
}

func (p *prompt) Ready(*core.Turn) {
	if p.act != nil {
		p.act()
	}
}

// A message may end before its record is stored, as when the store stands still
// meanwhile. The record is written all the same; but nothing that is published
// once its publisher is told of it is stored without the end, however fast.
func TestTheEndOfAMessageThatWasNotStoredYetIsStoredBeforeWhatFollows(t *testing.T) {
	for name, end := range map[string]func(w *world, c *conn){
		"settled": func(w *world, c *conn) {
			for _, d := range c.take(1) {
				d.Consumer.Settle(w.turn, d.Seq, core.Accepted)
			}
		},
		"purged": func(w *world, c *conn) {
			if n, reason := c.Purge(w.turn, "q"); n != 1 || reason != core.OK {
				w.t.Errorf("purged %d, %v", n, reason)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				c := w.attach(core.Client{})
				c.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
				if name == "settled" {
					c.Consume(w.turn, "q", core.ConsumeOptions{QoS: 2})
				}
				p := &prompt{conn: &conn{w: w}}
				p.Session, _ = w.router.Attach(w.turn, core.Client{}, p)
				w.end()
				publish := func(turn *core.Turn, payload string) (seq uint64) {
					mt, _ := p.Route(turn, []byte("$queue/q"))
					m := core.NewMessage([]byte(payload))
					m.Topic, m.QoS = mt.Topic(), 1
					seq, _, reason := p.Publish(turn, mt, m)
					expect(w.t, "published", reason, core.OK)
					return seq
				}
				w.store.hold = make(chan struct{})
				first := publish(w.turn, "first")
				w.end()
				end(w, c)
				w.end()
				expect(w.t, "waiting", w.router.Stats().Namespaces[0].QueueMessages, 0)
				p.act = func() {
					if p.Safe() < first {
						return
					}
					p.act = nil
					turn := w.late()
					publish(turn, "second")
					turn.End()
				}
				apart, together, after := 0, 0, 0
				w.store.watch(func(m map[string]string) {
					has := map[string]bool{}
					for key, v := range m {
						for _, payload := range []string{"first", "second"} {
							if key[0] == 'q' && strings.Contains(v, payload) {
								has[payload] = true
							}
						}
					}
					switch {
					case has["first"] && has["second"]:
						together++
					case has["first"]:
						apart++
					case has["second"]:
						after++
					}
				})
				close(w.store.hold)
				w.end()
				w.store.watch(nil)
				expect(w.t, "the first alone", apart, 1)
				expect(w.t, "both", together, 0)
				expect(w.t, "the second alone", after, 1)
			})
		})
	}
}
