package core_test

import (
	"testing"

	"github.com/entrepot/entrepot/core"
)

// consumed is a named queue that messages of topic "a" reach, with one consumer
// that acknowledges nothing. It refuses when it is full.
func (w *world) consumed(limits core.QueueLimits) *core.Consumer {
	w.t.Helper()
	s := w.attach(core.Client{ID: "consumer"})
	_, _, _, _, reason := s.Declare(w.turn, core.QueueSpec{Name: "q", Limits: limits})
	expect(w.t, "declare", reason, core.OK)
	_, _, reason = s.Bind(w.turn, "q", core.Subscription{Filter: "a", QoS: 2})
	expect(w.t, "bind", reason, core.OK)
	c, reason := s.Consume(w.turn, "q", core.ConsumeOptions{QoS: 2, AckAll: true, NoAck: true})
	expect(w.t, "consume", reason, core.OK)
	c.Take(w.turn, make([]core.Delivery, 0, 9), 9)
	return c
}

func TestARunIsHandedOverToTheConsumerOfANamedQueue(t *testing.T) {
	simulate(t, func(w *world) {
		w.consumed(core.QueueLimits{Messages: 2})
		p := w.attach(core.Client{})
		over := w.carry()
		if !p.lendRun("a", "1", "2", "3", "4") { // more than would find room, of which nothing needs any
			t.Error("one by one")
		}
		p.lend("a", "5", nil)
		if over.runs != 1 || over.got[4].Seq != over.got[3].Seq+1 {
			t.Errorf("%d runs, number %d after %d", over.runs, over.got[4].Seq, over.got[3].Seq)
		}
		over.expect(t, "a=1 a=2 a=3 a=4 a=5")
		if n := w.router.Stats().Namespaces[0]; n.QueueMessages != 0 || n.QueueBytes != 0 {
			t.Errorf("%+v is left", n)
		}
	})
}

// A queue that refuses when it is full is asked for each message that would wait
// in it, before any other queue gets that.
func TestANamedQueueThatDoesNotTakeARunIsAskedForEach(t *testing.T) {
	for name, change := range map[string]func(w *world, over *carrier){
		"another receiver":    func(w *world, _ *carrier) { w.attach(core.Client{ID: "s"}).sub("a", 0) },
		"the carrier refuses": func(_ *world, over *carrier) { over.refusesRuns = true },
		"a message waits": func(w *world, over *carrier) {
			over.refuses = true
			w.attach(core.Client{}).lend("a", "0", nil)
			over.refuses = false
		},
		"a quota": func(w *world, _ *carrier) {
			w.router.SetTenants(map[string]core.Tenant{core.DefaultNamespace: {Quota: core.Quotas{QueueMessages: 10}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				w.consumed(core.QueueLimits{Messages: 2})
				p := w.attach(core.Client{})
				over := w.carry()
				change(w, over)
				if p.lendRun("a", "1", "2") {
					t.Error("together")
				}
				over.expect(t, "")
			})
		})
	}
}
