package core_test

import (
	"testing"

	"github.com/entrepot/entrepot/core"
)

// What a full queue dropped unsent, and whose removal a power cut undid, comes
// back as what it is: without a mark [MQTT-4.3.2-2], and the first to be dropped.
func TestWhatAFullQueueDroppedDoesNotCountAsSent(t *testing.T) {
	client := durable("a")
	client.Queue = core.QueueLimits{Messages: 3}
	for name, here := range map[string]bool{"away since a start": false, "away since it was here": true} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				a, p := w.attach(client), w.attach(core.Client{})
				a.sub("t", 2)
				if here {
					p.pub("t", "0", 1)
					a.settle(core.Accepted, a.expect(9, "t=0/1")...)
				}
				a.Detach(w.turn, core.ConnectionLost)
				p.pub("t", "1", 1)
				p.pub("t", "2", 2)
				p.pub("t", "3", 1)
				w.end()
				if !here {
					w.restart(core.Options{})
					p = w.attach(core.Client{})
				}
				turn := w.turn
				w.turn = w.late()
				for _, more := range []string{"4", "5", "6"} { // the turn that drops the others does not reach the store
					p.pub("t", more, 1)
				}
				late := w.turn
				w.turn = turn
				a = w.attach(client) // the record of the session does
				w.crash(core.Options{})
				late.End()
				p = w.attach(core.Client{})
				p.pub("t", "7", 1)
				a = w.attach(client)
				a.expect(9, "t=2/2 t=3/1 t=7/1")
			})
		})
	}
}
