package core_test

import (
	"fmt"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// pubAll publishes built messages together.
func (c *conn) pubAll(topic string, payloads ...string) (seq uint64, pending bool, reached int, done bool) {
	c.w.t.Helper()
	mt, reason := c.Route(c.w.turn, []byte(topic))
	expect(c.w.t, "route", reason, core.OK)
	var ms []*core.Message
	for _, p := range payloads {
		m := c.w.turn.NewMessage([]byte(p))
		m.Topic, m.QoS = mt.Topic(), 1
		ms = append(ms, m)
	}
	return c.PublishAll(c.w.turn, mt, ms)
}

func TestMessagesThatArePublishedTogetherComeInOrder(t *testing.T) {
	simulate(t, func(w *world) {
		p, s := w.attach(core.Client{}), w.attach(durable("s"))
		s.sub("a", 1)
		s.expect(9, "")
		p.pub("a", "0", 1)
		seq, pending, reached, done := p.pubAll("a", "1", "2", "3")
		if !pending || reached != 3 || !done {
			t.Fatalf("pending %t, reached %d, done %t", pending, reached, done)
		}
		p.pub("a", "4", 1)
		if p.Safe() >= seq {
			t.Error("it is safe before it is stored")
		}
		w.end()
		if p.Safe() < seq {
			t.Error("it is not safe")
		}
		held := s.expect(9, "a=0/1 a=1/1 a=2/1 a=3/1 a=4/1")
		s.Inbox().SettleAll(w.turn, []uint64{held[1].Seq, held[0].Seq, held[0].Seq, held[3].Seq, held[4].Seq + 7})
		w.end()
		s.Detach(w.turn, core.Normal)
		w.attach(durable("s")).expect(9, "a=2/1+ a=4/1+")
	})
}

// A queue that is full drops its oldest for each message of a batch.
func TestABatchKeepsToTheLimitsOfItsQueue(t *testing.T) {
	simulate(t, func(w *world) {
		p, s := w.attach(core.Client{}), w.attach(core.Client{ID: "s", Queue: core.QueueLimits{Messages: 4}})
		s.sub("a", 1)
		p.pubAll("a", "0", "1", "2", "3", "4", "5")
		s.expect(9, "a=2/1 a=3/1 a=4/1 a=5/1")
		if n := w.router.Stats().Dropped[core.DropQueueFull]; n != 2 {
			t.Errorf("%d were dropped", n)
		}
	})
}

func TestWhatMoreThanOneQueueGetsIsNoBatch(t *testing.T) {
	simulate(t, func(w *world) {
		p, a, b := w.attach(core.Client{}), w.attach(core.Client{ID: "a"}), w.attach(core.Client{ID: "b"})
		a.sub("x", 1)
		b.sub("x", 1)
		a.sub("y", 0)
		b.sub("$share/g/z", 1)
		for _, topic := range []string{"x", "y", "z", "none"} {
			if _, _, _, done := p.pubAll(topic, "1", "2"); done {
				t.Errorf("%s was", topic)
			}
		}
		a.expect(9, "")
		w.router.SetPressure(core.Pressure{Level: core.LevelRefuse})
		b.sub("w", 1)
		w.end()
		if _, _, _, done := p.pubAll("w", "1", "2"); done {
			t.Error("what is refused was")
		}
	})
}

// Deliveries that are received together wait for the store where one of them
// would, and are known as received after a crash; what is said twice, is not
// there or is another's changes nothing.
func TestDeliveriesAreReceivedTogether(t *testing.T) {
	simulate(t, func(w *world) {
		p, a, b := w.attach(core.Client{}), w.attach(durable("a")), w.attach(core.Client{ID: "b"})
		a.sub("x", 2)
		b.sub("x", 2)
		for _, s := range []string{"1", "2", "3", "4"} {
			p.pub("x", s, 2)
		}
		mine, others := a.expect(9, "x=1/2 x=2/2 x=3/2 x=4/2"), b.expect(9, "x=1/2 x=2/2 x=3/2 x=4/2")
		all := func(c *conn, seqs ...uint64) (parts []int, last uint64) {
			for len(seqs) > 0 {
				n, sub, pending := c.Inbox().ReceivedAll(w.turn, seqs)
				if pending != (sub > 0) {
					t.Errorf("sub %d, pending %t", sub, pending)
				}
				parts, seqs, last = append(parts, n), seqs[n:], sub
				if !pending { // a sign of those that wait for nothing
					parts[len(parts)-1] = -n
				}
			}
			return parts, last
		}
		got, sub := all(a, mine[0].Seq, mine[1].Seq, mine[1].Seq, mine[3].Seq+9, mine[2].Seq)
		expect(t, "parts", fmt.Sprint(got), "[2 -2 1]")
		expect(t, "safe before it is stored", a.Safe() >= sub, false)
		got, _ = all(b, others[0].Seq, others[2].Seq, others[2].Seq)
		expect(t, "parts of a transient session", fmt.Sprint(got), "[-3]")
		w.end()
		expect(t, "safe", a.Safe() >= sub, true)
		b.Inbox().SettleAll(w.turn, []uint64{others[0].Seq, others[2].Seq})
		w.crash(core.Options{})
		a = w.attach(durable("a"))
		again := a.expect(9, "x=1/2+R x=2/2+R x=3/2+R x=4/2+")
		inbox := a.Inbox()
		a.Detach(w.turn, core.ConnectionLost)
		n, _, pending := inbox.ReceivedAll(w.turn, []uint64{again[3].Seq, again[0].Seq})
		expect(t, "of a consumer that has ended", fmt.Sprint(n, pending), "2 false")
		a = w.attach(durable("a"))
		a.settle(core.Accepted, a.expect(9, "x=1/2+R x=2/2+R x=3/2+R x=4/2+")...)
		expect(t, "entries left", w.store.count('q'), 0)
	})
}

// What a member of a shared queue has received is nobody else's after a crash.
func TestWhatMembersReceiveTogetherIsTheirs(t *testing.T) {
	simulate(t, func(w *world) {
		p, m := w.attach(core.Client{}), w.attach(core.Client{ID: "m"})
		p.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
		m.sub("$queue/q", 2)
		for _, s := range []string{"1", "2", "3"} {
			p.pub("$queue/q", s, 2)
		}
		got := m.expect(9, "$queue/q=1/2 $queue/q=2/2 $queue/q=3/2")
		n, sub, pending := got[0].Consumer.ReceivedAll(w.turn, []uint64{got[0].Seq, got[2].Seq})
		expect(t, "n", fmt.Sprint(n, pending), "2 true")
		w.end()
		expect(t, "safe", m.Safe() >= sub, true)
		w.crash(core.Options{})
		o := w.attach(core.Client{ID: "o"})
		o.sub("$queue/q", 2)
		o.expect(9, "$queue/q=2/2")
	})
}

// A receiver that goes in the middle of a batch, on another loop, gets the first
// messages of it.
func TestABatchIsInOrderBesideTakes(t *testing.T) {
	t.Parallel()
	r, err := core.New(core.Options{Store: newMapStore()})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const batches, each = 2000, 16
	s := newWorker(t, r, core.Client{ID: "s", Queue: core.QueueLimits{Messages: batches * each}})
	s.attached()
	s.s.Subscribe(s.turn, []core.Subscription{{Filter: "a", QoS: 1}}, nil)
	p := newWorker(t, r, core.Client{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var ms []*core.Message
		for i := range batches {
			p.turn.Begin()
			mt, _ := p.s.Route(p.turn, []byte("a"))
			ms = ms[:0]
			for k := range each {
				m := p.turn.NewMessage(fmt.Append(nil, i*each+k))
				m.Topic, m.QoS = mt.Topic(), 1
				ms = append(ms, m)
			}
			if _, _, n, done := p.s.PublishAll(p.turn, mt, ms); n != each || !done {
				t.Errorf("%d of %d, done %t", n, each, done)
			}
			p.turn.End()
		}
	}()
	take, seqs := make([]core.Delivery, 0, 64), make([]uint64, 0, 64)
	for n := 0; n < batches*each; {
		s.turn.Begin()
		for c := s.s.NextReady(); c != nil; c = s.s.NextReady() {
			for {
				got := c.Take(s.turn, take, 64)
				seqs = seqs[:0]
				for i := range got {
					if want := fmt.Sprint(n); string(got[i].Message.Payload) != want {
						t.Fatalf("%s instead of %s", got[i].Message.Payload, want)
					}
					n++
					seqs = append(seqs, got[i].Seq)
				}
				c.SettleAll(s.turn, seqs)
				if len(got) < cap(take) {
					break
				}
			}
		}
		s.turn.End()
		if n < batches*each {
			<-s.ready
		}
	}
	<-ended
}
