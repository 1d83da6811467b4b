package core_test

import (
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/core"
)

func TestWhatAMemberWasWokenForGoesToAnotherWhenItLeaves(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(durable("a")), w.attach(durable("b")), w.attach(core.Client{})
		a.sub("$share/g/x", 1)
		b.sub("$share/g/x", 1)
		a.expect(9, "")
		b.expect(9, "")
		p.pub("x", "1", 0) // wakes a
		a.Detach(w.turn, core.ConnectionLost)
		b.expect(9, "x=1")
	})
}

// lockingSink asks core something when it is told, which it may: it is told
// under no lock.
type lockingSink struct {
	s    *core.Session
	t    *testing.T
	told int
}

func (k *lockingSink) Evict(core.Reason) {}
func (k *lockingSink) Ready(*core.Turn) {
	if k.s == nil {
		return
	}
	k.told++
	done := make(chan struct{})
	go func() {
		k.s.Inspect("q")
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		k.t.Error("told under the lock of the namespace")
	}
}

func takeAll(t *core.Turn, s *core.Session) {
	for c := s.NextReady(); c != nil; c = s.NextReady() {
		c.Take(t, make([]core.Delivery, 0, 9), 9)
	}
}

func TestSinksAreToldUnderNoLock(t *testing.T) {
	t.Parallel()
	r, err := core.New(core.Options{Store: newMapStore()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	turn := r.NewTurn(nil)
	sub := []core.Subscription{{Filter: "$share/g/x", QoS: 1}}
	a, b := newWorker(t, r, durable("a")), &lockingSink{t: t}
	a.attached()
	s, _ := r.Attach(turn, core.Client{ID: "b"}, b)
	a.s.Subscribe(turn, sub, nil)
	s.Subscribe(turn, sub, nil)
	takeAll(turn, a.s)
	takeAll(turn, s)
	mt, _ := a.s.Route(turn, []byte("x"))
	m := core.NewMessage(nil)
	m.Topic, m.QoS = mt.Topic(), 1
	a.s.Publish(turn, mt, m)
	takeAll(turn, a.s)
	b.s = s
	a.s.Detach(turn, core.ConnectionLost) // gives to b what it held
	expect(t, "told", b.told > 0, true)
	turn.End()
}

func TestRetainedWalkGoesOnAtALaterAttachment(t *testing.T) {
	simulate(t, func(w *world) {
		p, a := w.attach(core.Client{}), w.attach(durable("a"))
		p.send("x", "r", retained)
		w.end()
		late := w.router.NewTurn(nil) // a loop that has not come to its end yet
		a.Subscribe(late, []core.Subscription{{Filter: "x", QoS: 1}}, nil)
		a.Detach(late, core.ConnectionLost)
		b := w.connect(durable("a"))
		w.end()
		attached, _ := b.State()
		expect(t, "before the earlier attachment is stored", attached, false)
		late.End()
		w.end()
		attached, _ = b.State()
		expect(t, "after", attached, true)
		b.expect(9, "x=r/1r")
	})
}

func TestRefusedCopyDoesNotKeepASharedMessageInTheStore(t *testing.T) {
	simulate(t, func(w *world) {
		small := durable("a")
		small.Queue.Messages = 1
		a, b, p := w.attach(small), w.attach(durable("b")), w.attach(core.Client{})
		a.sub("x", 1)
		b.sub("x", 1)
		p.pub("x", "1", 1)
		held := a.expect(9, "x=1/1")
		p.pub("x", "2", 1) // no room at a: what is in flight is not dropped
		b.settle(core.Accepted, b.expect(9, "x=1/1 x=2/1")...)
		a.settle(core.Accepted, held...)
		w.end()
		expect(t, "entries", w.store.count('q'), 0)
		expect(t, "messages", w.store.count('m'), 0)
	})
}

func TestFailedWriteOfQoS2DoesNotStopTheQueue(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 2)
		a.expect(9, "")
		w.store.err = errors.New("no space")
		p.pub("x", "lost", 2)
		w.end()
		p.pub("x", "live", 0)
		a.expect(9, "x=live")
	})
}

func TestTagDoesNotReachTheStoreBeforeItsMessage(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(durable("a")), w.attach(durable("b")), w.attach(core.Client{})
		a.sub("x", 1)
		b.sub("x", 1)
		late := w.router.NewTurn(nil) // the publisher's loop
		mt, _ := p.Route(late, []byte("x"))
		m := core.NewMessage([]byte("1"))
		m.Topic, m.QoS = mt.Topic(), 1
		p.Publish(late, mt, m)
		d := a.expect(9, "x=1/1")[0]
		d.Consumer.Tag(w.turn, d.Seq, 7)
		w.end()
		crashed := newMapStore()
		crashed.m = maps.Clone(w.store.m)
		r, err := core.New(core.Options{Store: crashed})
		if err != nil {
			t.Fatalf("after a crash: %v", err)
		}
		r.Close()
		late.End()
		w.restart(core.Options{})
		expect(t, "tag", w.attach(durable("a")).expect(9, "x=1/1+")[0].Tag, 7)
		synctest.Wait()
	})
}

func TestWhatAStalledConnectionWasWokenForGoesToOthers(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(durable("a")), w.attach(durable("b")), w.attach(core.Client{})
		for _, f := range []string{"$share/g/x", "$queue/x"} {
			a.sub(f, 1)
			b.sub(f, 1)
		}
		a.expect(9, "")
		b.expect(9, "")
		p.pub("x", "1", 1) // wakes a for both
		b.expect(9, "")
		a.PassOn(w.turn)
		b.settle(core.Accepted, b.expect(9, "x=1/1 x=1/1")...)
		p.pub("x", "2", 1) // a was not armed again
		b.settle(core.Accepted, b.expect(9, "x=2/1 x=2/1")...)
		b.Detach(w.turn, core.ConnectionLost)
		p.pub("x", "3", 1)
		a.expect(9, "x=3/1 x=3/1")
	})
}
