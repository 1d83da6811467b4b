package core_test

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// Two turns change one thing, and the one that came first is submitted last.

func (c *conn) retainIn(t *core.Turn, topic, payload string) {
	mt, _ := c.Route(t, []byte(topic))
	m := core.NewMessage([]byte(payload))
	m.Topic = mt.Topic()
	retained(m)
	c.Publish(t, mt, m)
}

func TestTheLaterRetainedWriteWinsInTheStoreToo(t *testing.T) {
	for name, want := range map[string]string{"replaced": "new", "cleared": ""} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				a, b := w.attach(core.Client{}), w.attach(core.Client{})
				late := w.late()
				a.retainIn(late, "x", "old")
				b.retainIn(w.turn, "x", want)
				w.end()
				late.End()
				w.restart(core.Options{})
				m, reason := w.attach(core.Client{}).Retained(w.turn, "x")
				if want == "" {
					expect(t, "cleared", reason, core.NotFound)
					return
				}
				expect(t, "retained", reason, core.OK)
				expect(t, "value", string(m.Payload), want)
			})
		})
	}
}

func TestARetainedValueOutlivesTheLateTurnOfItsRemoval(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.attach(core.Client{}), w.attach(core.Client{})
		a.retainIn(w.turn, "x", "old")
		w.end()
		late := w.late()
		a.retainIn(late, "x", "")
		b.retainIn(w.turn, "x", "new")
		w.end()
		late.End()
		w.restart(core.Options{})
		m, reason := w.attach(core.Client{}).Retained(w.turn, "x")
		expect(t, "retained", reason, core.OK)
		expect(t, "value", string(m.Payload), "new")
	})
}

func TestAnAttachedSessionIsNotStoredAsAway(t *testing.T) {
	simulate(t, func(w *world) {
		client := core.Client{ID: "a", Expiry: time.Minute}
		a := w.attach(client)
		late := w.late()
		a.Detach(late, core.ConnectionLost)
		w.connect(client)
		w.end()
		late.End() // the end of the first attachment
		w.sleep(time.Hour)
		w.crash(core.Options{})
		w.sleep(time.Second)
		expect(t, "present", w.attach(client).Present(), true)
	})
}

func TestANewAttachmentWaitsForTheLastTurnOfTheOneBefore(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(durable("p"))
		a.sub("x", 2)
		late := w.late()
		p.Remember(late, 7)
		mt, _ := p.Route(late, []byte("x"))
		m := core.NewMessage([]byte("m"))
		m.Topic, m.QoS = mt.Topic(), 2
		p.Publish(late, mt, m)
		p.Detach(late, core.ConnectionLost)
		q := w.connect(durable("p"))
		w.end()
		attached, _ := q.State() // it knows the identifier, and would answer for a message that no crash survives
		expect(t, "before", attached, false)
		late.End()
		w.end()
		attached, _ = q.State()
		expect(t, "after", attached, true)
		expect(t, "seen", q.Seen(7), true)
	})
}

func TestACleanStartLeavesNothingOfALateTurn(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(durable("a"))
		late := w.late()
		a.Subscribe(late, []core.Subscription{{Filter: "x", QoS: 1}, {Filter: "$share/g/x", QoS: 1}}, nil)
		a.Remember(late, 7)
		a.Detach(late, core.ConnectionLost)
		clean := durable("a")
		clean.Clean = true
		b := w.attach(clean)
		late.End()
		w.end()
		for kind, n := range map[byte]int{'s': 1, 'u': 0, 'd': 0, 'n': 0} {
			expect(t, "records "+string(kind), w.store.count(kind), n)
		}
		b.Detach(w.turn, core.ConnectionLost)
		w.restart(core.Options{})
		expect(t, "subscribed", w.attach(core.Client{}).pub("x", "m", 1), core.NoReceiver)
		expect(t, "present", w.attach(durable("a")).Present(), true)
	})
}

func TestADeletedQueueIsNotStoredByALateTurn(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.attach(core.Client{}), w.attach(core.Client{})
		late := w.late()
		a.Declare(late, core.QueueSpec{Name: "q", Durable: true})
		a.Bind(late, "q", core.Subscription{Filter: "x", QoS: 1})
		b.Delete(w.turn, "q", false, false)
		w.end()
		late.End()
		w.end()
		expect(t, "queues", w.store.count('n'), 0)
		expect(t, "bindings", w.store.count('b'), 0)
		b.Declare(w.turn, core.QueueSpec{Name: "q", Durable: true})
		a.Bind(late, "q", core.Subscription{Filter: "x", QoS: 1})
		b.Unbind(w.turn, "q", "x")
		w.end()
		late.End()
		w.end()
		expect(t, "bindings", w.store.count('b'), 0)
	})
}

func TestASettledEntryIsNotStoredByALateTurn(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(durable("a")), w.attach(durable("b")), w.attach(core.Client{})
		a.sub("$share/g/x", 1)
		p.pub("x", "m", 1)
		d := a.expect(9, "x=m/1")[0]
		b.sub("$share/g/x", 1)
		late := w.late()
		d.Consumer.Tag(late, d.Seq, 9)
		a.Detach(late, core.ConnectionLost)
		b.settle(core.Accepted, b.expect(9, "x=m/1+")...)
		late.End()
		w.end()
		expect(t, "entries", w.store.count('q'), 0)
	})
}

func TestASharedMessageIsStoredUntilItsLastEntryIsGone(t *testing.T) {
	simulate(t, func(w *world) {
		a, b, p := w.attach(durable("a")), w.attach(durable("b")), w.attach(core.Client{})
		a.sub("x", 1)
		b.sub("x", 1)
		p.pub("x", "m", 1)
		d := a.expect(9, "x=m/1")[0]
		late := w.late()
		d.Consumer.Settle(late, d.Seq, core.Accepted)
		b.settle(core.Accepted, b.expect(9, "x=m/1")...) // the last of the two, and the first that is stored
		expect(t, "messages", w.store.count('m'), 1)
		expect(t, "entries", w.store.count('q'), 1)
		late.End()
		w.end()
		expect(t, "messages", w.store.count('m'), 0)
		expect(t, "entries", w.store.count('q'), 0)
	})
}

func TestTheLaterNoteWinsInTheStoreToo(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.attach(core.Client{}), w.attach(core.Client{})
		late := w.late()
		a.Note(late, "room", "gone", []byte("1"))
		a.Note(late, "room", "kept", nil)
		b.Note(w.turn, "room", "gone", nil)
		b.Note(w.turn, "room", "kept", []byte("2"))
		w.end()
		late.End()
		w.end()
		all := ""
		for n, err := range w.router.Notes("room") {
			if err != nil {
				t.Fatal(err)
			}
			all += n.Key + "=" + string(n.Value) + " "
		}
		expect(t, "notes", all, "kept=2 ")
	})
}

func TestASessionThatIsResumedToEndWithItsConnectionLeavesNoRecord(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(durable("a"))
		a.sub("x", 1)
		a.Detach(w.turn, core.ConnectionLost)
		b := w.attach(core.Client{ID: "a"}) // expiry 0
		expect(t, "present", b.Present(), true)
		w.crash(core.Options{})
		w.sleep(time.Second)
		expect(t, "after a crash", w.store.count('s')+w.store.count('u'), 0)
		w.attach(durable("a")).Detach(w.turn, core.ConnectionLost)
		w.attach(core.Client{ID: "a"}).Detach(w.turn, core.Normal)
		w.end()
		expect(t, "after its end", w.store.count('s'), 0)
	})
}
