package core_test

import (
	"errors"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

func will(topic string, delay time.Duration) *core.Will {
	m := core.NewMessage([]byte("gone"))
	m.Topic, m.QoS = topic, 1
	return &core.Will{Message: m, Delay: delay}
}

func TestTakeoverWaitsForTheOldConnection(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(durable("a"))
		b := w.connect(durable("a"))
		w.end()
		expect(t, "old", a.evicted, core.TakenOver)
		attached, _ := b.State()
		expect(t, "before the old one left", attached, false)
		a.Detach(w.turn, core.TakenOver)
		w.end()
		attached, _ = b.State()
		expect(t, "after", attached, true)
		expect(t, "present", b.Present(), true)
		expect(t, "told", b.ready.Load() > 0, true)
	})
}

func TestConnectionThatDiesWhileItWaitsHoldsNothing(t *testing.T) {
	simulate(t, func(w *world) {
		clean := durable("a")
		clean.Clean = true
		a := w.attach(clean)
		b := w.connect(clean)
		a.Detach(w.turn, core.TakenOver) // b has a fresh session now, and does not know yet
		b.Detach(w.turn, core.ConnectionLost)
		c := w.connect(durable("a"))
		w.end()
		attached, _ := c.State()
		expect(t, "the next one", attached, true)
	})
}

func TestThirdConnectionSupersedesTheOneThatWaits(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(durable("a"))
		b, c := w.connect(durable("a")), (*conn)(nil)
		c = w.connect(durable("a"))
		expect(t, "second", b.evicted, core.TakenOver)
		b.Detach(w.turn, core.TakenOver)
		a.Detach(w.turn, core.TakenOver)
		w.end()
		attached, _ := c.State()
		expect(t, "third", attached, true)
		attached, _ = b.State()
		expect(t, "second never", attached, false)
	})
}

func TestAnotherPrincipalHasAnotherSession(t *testing.T) {
	simulate(t, func(w *world) {
		mine := durable("a")
		mine.Principal = &core.Principal{User: "u1"}
		theirs := durable("a")
		theirs.Principal = &core.Principal{User: "u2"}
		theirs.Clean = true
		a, p := w.attach(mine), w.attach(core.Client{})
		a.sub("x", 1)
		b := w.attach(theirs)
		expect(t, "present", b.Present(), false)
		expect(t, "owner stays", a.evicted, core.OK)
		p.pub("x", "m", 1)
		a.expect(9, "x=m/1")
		b.expect(9, "")
	})
}

func TestNamespacesDoNotSeeEachOther(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{ID: "a", Principal: &core.Principal{Namespace: "n1", User: "u"}})
		b := w.attach(core.Client{ID: "a", Principal: &core.Principal{Namespace: "n2", User: "u"}})
		a.sub("#", 1)
		b.pub("x", "m", 1)
		a.expect(9, "")
	})
}

func TestCleanStartEndsTheStoredSession(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 1)
		a.Detach(w.turn, core.ConnectionLost)
		p.pub("x", "m", 1)
		clean := durable("a")
		clean.Clean = true
		b := w.attach(clean)
		expect(t, "present", b.Present(), false)
		expect(t, "nobody subscribed", p.pub("x", "m", 1), core.NoReceiver)
		b.expect(9, "")
	})
}

func TestSessionWithoutExpiryEndsWithItsConnection(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{ID: "a"})
		a.sub("x", 1)
		a.Detach(w.turn, core.Normal)
		expect(t, "gone", w.attach(core.Client{ID: "a"}).Present(), false)
	})
}

func TestSessionLastsItsExpiryAndNoLonger(t *testing.T) {
	simulate(t, func(w *world) {
		client := core.Client{ID: "a", Expiry: 10 * time.Second}
		w.attach(client).Detach(w.turn, core.ConnectionLost)
		w.sleep(9999 * time.Millisecond)
		a := w.attach(client)
		expect(t, "just before", a.Present(), true)
		w.sleep(time.Minute)
		a.Detach(w.turn, core.ConnectionLost)
		w.sleep(10 * time.Second)
		expect(t, "after", w.attach(client).Present(), false)
	})
}

func TestWillIsPublishedUnlessTheEndWasOrderly(t *testing.T) {
	simulate(t, func(w *world) {
		s := w.attach(core.Client{ID: "s"})
		s.sub("w", 1)
		w.attach(core.Client{ID: "a", Will: will("w", 0)}).Detach(w.turn, core.Normal)
		s.expect(9, "")
		w.attach(core.Client{ID: "a", Will: will("w", 0)}).Detach(w.turn, core.IdleTimeout)
		s.expect(9, "w=gone/1")
	})
}

func TestWillToATopicOfOursIsDeniedAndOneWithoutFormIsBad(t *testing.T) {
	simulate(t, func(w *world) {
		for topic, want := range map[string]core.Reason{"$SYS/x": core.NotAuthorized, "a/+": core.BadTopic, "": core.BadTopic} {
			_, got := w.router.Attach(w.turn, core.Client{ID: "a", Principal: core.Anonymous, Will: will(topic, 0)}, nil)
			expect(t, topic, got, want)
		}
	})
}

func TestDelayedWillFiresAtTheEarlierOfDelayAndSessionEnd(t *testing.T) {
	simulate(t, func(w *world) {
		s := w.attach(core.Client{ID: "s"})
		s.sub("w", 1)
		w.attach(core.Client{ID: "a", Expiry: time.Hour, Will: will("w", 3*time.Second)}).Detach(w.turn, core.ConnectionLost)
		w.attach(core.Client{ID: "b", Expiry: 2 * time.Second, Will: will("w", time.Minute)}).Detach(w.turn, core.ConnectionLost)
		w.sleep(1999 * time.Millisecond)
		s.expect(9, "")
		w.sleep(time.Millisecond)
		s.settle(core.Accepted, s.expect(9, "w=gone/1")...)
		w.sleep(999 * time.Millisecond)
		s.expect(9, "")
		w.sleep(time.Millisecond)
		s.expect(9, "w=gone/1")
	})
}

func TestReturnCancelsADelayedWillButCleanStartPublishesIt(t *testing.T) {
	simulate(t, func(w *world) {
		s := w.attach(core.Client{ID: "s"})
		s.sub("w", 0)
		client := core.Client{ID: "a", Expiry: time.Hour, Will: will("w", 3*time.Second)}
		w.attach(client).Detach(w.turn, core.ConnectionLost)
		w.attach(durable("a")).Detach(w.turn, core.Normal)
		w.sleep(time.Minute)
		s.expect(9, "")
		w.attach(client).Detach(w.turn, core.ConnectionLost)
		clean := durable("a")
		clean.Clean = true
		w.attach(clean)
		s.expect(9, "w=gone")
	})
}

func TestWillGoesOutBeforeTheTakeoverCompletes(t *testing.T) {
	simulate(t, func(w *world) {
		s := w.attach(core.Client{ID: "s"})
		s.sub("w", 0)
		client := core.Client{ID: "a", Expiry: time.Hour, Will: will("w", 0)}
		a := w.attach(client)
		w.connect(client)
		a.Detach(w.turn, core.TakenOver)
		s.expect(9, "w=gone")
	})
}

func TestDurableStateSurvivesARestart(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.subscribe(core.Subscription{Filter: "x/#", QoS: 2, ID: 5})
		w.attach(durable("g")).sub("$share/g/s", 1)
		w.attach(durable("j")).sub("$queue/jobs", 1)
		p.Declare(w.turn, core.QueueSpec{Name: "named", Durable: true, Args: "x"})
		p.Bind(w.turn, "named", core.Subscription{Filter: "x/+", QoS: 2})
		a.Remember(w.turn, 42)
		p.send("x/1", "1", func(m *core.Message) {
			m.QoS, m.Retain = 1, true
			m.Meta = &core.Meta{ContentType: "t", Correlation: []byte{0, 1}, Headers: []core.Header{{Name: "k", Text: "v"}, {Name: "n", Kind: core.Int, Bits: 7}}}
		})
		p.send("x/2", "2", func(m *core.Message) { m.QoS, m.Meta = 2, &core.Meta{Deletes: true} })
		p.pub("s", "3", 1)
		p.pub("jobs", "4", 1)
		a.Detach(w.turn, core.ConnectionLost)
		w.restart(core.Options{})
		b, q := w.attach(durable("a")), w.attach(core.Client{})
		expect(t, "present", b.Present(), true)
		expect(t, "seen", b.Seen(42), true)
		got := b.expect(9, "x/1=1/1[5] x/2=2/2[5]")
		g, j := w.attach(durable("g")), w.attach(durable("j"))
		g.settle(core.Accepted, g.expect(9, "s=3/1")...)
		j.settle(core.Accepted, j.expect(9, "jobs=4/1")...)
		meta := got[0].Message.Meta
		expect(t, "header", meta.Headers[1].String(), "7")
		expect(t, "correlation", string(meta.Correlation), "\x00\x01")
		expect(t, "a value", meta.Deletes, false)
		expect(t, "a deletion", got[1].Message.Meta.Deletes, true)
		b.settle(core.Accepted, got...)
		m, reason := q.Retained(w.turn, "x/1")
		expect(t, "retained", reason, core.OK)
		expect(t, "value", string(m.Payload), "1")
		info, _ := q.Inspect("named")
		expect(t, "waiting", info.Waiting, 2)
		_, reason = q.Consume(w.turn, "named", core.ConsumeOptions{QoS: 2})
		expect(t, "consume", reason, core.OK)
		q.settle(core.Accepted, q.expect(9, "x/1=1/1 x/2=2/2")...)
		w.end()
		expect(t, "entries left", w.store.count('q'), 0)
		expect(t, "messages left", w.store.count('m'), 0)
		expect(t, "live after restart", q.pub("x/9", "5", 1), core.OK)
		b.expect(9, "x/9=5/1[5]")
	})
}

func TestReceivedStateAndTagSurviveARestart(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 2)
		p.pub("x", "1", 2)
		p.pub("x", "2", 2)
		got := a.expect(9, "x=1/2 x=2/2")
		got[0].Consumer.Tag(w.turn, got[0].Seq, 77)
		a.settle(core.Received, got[0])
		w.restart(core.Options{})
		again := w.attach(durable("a")).expect(9, "x=1/2+R x=2/2+")
		expect(t, "tag", again[0].Tag, 77)
		expect(t, "seq", again[1].Seq, got[1].Seq)
	})
}

func TestDelayedWillAndExpirySurviveARestart(t *testing.T) {
	simulate(t, func(w *world) {
		w.attach(core.Client{ID: "a", Expiry: time.Minute, Will: will("w", 10*time.Second)}).Detach(w.turn, core.ConnectionLost)
		w.sleep(4 * time.Second)
		w.restart(core.Options{})
		s := w.attach(core.Client{ID: "s"})
		s.sub("w", 0)
		w.sleep(29 * time.Second) // the grace after a start is longer than what remains
		s.expect(9, "")
		w.sleep(time.Second)
		s.expect(9, "w=gone")
		w.sleep(27 * time.Second)
		expect(t, "ended", w.attach(durable("a")).Present(), false)
	})
}

func TestAcknowledgementWaitsForTheStoreAndKeepsItsOrder(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 1)
		w.store.hold = make(chan struct{})
		send := func(topic string, qos uint8) (uint64, bool) {
			mt, _ := p.Route(w.turn, []byte(topic))
			m := core.NewMessage(nil)
			m.Topic, m.QoS = mt.Topic(), qos
			seq, pending, _ := p.Publish(w.turn, mt, m)
			return seq, pending
		}
		_, pending := send("y", 1)
		expect(t, "nobody durable", pending, false)
		first, pending := send("x", 1)
		expect(t, "durable", pending, true)
		second, pending := send("y", 1)
		expect(t, "behind it", pending, true)
		w.end()
		expect(t, "not yet", p.Safe() < first, true)
		close(w.store.hold)
		w.end()
		expect(t, "safe", p.Safe(), second)
		expect(t, "failed", p.Failed(first), false)
	})
}

func TestFailedStoreRefusesQoS1AndKeepsQoS0(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("x", 1)
		w.store.err = errors.New("no space")
		mt, _ := p.Route(w.turn, []byte("x"))
		m := core.NewMessage(nil)
		m.Topic, m.QoS = mt.Topic(), 1
		seq, pending, _ := p.Publish(w.turn, mt, m)
		expect(t, "pending", pending, true)
		w.end()
		expect(t, "resolved", p.Safe() >= seq, true)
		expect(t, "failed", p.Failed(seq), true)
		expect(t, "refused", p.pub("x", "m", 1), core.Unavailable)
		expect(t, "QoS 0", p.pub("x", "m", 0), core.OK)
		_, reason := w.router.Attach(w.turn, durable("new"), &conn{w: w})
		expect(t, "new durable session", reason, core.Unavailable)
	})
}

func TestQuotasRefuse(t *testing.T) {
	limits := core.Limits{Sessions: 1, Subscriptions: 1, Retained: 1, Queues: 1}
	simulateWith(t, core.Options{Limits: limits}, func(w *world) {
		a := w.attach(core.Client{ID: "a"})
		_, reason := w.router.Attach(w.turn, core.Client{ID: "b"}, &conn{w: w})
		expect(t, "session", reason, core.Quota)
		expect(t, "first filter", a.sub("x", 0).Reason, core.OK)
		expect(t, "again", a.sub("x", 1).Existed, true)
		expect(t, "second filter", a.sub("y", 0).Reason, core.Quota)
		expect(t, "first retained", a.send("r1", "m", retained), core.NoReceiver)
		expect(t, "replaced", a.send("r1", "n", retained), core.NoReceiver)
		expect(t, "second retained", a.send("r2", "m", retained), core.Quota)
		expect(t, "first queue", a.pub("$queue/a", "m", 0), core.OK)
		expect(t, "second queue", a.pub("$queue/b", "m", 0), core.Quota)
	})
}
