package core_test

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

func TestSecurity_Z3_OfASharedSubscriptionTheFilterIsAskedFor(t *testing.T) {
	underLaw(t, func(w *world, l *law) {
		l.set(w, "a sub x", "a share y", "a sub $queue/q")
		a := w.attach(user("a", 0))
		for f, want := range map[string]core.Reason{
			"x": core.NotAuthorized, "$share/g/x": core.NotAuthorized, "$share/g/y": core.NotAuthorized, "$queue/q": core.NotAuthorized,
			"y": core.OK, "$share/g/z": core.OK, "$queue/z": core.OK,
		} {
			expect(t, f, a.sub(f, 0).Reason, want)
		}
		_, reason := a.JoinGroup(w.turn, "g", "x", core.ConsumeOptions{})
		expect(t, "join", reason, core.NotAuthorized)
		_, reason = a.Open(w.turn, core.QueueSpec{}, core.ConsumeOptions{}, core.Subscription{Filter: "z"}, core.Subscription{Filter: "x"})
		expect(t, "open", reason, core.NotAuthorized)
	})
}

func TestSecurity_Z10_WhatWasAcceptedBeforeARevokeIsDelivered(t *testing.T) {
	underLaw(t, func(w *world, l *law) {
		p, a := w.attach(user("p", 0)), w.attach(user("a", time.Hour))
		a.sub("x", 1)
		p.send("x", "m", retained)
		p.pub("x", "n", 1)
		l.set(w, "p pub x")
		expect(t, "from now on", p.pub("x", "o", 1), core.NotAuthorized)
		a.settle(core.Accepted, a.expect(9, "x=m/1 x=n/1")...)
		a.sub("x", 1)
		a.expect(9, "x=m/1r") // it stays until somebody clears it
	})
}

func TestSecurity_Z11_AWillIsCheckedAtConnectAndWhenItIsPublished(t *testing.T) {
	underLaw(t, func(w *world, l *law) {
		s := w.attach(core.Client{})
		s.sub("+", 0)
		client := func(id string) core.Client {
			c := user(id, time.Hour)
			m := core.NewMessage([]byte(id))
			m.Topic = "w"
			c.Will = &core.Will{Message: m}
			return c
		}
		a, b, c := w.attach(client("a")), w.attach(client("b")), w.attach(client("c"))
		l.set(w, "a will w", "b pub w")
		for _, x := range []*conn{a, b, c} {
			x.Detach(w.turn, core.ConnectionLost)
		}
		s.expect(9, "w=c")
		expect(t, "dropped", w.denials(), 2)
		for _, id := range []string{"a", "b"} {
			x := client(id)
			x.Clean = true
			_, reason := w.router.Attach(w.turn, x, deafSink{})
			expect(t, id, reason, core.NotAuthorized)
		}
		w.end()
		expect(t, "the stored sessions are as they were", w.attach(user("a", time.Hour)).Present(), true)
	})
}

func TestSecurity_E5_ADelayedMessageIsJudgedWhenItIsDue(t *testing.T) {
	l := &law{}
	o := core.Options{Authorizer: l}
	simulateWith(t, o, func(w *world) {
		p := w.attach(user("p", 0))
		for _, name := range []string{"x", "y"} {
			m := core.NewMessage([]byte("m"))
			m.Topic, m.QoS = name, 1
			_, _, reason := p.PublishLater(w.turn, m, time.Minute, 10)
			expect(t, name, reason, core.OK)
		}
		w.restart(o)
		l.set(w, "p pub x")
		s := w.attach(core.Client{})
		s.sub("+", 0)
		w.sleep(2 * time.Minute)
		s.expect(9, "y=m")
		expect(t, "dropped", w.denials(), 1)
	})
}
