package core_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
)

// law is an authorizer whose denials a test changes: "user verb topic", where a
// verb is pub, retain, sub, share, read, will or queue.
type law struct {
	mu     sync.Mutex
	denied map[string]bool
	asked  int
	open   bool
}

var verbOf = [core.ActionCount]string{"pub", "retain", "sub", "share", "read", "will", "queue"}

func (l *law) Authorize(p *core.Principal, a core.Action, name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	return !l.denied[p.User+" "+verbOf[a]+" "+name]
}

// Free tells that no reading below the filter is denied.
func (l *law) Free(p *core.Principal, filter string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for d := range l.denied {
		if name, ok := strings.CutPrefix(d, p.User+" read "); ok && topic.Covers(filter, name) {
			return false
		}
	}
	return true
}

func (l *law) Open() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// unFree is a law that is asked about every topic.
type unFree struct{ *law }

func (unFree) Free(*core.Principal, string) bool { return false }

// questions counts what was asked since the last call.
func (l *law) questions() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.asked
	l.asked = 0
	return n
}

// set replaces what is denied, and says so.
func (l *law) set(w *world, denied ...string) {
	l.mu.Lock()
	l.denied = map[string]bool{}
	for _, d := range denied {
		l.denied[d] = true
	}
	l.mu.Unlock()
	w.end()
	w.router.Recheck()
	w.end()
}

// user is a client of its own user.
func user(id string, expiry time.Duration) core.Client {
	return core.Client{ID: id, Expiry: expiry, Principal: &core.Principal{Namespace: core.DefaultNamespace, User: id}}
}

// underLaw runs a test with both ways of asking.
func underLaw(t *testing.T, fn func(w *world, l *law)) {
	t.Helper()
	for name, wrap := range map[string]func(*law) core.Authorizer{
		"by mark": func(l *law) core.Authorizer { return l }, "by topic": func(l *law) core.Authorizer { return unFree{l} },
	} {
		t.Run(name, func(t *testing.T) {
			l := &law{}
			simulateWith(t, core.Options{Authorizer: wrap(l)}, func(w *world) { fn(w, l) })
		})
	}
}

func (w *world) denials() uint64 { return w.router.Stats().Dropped[core.DropDenied] }

func TestSecurity_Z7_QueuedBeforeARevokeIsNotDelivered(t *testing.T) {
	underLaw(t, func(w *world, l *law) {
		p, a := w.attach(core.Client{}), w.attach(user("a", time.Hour))
		a.sub("x/+", 2)
		for qos := range uint8(3) {
			p.pub("x/1", "no", qos)
			p.pub("x/2", "yes", qos)
		}
		l.set(w, "a read x/1")
		a.expect(9, "x/2=yes x/2=yes/1 x/2=yes/2")
		expect(t, "dropped", w.denials(), 3)
		expect(t, "left", w.router.Stats().Namespaces[0].QueueMessages, 3-1) // QoS 1 and 2 in flight
	})
}

func TestSecurity_Z7_WhatWasSentIsNotSentAgainAfterARevoke(t *testing.T) {
	underLaw(t, func(w *world, l *law) {
		p, a := w.attach(core.Client{}), w.attach(user("a", time.Hour))
		a.sub("x/+", 2)
		for qos := uint8(1); qos < 3; qos++ {
			p.pub("x/1", "no", qos)
			p.pub("x/2", "yes", qos)
		}
		a.expect(9, "x/1=no/1 x/2=yes/1 x/1=no/2 x/2=yes/2")
		a.Detach(w.turn, core.ConnectionLost)
		l.set(w, "a read x/1")
		a = w.attach(user("a", time.Hour))
		a.settle(core.Accepted, a.expect(9, "x/2=yes/1+ x/2=yes/2+")...)
		expect(t, "dropped", w.denials(), 2)
		expect(t, "settled", w.router.Stats().Namespaces[0].QueueMessages, 0)
		w.restart(core.Options{Authorizer: l})
		w.attach(user("a", time.Hour)).expect(9, "") // their records are gone too
	})
}

func TestSecurity_Z7_AQoS2ExchangeThatWasReceivedIsCompleted(t *testing.T) {
	underLaw(t, func(w *world, l *law) {
		p, a := w.attach(core.Client{}), w.attach(user("a", time.Hour))
		p.send("r/1", "old", func(m *core.Message) { m.Retain, m.QoS = true, 2 })
		a.sub("r/1", 2)
		a.sub("x/1", 2)
		p.pub("x/1", "no", 2)
		for _, d := range a.expect(9, "r/1=old/2r x/1=no/2") {
			d.Consumer.Settle(w.turn, d.Seq, core.Received)
		}
		w.end()
		a.Detach(w.turn, core.ConnectionLost)
		l.set(w, "a read x/1", "a read r/1", "a sub x/1", "a sub r/1")
		a = w.attach(user("a", time.Hour))
		a.settle(core.Accepted, a.expect(9, "r/1=old/2r+R x/1=no/2+R")...)
		expect(t, "dropped", w.denials(), 0)
	})
}

func TestSecurity_Z7_RetainedIsReplayedWithTheRightsOfNow(t *testing.T) {
	underLaw(t, func(w *world, l *law) {
		p, a := w.attach(core.Client{}), w.attach(user("a", time.Hour))
		for i := range 4 {
			p.send(fmt.Sprint("r/", i), "v", retained)
		}
		a.sub("r/+", 1)
		a.expect(2, "r/0=v/1r r/1=v/1r")
		l.set(w, "a read r/3", "a read r/1")
		expect(t, "the walk goes on", text(a.Inbox().Take(w.turn, make([]core.Delivery, 0, 9), 9)), "r/2=v/1r")
		a.Detach(w.turn, core.ConnectionLost)
		a = w.attach(user("a", time.Hour))
		a.expect(9, "r/0=v/1r+ r/2=v/1r+") // and r/1, which was on its way, is gone
		_, reason := a.Retained(w.turn, "r/3")
		expect(t, "by name", reason, core.NotAuthorized)
	})
}

func TestSecurity_Z8_StoredSubscriptionsAreAskedForAgainOnResume(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart ", restart), func(t *testing.T) {
			l := &law{}
			var lines bytes.Buffer
			o := core.Options{Authorizer: l, Log: slog.New(slog.NewTextHandler(&lines, nil))}
			simulateWith(t, o, func(w *world) {
				p, a := w.attach(core.Client{}), w.attach(user("a", time.Hour))
				for _, f := range []string{"x", "y", "$share/g/x", "$share/g/y", "$share/h/z", "$queue/x", "$queue/y"} {
					a.sub(f, 1)
				}
				a.Detach(w.turn, core.ConnectionLost)
				p.pub("x", "queued", 1)
				l.set(w, "a sub x", "a share z", "a sub $queue/x", "a read x")
				if restart {
					w.restart(o)
					p = w.attach(core.Client{})
				}
				a = w.attach(user("a", time.Hour))
				expect(t, "present", a.Present(), true)
				for f, want := range map[string]bool{"x": false, "y": true, "$share/g/x": false, "$share/g/y": true, "$share/h/z": false, "$queue/x": false, "$queue/y": true} {
					expect(t, f, a.Subscribed(f), want)
				}
				a.expect(9, "")
				p.pub("x", "live", 1)
				p.pub("z", "live", 1)
				a.expect(9, "")
				expect(t, "lines", strings.Count(lines.String(), `msg=acl.denied action=resume namespace=default user=a client=a topic=`), 4)
				l.set(w)
				w.crash(o) // they have left the store
				a = w.attach(user("a", time.Hour))
				expect(t, "left", len(a.Subscriptions()), 3)
			})
		})
	}
}

func TestSecurity_Z9_SubscriptionsEndWhenTheirRightDoes(t *testing.T) {
	l := &law{}
	o := &witness{}
	var lines bytes.Buffer
	simulateWith(t, core.Options{Authorizer: l, Observer: o, Log: slog.New(slog.NewTextHandler(&lines, nil))}, func(w *world) {
		o.w = w
		p, a := w.attach(core.Client{}), w.attach(user("a", time.Hour))
		for _, f := range []string{"x", "y", "$share/g/x", "$queue/x"} {
			a.sub(f, 1)
		}
		b := w.attach(core.Client{Principal: user("a", 0).Principal}) // of a connection that has no name
		b.sub("x", 0)
		o.all = nil
		l.set(w, "a sub x", "a sub $queue/x")
		expect(t, "left", fmt.Sprint(a.Subscriptions()), fmt.Sprint([]core.Subscription{{Filter: "y", QoS: 1}}))
		expect(t, "of b", len(b.Subscriptions()), 0)
		expect(t, "events", len(o.all), 3)
		expect(t, "lines", strings.Count(lines.String(), "msg=acl.denied action=recheck"), 4)
		p.pub("x", "m", 1)
		p.pub("y", "m", 1)
		a.expect(9, "y=m/1")
		b.expect(9, "")
		l.set(w)
		expect(t, "it stays ended", a.Subscribed("x"), false)
		expect(t, "but may be had again", a.sub("x", 1).Reason, core.OK)
	})
}

func TestSecurity_Z9_ConsumersAreClosedWithNotAuthorized(t *testing.T) {
	l := &law{}
	simulateWith(t, core.Options{Authorizer: l}, func(w *world) {
		p, a, b := w.attach(core.Client{}), w.attach(user("a", 0)), w.attach(user("b", 0))
		p.Declare(w.turn, core.QueueSpec{Name: "q"})
		private, _ := a.Open(w.turn, core.QueueSpec{}, core.ConsumeOptions{QoS: 1}, core.Subscription{Filter: "x"}, core.Subscription{Filter: "y"})
		group, _ := a.JoinGroup(w.turn, "g", "x", core.ConsumeOptions{QoS: 1})
		named, _ := a.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
		kept, _ := a.Open(w.turn, core.QueueSpec{}, core.ConsumeOptions{QoS: 1}, core.Subscription{Filter: "y", QoS: 1})
		p.pub("$queue/q", "m", 1)
		held := a.expect(9, "$queue/q=m/1")
		b.Consume(w.turn, "q", core.ConsumeOptions{QoS: 1})
		b.expect(9, "")
		a.told()
		l.set(w, "a sub x", "a sub $queue/q")
		expect(t, "told", a.told(), true)
		closed := map[*core.Consumer]bool{}
		for c := a.NextReady(); c != nil; c = a.NextReady() {
			reason, is := c.Closed()
			expect(t, "reason", reason, core.NotAuthorized)
			closed[c] = is
		}
		expect(t, "closed", fmt.Sprint(closed[private], closed[group], closed[named], closed[kept]), "true true true false")
		b.expect(9, "$queue/q=m/1+") // what it held goes on
		a.settle(core.Accepted, held...)
		for _, c := range []*core.Consumer{private, group, named} {
			expect(t, "takes", len(c.Take(w.turn, make([]core.Delivery, 0, 9), 9)), 0)
			c.Cancel(w.turn)
		}
		expect(t, "groups", w.router.Stats().Namespaces[0].Groups, 0)
		p.pub("x", "m", 1)
		p.pub("y", "m", 1)
		a.expect(9, "y=m/1")
		a.Detach(w.turn, core.Normal)
		expect(t, "subscriptions", w.router.Stats().Namespaces[0].Subscriptions, 0)
	})
}

func TestSecurity_Z9_APublisherAsksAgainAfterAChange(t *testing.T) {
	underLaw(t, func(w *world, l *law) {
		p, a := w.attach(user("p", 0)), w.attach(user("a", 0))
		a.sub("x/+", 0)
		for range 3 {
			expect(t, "allowed", p.pub("x/1", "m", 0), core.OK)
			expect(t, "allowed", p.pub("x/2", "m", 0), core.OK)
		}
		l.set(w, "p pub x/2")
		for range 2 { // E6: whatever was kept, an alias or a route
			expect(t, "denied", p.pub("x/2", "m", 0), core.NotAuthorized)
			expect(t, "denied", p.pub("x/2", "m", 0), core.NotAuthorized)
			expect(t, "allowed", p.pub("x/1", "m", 0), core.OK)
		}
		l.set(w, "p pub x/1")
		expect(t, "denied", p.pub("x/1", "m", 0), core.NotAuthorized)
		expect(t, "allowed", p.pub("x/2", "m", 0), core.OK)
		l.set(w)
		expect(t, "allowed", p.pub("x/1", "m", 0), core.OK)
	})
}

func TestSecurity_Z9_TheRulesBegin(t *testing.T) {
	l := &law{open: true, denied: map[string]bool{"a sub x": true, "a pub y": true}}
	simulateWith(t, core.Options{Authorizer: l}, func(w *world) {
		a := w.attach(user("a", time.Hour))
		a.sub("x", 1)
		expect(t, "open", a.pub("y", "m", 0), core.NoReceiver)
		expect(t, "nothing is asked", l.questions(), 0)
		l.mu.Lock()
		l.open = false
		l.mu.Unlock()
		l.set(w, "a sub x", "a pub y")
		expect(t, "closed", a.pub("y", "m", 0), core.NotAuthorized)
		expect(t, "ended", a.Subscribed("x"), false)
	})
}

func TestSecurity_Z9_AHundredThousandSubscriptionsAreLookedAtSoon(t *testing.T) {
	l := &law{}
	r, err := core.New(core.Options{Store: newMapStore(), Authorizer: l})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	turn := r.NewTurn(nil)
	var all []*core.Session
	for i := range 1000 {
		s, _ := r.Attach(turn, user(fmt.Sprint("c", i), 0), deafSink{})
		subs := make([]core.Subscription, 100)
		for j := range subs {
			subs[j].Filter = fmt.Sprintf("f/%d/%d", j, i)
		}
		s.Subscribe(turn, subs, nil)
		all = append(all, s)
	}
	l.mu.Lock()
	l.denied = map[string]bool{"c999 sub f/99/999": true}
	l.mu.Unlock()
	start := time.Now()
	r.Recheck()
	for all[999].Subscribed("f/99/999") {
		if time.Since(start) > 10*time.Second { // a fraction of a second on a machine that does nothing else
			t.Fatal("it is not over")
		}
		all[0].Subscribed("f/0/0") // nobody waits for the walk
	}
	t.Log(time.Since(start))
	expect(t, "left", r.Stats().Namespaces[0].Subscriptions, 100_000-1)
}

func TestSecurity_Z9_ChangesThatNeverEndDoNotKeepTheWalkFromItsEnd(t *testing.T) {
	l := &law{}
	simulateWith(t, core.Options{Authorizer: l}, func(w *world) {
		a := w.attach(user("a", 0))
		for i := range 2000 {
			a.sub(fmt.Sprint("x/", i), 0)
		}
		l.mu.Lock()
		l.denied = map[string]bool{"a sub x/7": true}
		l.mu.Unlock()
		for range 100 {
			w.router.Recheck()
		}
		w.end()
		expect(t, "left", len(a.Subscriptions()), 1999)
	})
}

func TestSecurity_Z6_WhatIsFreeIsNotAskedFor(t *testing.T) {
	l := &law{}
	simulateWith(t, core.Options{Authorizer: l}, func(w *world) {
		p, a := w.attach(user("p", 0)), w.attach(user("a", time.Hour))
		a.sub("x/+", 0)
		g, _ := a.JoinGroup(w.turn, "g", "x/#", core.ConsumeOptions{})
		l.questions()
		deliver := func(n int) {
			for i := range n {
				p.pub(fmt.Sprint("x/", i), "m", 0)
				a.take(9)
			}
		}
		deliver(50)
		expect(t, "publishes", l.questions(), 50)
		deliver(4)
		_, closed := g.Closed()
		expect(t, "closed", closed, false)
		l.set(w, "a read x/1")
		l.questions()
		deliver(50)
		expect(t, "by topic once: the publisher, and both of the readers", l.questions(), 150)
		l.set(w)
		l.questions()
		deliver(50)
		expect(t, "free again", l.questions(), 50)
	})
}

func TestSecurity_Z6_DecisionsAreKept(t *testing.T) {
	l := &law{}
	simulateWith(t, core.Options{Authorizer: unFree{l}}, func(w *world) {
		p, a := w.attach(user("p", 0)), w.attach(user("a", 0))
		a.sub("x/+", 0)
		round := func() {
			for i := range 8 {
				p.pub(fmt.Sprint("x/", i), "m", 0)
				a.take(9)
			}
		}
		for range 200 {
			round() // until what is kept has room for all
		}
		l.questions()
		for range 10 {
			round()
		}
		if n := l.questions(); n > 80 { // two topics may share a place
			t.Errorf("%d questions for 160 decisions", n)
		}
		for i := range 5000 {
			p.pub(fmt.Sprint("x/", i), "m", 0)
			a.take(9)
		}
		publish, deliver := core.KeptDecisions(p.Session), core.KeptDecisions(a.Session)
		expect(t, "bounds", fmt.Sprint(publish[0], deliver[1]), "64 1024")
	})
}

func TestSecurity_E2_DeniedTopicsBelowAGrantedFilterAreNeverDelivered(t *testing.T) {
	underLaw(t, func(w *world, l *law) {
		l.set(w, "a read x/secret")
		p := w.attach(core.Client{})
		p.send("x/secret", "r", retained)
		p.send("x/open", "r", retained)
		a := w.attach(user("a", time.Hour))
		a.sub("x/#", 1)
		a.sub("+/secret", 1) // overlapping
		a.sub("$share/g/#", 1)
		a.settle(core.Accepted, a.expect(9, "x/open=r/1r")...)
		p.pub("x/secret", "live", 1)
		a.expect(9, "")
		a.Detach(w.turn, core.ConnectionLost)
		p.pub("x/secret", "queued", 1)
		w.attach(user("a", time.Hour)).expect(9, "")
	})
}

func TestSecurity_E3_AGroupsMessageGoesToAMemberThatMaySeeIt(t *testing.T) {
	underLaw(t, func(w *world, l *law) {
		p, a, b := w.attach(core.Client{}), w.attach(user("a", 0)), w.attach(user("b", 0))
		l.set(w, "a read x")
		a.sub("$share/g/+", 1)
		b.sub("$share/g/+", 1)
		a.expect(9, "")
		b.expect(0, "") // has no room
		for range 3 {
			p.pub("x", "m", 1)
		}
		a.expect(9, "")
		l.set(w, "b read x")                             // the other way round
		a.settle(core.Accepted, a.expect(9, "x=m/1")...) // b was woken first: the rest is spared for it
		b.expect(9, "")
		a.settle(core.Accepted, a.expect(9, "x=m/1 x=m/1")...)
		p.pub("x", "n", 1)
		b.expect(9, "")
		a.expect(9, "x=n/1")
		expect(t, "dropped", w.denials(), 0)
	})
}

func TestSecurity_E5_AWillIsJudgedByWhoeverSetItAlsoAfterARestart(t *testing.T) {
	will := func(id string) core.Client {
		c := user(id, time.Hour)
		c.Principal.Roles, c.Principal.Method = []string{"will/" + id}, "jwt"
		c.Principal.ClientID, c.Principal.OwnsID, c.Principal.Attrs = id, true, map[string]string{"site": "7"}
		m := core.NewMessage([]byte("gone"))
		m.Topic = "will/" + id
		c.Will = &core.Will{Message: m, Delay: time.Minute}
		return c
	}
	var mu sync.Mutex
	deleted := false
	byLogin := authorizerFunc(func(p *core.Principal, a core.Action, name string) bool {
		mu.Lock()
		defer mu.Unlock()
		if p.User == "anonymous" {
			return true
		}
		return p.Method == "jwt" && p.OwnsID && p.ClientID == p.User && p.Attrs["site"] == "7" && p.Roles[0] == name && !(deleted && p.User == "b")
	})
	o := core.Options{Authorizer: byLogin}
	simulateWith(t, o, func(w *world) {
		for _, id := range []string{"a", "b"} {
			w.attach(will(id)).Detach(w.turn, core.ConnectionLost)
		}
		w.restart(o)
		mu.Lock()
		deleted = true
		mu.Unlock()
		w.router.Recheck()
		s := w.attach(core.Client{})
		s.sub("will/+", 0)
		w.sleep(2 * time.Minute)
		s.expect(9, "will/a=gone")
		expect(t, "dropped", w.denials(), 1)
	})
}

func TestSecurity_E8_NamesOfTheGatewayAreNotPublishedTo(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.attach(core.Client{})
		for _, name := range []string{"$SYS/x", "$dead/q", "$share/g/x", "$anything"} {
			expect(t, name, p.pub(name, "m", 0), core.NotAuthorized)
			_, reason := p.RouteQueues(w.turn, name)
			expect(t, name+" straight", reason, core.NotAuthorized)
			m := core.NewMessage(nil)
			m.Topic = name
			c := user("w", 0)
			c.Will = &core.Will{Message: m}
			_, reason = w.router.Attach(w.turn, c, deafSink{})
			expect(t, name+" as a will", reason, core.NotAuthorized)
		}
	})
}
