package core_test

import (
	"testing"

	"github.com/entrepot/entrepot/core"
)

func TestAQueueIsMadeWhenItIsNeeded(t *testing.T) {
	simulate(t, func(w *world) {
		p, a := w.attach(core.Client{}), w.attach(core.Client{ID: "a"})
		if p.Inbox() != nil || a.Inbox() != nil {
			t.Fatal("who has subscribed to nothing has a queue")
		}
		a.Unfinished(func(core.Delivery) { t.Error("something is unfinished") })
		a.BoundQoS0(w.turn, 0)
		a.BoundQoS0(w.turn, 1)
		p.pub("x", "0", 1)
		if a.Inbox() != nil {
			t.Fatal("a queue for nothing")
		}
		a.sub("x", 1)
		p.pub("x", "1", 1)
		if a.Inbox() == nil {
			t.Fatal("no queue")
		}
		a.expect(9, "x=1/1")
		if w.attach(core.Client{ID: "d", Expiry: core.Forever}).Inbox() == nil {
			t.Error("a session that is stored has no queue")
		}
	})
}

// Without a queue there is nothing to tell a session by that was begun: the
// second attachment resumes it, with what the first said of its queue.
func TestASessionWithoutAQueueIsResumedAndEnds(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{ID: "a"})
		if a.Present() {
			t.Error("a new session was there before")
		}
		a.SetExpiry(w.turn, core.Forever)
		a.Detach(w.turn, core.Normal)
		again := w.attach(core.Client{ID: "a", Expiry: core.Forever})
		if !again.Present() || again.Inbox() != nil {
			t.Error("the session was not resumed as it was")
		}
		again.sub("x", 1)
		again.Detach(w.turn, core.Normal)
		w.attach(core.Client{}).pub("x", "1", 1)
		w.attach(core.Client{ID: "a"}).expect(9, "x=1/1")
	})
}

func TestALateQueueAsksForRights(t *testing.T) {
	rules := deniedReads{"secret": true}
	simulateWith(t, core.Options{Authorizer: rules}, func(w *world) {
		p, a := w.attach(core.Client{}), w.attach(core.Client{ID: "a"})
		a.sub("#", 1)
		p.pub("secret", "1", 1)
		p.pub("open", "2", 1)
		a.expect(9, "open=2/1")
	})
}
