package core_test

import (
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// carrier stands for a loop that drives every connection. It notes what is
// handed over.
type carrier struct {
	refuses     bool
	refusesRuns bool
	runs        int
	got         []core.Delivery
	text        string
}

var (
	_ core.Carrier = (*carrier)(nil)
	_ core.Carrier = (*ownLoop)(nil)
)

func (c *carrier) DeliverRun(t *core.Turn, to core.Sink, d *core.Delivery, r *core.Run) bool {
	if c.refuses || c.refusesRuns {
		return false
	}
	c.runs++
	for i := range r.Len() {
		x := *d
		x.Message, x.Seq = r.At(i), d.Seq+uint64(i)
		c.Deliver(t, to, &x)
	}
	return true
}

func (c *carrier) Deliver(_ *core.Turn, _ core.Sink, d *core.Delivery) bool {
	if c.refuses {
		return false
	}
	c.got = append(c.got, *d)
	if c.text != "" {
		c.text += " "
	}
	c.text += text([]core.Delivery{*d}) // the message is lent: now or never
	return true
}

func (c *carrier) expect(t *testing.T, want string) {
	t.Helper()
	if c.text != want {
		t.Fatalf("handed over: %q, want %q", c.text, want)
	}
	c.text, c.got = "", nil
}

// carry gives the world a carrier.
func (w *world) carry() *carrier {
	w.end()
	c := &carrier{}
	w.turn = w.router.NewTurn(c)
	return c
}

// lend publishes bytes that are overwritten afterwards.
func (c *conn) lend(topic, payload string, set func(m *core.Message)) core.Reason {
	c.w.t.Helper()
	mt, reason := c.Route(c.w.turn, []byte(topic))
	if reason != core.OK {
		return reason
	}
	var l core.Lent
	b := []byte(payload)
	m := l.Lend(b)
	m.Topic = mt.Topic()
	if set != nil {
		set(m)
	}
	_, _, reason = c.Publish(c.w.turn, mt, m)
	for i := range b {
		b[i] = '?'
	}
	return reason
}

func qos(n uint8) func(*core.Message) { return func(m *core.Message) { m.QoS = n } }

func TestQoS0ThatNothingPrecedesIsHandedOver(t *testing.T) {
	simulate(t, func(w *world) {
		p, s := w.attach(core.Client{}), w.attach(core.Client{ID: "s"})
		s.sub("a/+", 1)
		s.expect(9, "")
		over := w.carry()
		p.lend("a/1", "1", nil)
		p.lend("a/1", "2", nil)
		over.expect(t, "a/1=1 a/1=2")
		p.lend("a/1", "3", qos(1)) // it waits until it is acknowledged
		p.lend("a/2", "4", nil)    // and this one for it
		over.expect(t, "")
		held := s.expect(9, "a/1=3/1 a/2=4")
		p.lend("a/1", "5", nil) // what is in flight was sent before
		over.expect(t, "a/1=5")
		p.lend("a/1", "6", qos(1))
		also := s.expect(9, "a/1=6/1")
		s.settle(core.Accepted, held[0], also[0])
		p.lend("a/1", "7", nil)
		over.expect(t, "a/1=7")
		if n := w.router.Stats().Namespaces[0]; n.QueueMessages != 0 || n.QueueBytes != 0 || n.InFlight != 0 {
			t.Errorf("%+v is left", n)
		}
	})
}

func TestWhatIsRefusedWaitsWithItsOwnBytes(t *testing.T) {
	simulate(t, func(w *world) {
		p, s := w.attach(core.Client{}), w.attach(core.Client{ID: "s"})
		s.sub("a", 1)
		s.expect(9, "")
		over := w.carry()
		over.refuses = true
		p.lend("a", "1", nil)
		over.refuses = false
		p.lend("a", "2", nil)
		over.expect(t, "")
		ds := s.expect(9, "a=1 a=2")
		if ds[1].Seq != ds[0].Seq+1 {
			t.Errorf("numbers %d, %d", ds[0].Seq, ds[1].Seq)
		}
		p.lend("a", "3", nil)
		if over.got[0].Seq != ds[1].Seq+1 {
			t.Errorf("number %d after %d", over.got[0].Seq, ds[1].Seq)
		}
		over.expect(t, "a=3")
	})
}

// While deliveries are in flight, a number that is given back leaves no gap.
func TestANumberIsGivenBackBehindWhatIsInFlight(t *testing.T) {
	simulate(t, func(w *world) {
		p, s := w.attach(core.Client{}), w.attach(core.Client{ID: "s"})
		s.sub("a", 1)
		p.pub("a", "0", 1)
		held := s.expect(9, "a=0/1")
		over := w.carry()
		for range 20 { // beyond the ring that an empty queue gets
			p.lend("a", "x", nil)
		}
		over.refuses = true
		p.lend("a", "1", nil)
		got := s.expect(9, "a=1")
		if got[0].Seq != held[0].Seq+21 {
			t.Errorf("number %d, want %d", got[0].Seq, held[0].Seq+21)
		}
		s.settle(core.Accepted, held[0])
		p.lend("a", "2", nil)
		s.expect(9, "a=2")
	})
}

func TestWhoeverKeepsALentMessageHasACopy(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.attach(core.Client{})
		here, durable1, durable2 := w.attach(core.Client{ID: "here"}), w.attach(durable("d1")), w.attach(durable("d2"))
		for _, s := range []*conn{here, durable1, durable2} {
			s.sub("a", 1)
			s.expect(9, "")
		}
		durable1.Detach(w.turn, core.Normal)
		durable2.Detach(w.turn, core.Normal)
		over := w.carry()
		p.lend("a", "stored", qos(1))
		p.lend("a", "kept", func(m *core.Message) { m.QoS, m.Retain = 0, true })
		p.lend("$queue/q", "queued", nil)
		here.expect(9, "a=stored/1 a=kept")
		over.expect(t, "")
		for _, id := range []string{"d1", "d2"} {
			w.attach(durable(id)).expect(9, "a=stored/1")
		}
		late := w.attach(core.Client{ID: "late"})
		late.sub("a", 1)
		late.expect(9, "a=keptr")
		c, _ := late.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
		if c == nil {
			t.Fatal("no queue")
		}
		late.expect(9, "$queue/q=queued")
	})
}

func TestFanOutIsHandedOverToThoseWhoCanTake(t *testing.T) {
	simulate(t, func(w *world) {
		p, a, b := w.attach(core.Client{}), w.attach(core.Client{ID: "a"}), w.attach(core.Client{ID: "b"})
		a.subscribe(core.Subscription{Filter: "x", QoS: 1, ID: 7})
		b.sub("x", 1)
		b.sub("y", 1)
		a.expect(9, "")
		p.pub("y", "0", 0) // b has not taken it yet
		over := w.carry()
		p.lend("x", "1", nil)
		over.expect(t, "x=1[7]")
		b.expect(9, "y=0 x=1")
	})
}

func TestWhatHasToBeLookedAtIsNotHandedOver(t *testing.T) {
	rules := deniedReads{"secret": true}
	o := core.Options{Authorizer: rules}
	simulateWith(t, o, func(w *world) {
		p, s := w.attach(core.Client{}), w.attach(core.Client{ID: "s"})
		for _, f := range []string{"secret", "open", "$share/g/shared"} {
			s.sub(f, 1)
		}
		s.expect(9, "")
		over := w.carry()
		p.lend("secret", "1", nil)
		p.lend("shared", "2", nil)
		p.lend("open", "3", func(m *core.Message) { m.Expires = w.turn.Now.After(-time.Second) })
		over.expect(t, "")
		s.expect(9, "shared=2")
		if n := w.router.Stats().Dropped; n[core.DropDenied] != 1 || n[core.DropExpired] != 1 {
			t.Errorf("dropped %v", n)
		}
		p.lend("open", "4", nil)
		over.expect(t, "open=4")
	})
}

type deniedReads map[string]bool

func (d deniedReads) Authorize(_ *core.Principal, a core.Action, topic string) bool {
	return a != core.ActionDeliver || !d[topic]
}

func TestAConsumerThatSettlesEverythingIsHandedNothing(t *testing.T) {
	simulate(t, func(w *world) {
		p, s := w.attach(core.Client{}), w.attach(core.Client{ID: "s"})
		_, reason := s.Open(w.turn, core.QueueSpec{}, core.ConsumeOptions{QoS: 1, AckAll: true}, core.Subscription{Filter: "a", QoS: 1})
		expect(t, "opened", reason, core.OK)
		_, reason = s.Open(w.turn, core.QueueSpec{}, core.ConsumeOptions{QoS: 1}, core.Subscription{Filter: "b", QoS: 1, NoLocal: true})
		expect(t, "opened", reason, core.OK)
		s.expect(9, "")
		over := w.carry()
		p.lend("a", "1", nil)
		s.lend("b", "own", nil)
		over.expect(t, "")
		s.expect(9, "a=1")
		p.lend("b", "2", nil)
		over.expect(t, "b=2")
	})
}

// ownLoop is a loop that drives one receiver, and hands over what its own
// publisher says.
type ownLoop struct {
	*worker
	add func(*core.Message)
}

func (l *ownLoop) Deliver(_ *core.Turn, to core.Sink, d *core.Delivery) bool {
	if to != core.Sink(l.worker) {
		return false
	}
	l.add(d.Message)
	return true
}

func (l *ownLoop) DeliverRun(_ *core.Turn, to core.Sink, _ *core.Delivery, r *core.Run) bool {
	if to != core.Sink(l.worker) {
		return false
	}
	for i := range r.Len() {
		l.add(r.At(i))
	}
	return true
}

// A receiver gets the messages of its own loop directly and those of others
// through its queue; each publisher's come in order.
func TestHandingOverBesideOtherLoopsKeepsTheOrder(t *testing.T) {
	t.Parallel()
	const others, each = 2, 5000
	r, err := core.New(core.Options{Store: newMapStore()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	v := newSeen(t)
	x := newWorker(t, r, core.Client{ID: "s", Queue: core.QueueLimits{Messages: 3 * each}})
	x.attached()
	loop := &ownLoop{worker: x, add: func(m *core.Message) { v.add(&core.Delivery{Message: m}) }}
	x.turn = r.NewTurn(loop)
	x.s.Subscribe(x.turn, []core.Subscription{{Filter: "x/+", QoS: 0}}, nil)
	publish := func(t *core.Turn, s *core.Session, lent *core.Lent, who, n int) {
		mt, _ := s.Route(t, []byte{'x', '/', byte('a' + who)})
		m := lent.Lend(binary.BigEndian.AppendUint32([]byte{byte(who)}, uint32(n)))
		m.Topic = mt.Topic()
		s.Publish(t, mt, m)
	}
	var pubs sync.WaitGroup
	for who := range others {
		pubs.Go(func() {
			p := newWorker(t, r, core.Client{})
			var lent core.Lent
			for i := range each {
				p.turn.Begin()
				publish(p.turn, p.s, &lent, who+1, i)
				p.turn.End()
			}
			p.detach()
		})
	}
	own, _ := r.Attach(x.turn, core.Client{}, deafSink{})
	var lent core.Lent
	var run core.Run
	take := make([]core.Delivery, 0, 64)
	for n := 0; v.done.Load() < (others+1)*each; {
		x.turn.Begin()
		for range 4 {
			if n < each {
				publish(x.turn, own, &lent, 0, n)
				n++
			}
		}
		if n < each { // and four together
			mt, _ := own.Route(x.turn, []byte("x/a"))
			run.Begin(mt.Topic(), "")
			for ; run.Len() < 4 && n < each; n++ {
				run.Add(binary.BigEndian.AppendUint32([]byte{0}, uint32(n)), 0)
			}
			if !own.PublishRun(x.turn, mt, &run) {
				t.Error("a run was refused")
			}
		}
		for c := x.s.NextReady(); c != nil; c = x.s.NextReady() {
			for {
				got := c.Take(x.turn, take, 64)
				for i := range got {
					v.add(&got[i])
				}
				if len(got) < cap(take) {
					break
				}
			}
		}
		x.turn.End()
		if n == each && v.done.Load() < (others+1)*each {
			<-x.ready
		}
	}
	pubs.Wait()
}
