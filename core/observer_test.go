package core_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// witness notes events, and asks core something that needs its locks.
type witness struct {
	w   *world
	all []string
}

func (o *witness) Observe(e core.Event) {
	o.w.router.Stats()
	kind := [...]string{"connected", "disconnected", "subscribed", "unsubscribed"}[e.Kind]
	s := e.Client.ID + " " + kind
	if e.Kind == core.EventDisconnected {
		s += " " + e.Reason.String()
	}
	if e.Subscription.Filter != "" {
		s += fmt.Sprintf(" %s/%d", e.Subscription.Filter, e.Subscription.QoS)
	}
	o.all = append(o.all, s)
}

func (o *witness) expect(want ...string) {
	o.w.t.Helper()
	expect(o.w.t, "events", fmt.Sprint(o.all), fmt.Sprint(want))
	o.all = nil
}

func TestEveryEventIsToldOnceAndOutsideOfLocks(t *testing.T) {
	o := &witness{}
	simulateWith(t, core.Options{Observer: o}, func(w *world) {
		o.w = w
		a := w.attach(durable("a"))
		o.expect("a connected")
		a.sub("x/#", 1)
		a.sub("$share/g/y", 2)
		a.sub("x/#/y", 1) // refused
		o.expect("a subscribed x/#/1", "a subscribed $share/g/y/2")
		a.Unsubscribe(w.turn, []string{"x/#", "never"}, nil)
		o.expect("a unsubscribed x/#/0")
		second := w.connect(durable("a"))
		o.expect()
		a.Detach(w.turn, core.TakenOver)
		w.end()
		o.expect("a disconnected "+core.TakenOver.String(), "a connected")
		second.Detach(w.turn, core.Normal)
		w.end()
		o.expect("a disconnected " + core.Normal.String())
		nobody := w.attach(core.Client{})
		nobody.sub("x", 0)
		nobody.Detach(w.turn, core.Normal)
		o.expect() // there is no name to tell it by
	})
}

func (w *world) system(topic, payload string) core.Reason {
	m := core.NewMessage([]byte(payload))
	m.Topic, m.Retain = topic, true
	return w.router.PublishSystem(w.turn, "", m)
}

func TestY1_WhatTheGatewaySaysOfItselfIsRetainedInMemoryOnly(t *testing.T) {
	simulateWith(t, core.Options{Limits: core.Limits{Retained: 1, RetainedBytes: 200}}, func(w *world) {
		for i := range 10 {
			expect(t, "publish", w.system(fmt.Sprintf("$SYS/broker/%d", i), "v"), core.NoReceiver)
		}
		w.end()
		expect(t, "records", len(w.store.m), 0)
		stats := w.router.Stats()
		ns := stats.Namespaces[0]
		expect(t, "retained", fmt.Sprint(ns.Retained, ns.RetainedBytes, ns.System), "0 0 10")
		expect(t, "drops", stats.Dropped[core.DropNoReceiver], 0)

		c := w.attach(core.Client{ID: "c"})
		expect(t, "a client's retained message", c.send("mine", "1", retained), core.NoReceiver)
		expect(t, "one more", c.send("more", "1", retained), core.Quota)
		c.sub("#", 0)
		c.sub("+/broker/#", 0)
		c.expect(100, "mine=1r")
		c.sub("$SYS/broker/+", 0)
		expect(t, "all of $SYS", len(c.expect(100, func() (s string) {
			for i := range 10 {
				s += fmt.Sprintf(" $SYS/broker/%d=vr", i)
			}
			return s[1:]
		}())), 10)
		w.system("$SYS/broker/1", "w")
		c.expect(100, "$SYS/broker/1=w")
		w.system("$SYS/broker/1", "")
		c.expect(100, "$SYS/broker/1=")
		expect(t, "left", w.router.Stats().Namespaces[0].System, 9)
		expect(t, "a client", c.pub("$SYS/broker/1", "x", 0), core.NotAuthorized)

		w.restart(core.Options{})
		expect(t, "after a restart", w.router.Stats().Namespaces[0].System, 0)
	})
}

func TestStatsCountTheMembersOfGroups(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.attach(durable("a")), w.attach(durable("b"))
		a.sub("$share/g/x", 1)
		b.sub("$share/g/x", 1)
		b.sub("$share/h/x", 1)
		a.sub("x", 1)
		w.sleep(time.Second)
		ns := w.router.Stats().Namespaces[0]
		expect(t, "groups, members, subscriptions", fmt.Sprint(ns.Groups, ns.Members, ns.Subscriptions), "2 3 3")
	})
}

// located is a sink that knows where its peer is.
type located struct{ core.Sink }

func (located) PeerAddr() string { return "192.0.2.1:7" }

func TestASinkThatKnowsTheAddressIsAsked(t *testing.T) {
	simulate(t, func(w *world) {
		for _, sink := range []core.Sink{nowhere{}, located{nowhere{}}} {
			s, r := w.router.Attach(w.turn, core.Client{ID: "a", Protocol: "p", Addr: "here"}, sink)
			if r != core.OK {
				t.Fatal(r)
			}
			want := "here"
			if _, ok := sink.(core.Addressed); ok {
				want = "192.0.2.1:7"
			}
			expect(t, "the address", s.Addr(), want)
			expect(t, "the protocol", s.Protocol(), "p")
			expect(t, "the client", s.ClientID(), "a")
			s.Detach(w.turn, core.Normal)
		}
	})
}

type nowhere struct{}

func (nowhere) Ready(*core.Turn)  {}
func (nowhere) Evict(core.Reason) {}
