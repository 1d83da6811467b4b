package core_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/core"
)

// later publishes after a time and waits until it is stored.
func (c *conn) later(topic, payload string, qos uint8, after time.Duration, set ...func(*core.Message)) core.Reason {
	c.w.t.Helper()
	_, _, reason := c.laterAsync(topic, payload, qos, after, set...)
	c.w.end()
	return reason
}

func (c *conn) laterAsync(topic, payload string, qos uint8, after time.Duration, set ...func(*core.Message)) (uint64, bool, core.Reason) {
	m := core.NewMessage([]byte(payload))
	m.Topic, m.QoS = topic, qos
	for _, f := range set {
		f(m)
	}
	return c.PublishLater(c.w.turn, m, after, 100)
}

func (w *world) delayed() int { return w.router.Stats().Namespaces[0].Delayed }

func TestADelayedMessageComesNeverEarlyAndAtMost100msLate(t *testing.T) {
	simulate(t, func(w *world) {
		r, p := w.attach(core.Client{}), w.attach(core.Client{})
		r.sub("a", 2)
		w.turn.End()
		time.Sleep(700 * time.Microsecond) // within a millisecond of the clock, and of a turn that goes on
		w.turn.Begin()
		time.Sleep(3*time.Millisecond + 300*time.Microsecond)
		begin := time.Now()
		expect(t, "accepted", p.later("a", "x", 1, time.Second), core.OK)
		time.Sleep(time.Until(begin.Add(time.Second - time.Nanosecond)))
		synctest.Wait()
		r.expect(9, "")
		time.Sleep(time.Millisecond)
		r.expect(9, "a=x/1")
		expect(t, "left", w.delayed(), 0)
	})
}

func TestDelayedMessagesOfEqualTimesKeepTheOrderOfEntry(t *testing.T) {
	simulate(t, func(w *world) {
		r, p := w.attach(core.Client{}), w.attach(core.Client{})
		r.sub("#", 1)
		var want []string
		for i := range 20 {
			p.laterAsync("a", fmt.Sprint(i), uint8(i%2), 5*time.Second)
			want = append(want, fmt.Sprintf("a=%d%s", i, []string{"", "/1"}[i%2]))
		}
		w.sleep(time.Second)
		for i := range 20 { // due at the same instant as those before them
			p.laterAsync("b", fmt.Sprint(i), 0, 4*time.Second)
			want = append(want, fmt.Sprintf("b=%d", i))
		}
		p.later("c", "first", 0, time.Second)
		w.sleep(time.Second)
		r.expect(99, "c=first")
		w.sleep(4 * time.Second)
		r.expect(99, strings.Join(want, " "))
	})
}

func TestADelayedMessageRunsItsRemainingTimeAfterARestart(t *testing.T) {
	simulate(t, func(w *world) {
		r, p := w.attach(durable("r")), w.attach(core.Client{})
		r.sub("a", 2)
		set := func(m *core.Message) {
			m.Meta = &core.Meta{ContentType: "text/plain", Headers: []core.Header{{Name: "k", Text: "v"}}}
		}
		p.later("a", "soon", 1, 10*time.Second)
		p.later("a", "2", 2, 100*time.Second, set)
		p.later("a", "0", 0, 100*time.Second)
		w.sleep(5 * time.Second)
		w.end()
		w.router.Close()
		time.Sleep(20 * time.Second) // "soon" is due while nobody runs
		w.open(core.Options{})
		expect(t, "kept", w.delayed(), 3)
		r = w.attach(durable("r"))
		r.settle(core.Accepted, r.expect(9, "a=soon/1")...)
		w.sleep(74999 * time.Millisecond)
		r.expect(9, "")
		w.sleep(time.Millisecond)
		got := r.expect(9, "a=2/2 a=0")
		expect(t, "content type", got[0].Message.Meta.ContentType, "text/plain")
		expect(t, "header", got[0].Message.Meta.Headers[0].Text, "v")
		r.settle(core.Accepted, got...)
		w.restart(core.Options{})
		expect(t, "once", w.delayed(), 0)
		w.attach(durable("r")).expect(9, "")
	})
}

func TestADelayedMessageOverTheRestartAlthoughNobodyRanForLong(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.attach(core.Client{Principal: &core.Principal{User: "u", Roles: []string{"r1", "r2"}, Method: "password"}})
		seen := make(chan string, 100)
		for i := range 3 {
			p.later("a", fmt.Sprint(i), 1, time.Duration(3-i)*time.Second, retained)
		}
		w.end()
		w.router.Close()
		time.Sleep(20 * time.Minute)
		w.open(core.Options{Authorizer: authorizerFunc(func(p *core.Principal, a core.Action, topic string) bool {
			seen <- p.User + " " + strings.Join(p.Roles, ",") + " " + p.Method
			return true
		})})
		w.end()
		expect(t, "who was asked about", <-seen, "u r1,r2 password")
		r := w.attach(core.Client{})
		r.sub("#", 1)
		r.expect(9, "a=0/1r") // in the order of time: the last that was due is retained
	})
}

type authorizerFunc func(*core.Principal, core.Action, string) bool

func (f authorizerFunc) Authorize(p *core.Principal, a core.Action, topic string) bool {
	return f(p, a, topic)
}

func TestTheRightsOfADelayedMessageAreAskedForTwice(t *testing.T) {
	var revoked atomic.Bool
	rule := authorizerFunc(func(_ *core.Principal, a core.Action, topic string) bool {
		return topic != "no" && a != core.ActionRetain && !(topic == "a" && revoked.Load())
	})
	simulateWith(t, core.Options{Authorizer: rule}, func(w *world) {
		r, p := w.attach(core.Client{}), w.attach(core.Client{})
		r.sub("#", 1)
		expect(t, "denied", p.later("no", "x", 1, time.Second), core.NotAuthorized)
		expect(t, "retain", p.later("a", "x", 1, time.Second, retained), core.NotAuthorized)
		expect(t, "reserved", p.later("$SYS/a", "x", 1, time.Second), core.NotAuthorized)
		expect(t, "nested", p.later("$delayed/1/a", "x", 1, time.Second), core.NotAuthorized)
		expect(t, "wildcard", p.later("a/#", "x", 1, time.Second), core.BadTopic)
		expect(t, "empty", p.later("", "x", 1, time.Second), core.BadTopic)
		expect(t, "allowed", p.later("a", "x", 1, time.Second), core.OK)
		w.end()
		revoked.Store(true)
		w.sleep(2 * time.Second)
		r.expect(9, "")
		expect(t, "counted", w.router.Stats().Dropped[core.DropDenied], 1)
		expect(t, "left", w.delayed(), 0)
	})
}

func TestDelayedMessagesAreBounded(t *testing.T) {
	simulateWith(t, core.Options{Limits: core.Limits{QueueBytes: 1000}}, func(w *world) {
		p := w.attach(core.Client{})
		later := func(payload string) core.Reason {
			m := core.NewMessage([]byte(payload))
			m.Topic = "a"
			_, _, reason := p.PublishLater(w.turn, m, time.Second, 3)
			return reason
		}
		for range 3 {
			expect(t, "below", later("x"), core.OK)
		}
		expect(t, "messages", later("x"), core.Quota)
		w.sleep(2 * time.Second)
		expect(t, "afterwards", later("x"), core.OK)
		expect(t, "bytes", later(strings.Repeat("x", 900)), core.Quota)
		w.sleep(2 * time.Second)
		expect(t, "one always fits", later(strings.Repeat("x", 2000)), core.OK)
		expect(t, "other namespaces have their own", w.router.Stats().Namespaces[0].DelayedBytes > 2000, true)
	})
}

func TestADelayedMessageExpiresFromItsEntry(t *testing.T) {
	simulate(t, func(w *world) {
		r, p := w.attach(core.Client{}), w.attach(core.Client{})
		r.sub("a", 1)
		expiring := func(d time.Duration) func(*core.Message) {
			return func(m *core.Message) { m.Expires = w.turn.Now.After(d) }
		}
		p.later("a", "gone", 1, 10*time.Second, expiring(9*time.Second))
		p.later("a", "here", 1, 10*time.Second, expiring(15*time.Second))
		w.sleep(11 * time.Second)
		got := r.expect(9, "a=here/1")
		left, _ := got[0].Message.Remaining(w.turn.Now, time.Second)
		expect(t, "seconds left", left, 4)
		expect(t, "counted", w.router.Stats().Dropped[core.DropExpired], 1)
	})
}

func TestRetainOfADelayedMessageTakesEffectWhenDue(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.attach(core.Client{})
		p.later("a", "new", 1, time.Second, retained)
		early := w.attach(core.Client{})
		early.sub("a", 1)
		early.expect(9, "")
		w.sleep(time.Second)
		early.expect(9, "a=new/1")
		late := w.attach(core.Client{})
		late.sub("a", 1)
		late.expect(9, "a=new/1r")
	})
}

func TestNoLocalHoldsForDelayedMessages(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(durable("a"))
		a.subscribe(core.Subscription{Filter: "x", QoS: 1, NoLocal: true})
		a.later("x", "mine", 1, time.Second)
		a.later("x", "mine", 1, 10*time.Second)
		w.attach(core.Client{}).later("x", "other", 1, time.Second)
		w.sleep(2 * time.Second)
		a.settle(core.Accepted, a.expect(9, "x=other/1")...)
		w.restart(core.Options{})
		a = w.attach(durable("a"))
		w.sleep(20 * time.Second)
		a.expect(9, "")
	})
}

func TestADelayedMessageIntoANamedQueue(t *testing.T) {
	simulateWith(t, core.Options{Authorizer: authorizerFunc(func(_ *core.Principal, a core.Action, topic string) bool {
		return a != core.ActionQueue || topic != "no"
	})}, func(w *world) {
		p := w.attach(core.Client{})
		expect(t, "may not make it", p.later("$queue/no", "x", 1, time.Second), core.NotAuthorized)
		expect(t, "made", p.later("$queue/q", "x", 1, time.Second), core.OK)
		if _, reason := p.Delete(w.turn, "q", false, false); reason != core.OK {
			t.Fatal(reason)
		}
		w.sleep(2 * time.Second) // made again
		r := w.attach(core.Client{})
		r.sub("$queue/q", 1)
		r.expect(9, "$queue/q=x/1")
	})
}

func TestADelayedMessageThatCannotBeStoredIsRefusedAndNotSent(t *testing.T) {
	simulate(t, func(w *world) {
		r, p := w.attach(core.Client{}), w.attach(core.Client{})
		r.sub("a", 2)
		p.later("a", "stored", 1, 5*time.Second)
		w.store.mu.Lock()
		w.store.err = errors.New("disk is full")
		w.store.mu.Unlock()
		seq, pending, reason := p.laterAsync("a", "lost", 2, time.Second)
		expect(t, "accepted", reason, core.OK)
		expect(t, "pending", pending, true)
		w.end()
		expect(t, "failed", p.Failed(seq), true)
		expect(t, "the next", p.later("a", "x", 1, time.Second), core.Unavailable)
		expect(t, "QoS 0 goes on", p.later("a", "0", 0, time.Second), core.OK)
		w.sleep(time.Minute)
		r.expect(9, "a=0")
		w.store.mu.Lock()
		w.store.err = nil
		w.store.mu.Unlock()
		w.restart(core.Options{})
		w.end()
		expect(t, "what was acknowledged", w.delayed(), 0) // sent at the start
		expect(t, "to nobody", w.router.Stats().Dropped[core.DropNoReceiver], 1)
	})
}

func TestDelayedMessagesStayForTheNextStartWhenWeStop(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.attach(core.Client{})
		p.later("a", "x", 1, time.Second)
		w.router.Stop()
		w.sleep(time.Minute)
		w.restart(core.Options{})
		w.end()
		expect(t, "sent by the next", w.router.Stats().Dropped[core.DropNoReceiver], 1)
	})
}

func TestManyDelayedMessagesOfOneInstantCostOneTimerAndComeAll(t *testing.T) {
	simulate(t, func(w *world) {
		r, p := w.attach(core.Client{}), w.attach(core.Client{})
		r.sub("#", 0)
		const n = 2000
		for i := range n {
			m := core.NewMessage([]byte(fmt.Sprint(i)))
			m.Topic = "a"
			if _, _, reason := p.PublishLater(w.turn, m, time.Second, n); reason != core.OK {
				t.Fatal(reason)
			}
		}
		w.sleep(time.Second)
		got := r.Inbox().Take(w.turn, make([]core.Delivery, 0, n), n)
		expect(t, "all", len(got), n)
		for i := range got {
			expect(t, "order", string(got[i].Message.Payload), fmt.Sprint(i))
		}
	})
}

// A queue that a "$queue/" subscription makes.

func TestAQueueOfASubscriptionEndsWhenItWasIdleForTheClientsTime(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{ID: "a", IdleQueue: time.Hour})
		a.sub("$queue/jobs/#", 1)
		p := w.attach(core.Client{})
		info, reason := p.Inspect("jobs/#")
		expect(t, "made", reason, core.OK)
		expect(t, "durable", info.Spec.Durable, true)
		_, _, _, _, reason = p.Declare(w.turn, core.QueueSpec{Name: "jobs/#", Durable: true})
		expect(t, "equal to one without arguments", reason, core.OK)
		a.Detach(w.turn, core.Normal)
		p.pub("jobs/1", "x", 1)
		w.sleep(48 * time.Hour)
		_, reason = p.Inspect("jobs/#")
		expect(t, "it holds a message", reason, core.OK)
		a = w.attach(core.Client{ID: "a"})
		a.sub("$queue/jobs/#", 1)
		a.settle(core.Accepted, a.expect(9, "jobs/1=x/1")...)
		w.sleep(48 * time.Hour)
		_, reason = p.Inspect("jobs/#")
		expect(t, "it has a consumer", reason, core.OK)
		a.Detach(w.turn, core.Normal)
		w.sleep(59 * time.Minute)
		_, reason = p.Inspect("jobs/#")
		expect(t, "before", reason, core.OK)
		w.restart(core.Options{})
		p = w.attach(core.Client{})
		w.sleep(2 * time.Hour)
		_, reason = p.Inspect("jobs/#")
		expect(t, "after", reason, core.NotFound)
	})
}

func TestADeletedQueueIsMadeAgainByTheNextSubscription(t *testing.T) {
	simulate(t, func(w *world) {
		a, p := w.attach(durable("a")), w.attach(core.Client{})
		a.sub("$queue/q", 1)
		p.Delete(w.turn, "q", false, false)
		a.expect(9, "")
		expect(t, "anew", a.sub("$queue/q", 1).Existed, false)
		p.pub("q", "x", 1)
		a.expect(9, "q=x/1")
	})
}
