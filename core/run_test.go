package core_test

import (
	"testing"

	"github.com/entrepot/entrepot/core"
)

// lendRun publishes bytes that are overwritten afterwards, together.
func (c *conn) lendRun(topic string, payloads ...string) bool {
	c.w.t.Helper()
	mt, reason := c.Route(c.w.turn, []byte(topic))
	expect(c.w.t, "route", reason, core.OK)
	var r core.Run
	var all []byte
	for _, p := range payloads {
		all = append(all, p...)
	}
	r.Begin(mt.Topic(), "test")
	r.Encoded(1, all)
	for at, i := 0, 0; i < len(payloads); i++ {
		n := len(payloads[i])
		r.Add(all[at:at+n], n)
		at += n
	}
	did := c.PublishRun(c.w.turn, mt, &r)
	for i := range all {
		all[i] = '?'
	}
	return did
}

func TestARunIsHandedOverTogether(t *testing.T) {
	simulate(t, func(w *world) {
		p, s := w.attach(core.Client{}), w.attach(core.Client{ID: "s"})
		s.sub("a", 1)
		s.expect(9, "")
		over := w.carry()
		p.lend("a", "0", nil)
		before := over.got[0].Seq
		p.lendRun("a", "1", "22", "333")
		if over.runs != 1 {
			t.Errorf("%d runs", over.runs)
		}
		p.lend("a", "4", nil)
		if n := over.got[4].Seq; n != before+4 {
			t.Errorf("number %d, want %d", n, before+4)
		}
		over.expect(t, "a=0 a=1 a=22 a=333 a=4")
		if n := w.router.Stats().Namespaces[0]; n.QueueMessages != 0 || n.QueueBytes != 0 {
			t.Errorf("%+v is left", n)
		}
	})
}

func TestARunThatIsNotTakenGoesOneByOne(t *testing.T) {
	simulate(t, func(w *world) {
		p, s := w.attach(core.Client{}), w.attach(core.Client{ID: "s"})
		s.sub("a", 1)
		s.expect(9, "")
		over := w.carry()
		over.refusesRuns = true
		p.lendRun("a", "1", "2")
		over.expect(t, "a=1 a=2")
		over.refuses = true
		p.lendRun("a", "3", "4")
		over.refuses, over.refusesRuns = false, false
		p.lendRun("a", "5", "6") // behind what waits
		over.expect(t, "")
		ds := s.expect(9, "a=3 a=4 a=5 a=6")
		for i := range ds {
			if ds[i].Seq != ds[0].Seq+uint64(i) {
				t.Errorf("number %d of the %d. after %d", ds[i].Seq, i, ds[0].Seq)
			}
		}
		p.pub("a", "7", 1)
		held := s.expect(9, "a=7/1")
		p.lendRun("a", "8", "9") // what is in flight was sent before
		over.expect(t, "a=8 a=9")
		s.settle(core.Accepted, held[0])
		p.lendRun("a", "10", "11")
		over.expect(t, "a=10 a=11")
		if over.runs != 1 {
			t.Errorf("%d runs", over.runs)
		}
	})
}

func TestARunReachesEachReceiverInOrder(t *testing.T) {
	simulate(t, func(w *world) {
		p, a, b, away := w.attach(core.Client{}), w.attach(core.Client{ID: "a"}), w.attach(core.Client{ID: "b"}), w.attach(durable("away"))
		a.subscribe(core.Subscription{Filter: "x", QoS: 1, ID: 7})
		b.sub("x", 1)
		b.sub("y", 1)
		away.sub("x", 1)
		a.expect(9, "")
		away.expect(9, "")
		away.Detach(w.turn, core.Normal)
		p.pub("y", "0", 0) // b has not taken it yet
		over := w.carry()
		p.lendRun("x", "1", "2", "3")
		over.expect(t, "x=1[7] x=2[7] x=3[7]")
		b.expect(9, "y=0 x=1 x=2 x=3")
		w.attach(durable("away")).expect(9, "")
		if n := w.router.Stats().Dropped[core.DropNoReceiver]; n != 3 {
			t.Errorf("%d are dropped for who is away", n)
		}
	})
}

func TestWhatHasToBeLookedAtIsNoRun(t *testing.T) {
	simulateWith(t, core.Options{Authorizer: deniedReads{"secret": true}}, func(w *world) {
		p, s := w.attach(core.Client{}), w.attach(core.Client{ID: "s"})
		s.sub("secret", 1)
		s.expect(9, "")
		if p.lendRun("secret", "0", "0") {
			t.Error("a turn without carrier")
		}
		over := w.carry()
		p.lendRun("secret", "1", "2")
		if p.lendRun("$queue/q", "3", "4") {
			t.Error("a queue that refuses when it is full")
		}
		over.expect(t, "")
		s.expect(9, "")
		if n := w.router.Stats().Dropped[core.DropDenied]; n != 2 {
			t.Errorf("%d were denied", n)
		}
	})
}
