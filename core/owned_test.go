package core_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

func of(who, id string, expiry time.Duration) core.Client {
	c := user(who, expiry)
	c.ID = id
	return c
}

func (w *world) refused(c core.Client) core.Reason {
	w.t.Helper()
	s, reason := w.router.Attach(w.turn, c, deafSink{})
	if s != nil {
		s.Detach(w.turn, core.Normal)
	}
	w.end()
	return reason
}

func TestSecurity_L17_StoredSessionsOfAPrincipalAreLimited(t *testing.T) {
	o := core.Options{Limits: core.Limits{PrincipalSessions: 2}}
	simulateWith(t, o, func(w *world) {
		w.attach(of("u", "1", time.Hour))
		w.attach(of("u", "2", time.Hour)).Detach(w.turn, core.ConnectionLost)
		expect(t, "a third", w.refused(of("u", "3", time.Hour)), core.Quota)
		expect(t, "one that does not last", w.refused(of("u", "3", 0)), core.OK)
		w.attach(of("u", "4", 0))
		expect(t, "made to last by a takeover", w.refused(of("u", "4", time.Hour)), core.Quota)
		expect(t, "one that exists", w.refused(of("u", "2", time.Hour)), core.OK)
		expect(t, "another principal's", w.refused(of("v", "3", time.Hour)), core.OK)
		for i := range 5 {
			expect(t, "nobody's", w.refused(core.Client{ID: fmt.Sprint("x", i), Expiry: time.Hour}), core.OK)
		}
		w.restart(o)
		expect(t, "after a restart", w.refused(of("u", "3", time.Hour)), core.Quota)
		w.attach(of("u", "1", 0)).Detach(w.turn, core.Normal) // ends
		w.end()
		expect(t, "in its place", w.refused(of("u", "3", time.Hour)), core.OK)
		expect(t, "one too many", w.refused(of("u", "1", time.Hour)), core.Quota)
		w.sleep(2 * time.Hour)
		expect(t, "after the others' time", w.refused(of("u", "1", time.Hour)), core.OK)
	})
}

func TestSecurity_F5_CleanStartsOfAnotherPrincipalAreItsOwnAffair(t *testing.T) {
	simulateWith(t, core.Options{Limits: core.Limits{PrincipalSessions: 10}}, func(w *world) {
		owner := w.attach(of("owner", "id", time.Hour))
		owner.sub("x", 1)
		thief := of("thief", "id", time.Hour)
		thief.Clean = true
		for range 100_000 {
			s, reason := w.router.Attach(w.turn, thief, deafSink{})
			if reason != core.OK || s.Present() {
				t.Fatal(reason)
			}
			s.Detach(w.turn, core.ConnectionLost)
		}
		w.end()
		for i := range 2000 {
			thief.ID = fmt.Sprint("id", i)
			if s, _ := w.router.Attach(w.turn, thief, deafSink{}); s != nil {
				s.Detach(w.turn, core.ConnectionLost)
			}
		}
		w.end()
		n := w.router.Stats().Namespaces[0]
		expect(t, "sessions", fmt.Sprint(n.Connected, n.Offline), "1 10")
		expect(t, "evicted", owner.evicted, core.OK)
		w.attach(core.Client{}).pub("x", "m", 1)
		owner.expect(9, "x=m/1")
	})
}

func TestSecurity_L19_RetainedMessagesOfAPrincipalAreLimited(t *testing.T) {
	o := core.Options{Limits: core.Limits{PrincipalRetained: 2}}
	simulateWith(t, o, func(w *world) {
		u, v, all := w.attach(of("u", "u", 0)), w.attach(of("v", "v", 0)), w.attach(core.Client{})
		all.sub("#", 1)
		keep := func(c *conn, name, payload string) core.Reason { return c.send(name, payload, retained) }
		expect(t, "1", keep(u, "1", "x").Err(), nil)
		expect(t, "2", keep(u, "2", "x").Err(), nil)
		all.settle(core.Accepted, all.expect(9, "1=x/1 2=x/1")...)
		expect(t, "3", keep(u, "3", "x"), core.Quota)
		all.expect(9, "") // half a publish is none
		expect(t, "a new value", keep(u, "2", "y").Err(), nil)
		expect(t, "of another", keep(v, "3", "x").Err(), nil)
		for i := range 5 {
			expect(t, "nobody's", keep(all, fmt.Sprint("a", i), "x").Err(), nil)
		}
		w.restart(o)
		u, v = w.attach(of("u", "u", 0)), w.attach(of("v", "v", 0))
		expect(t, "after a restart", keep(u, "3", "x"), core.Quota)
		expect(t, "takes a topic over", keep(v, "1", "x").Err(), nil)
		expect(t, "which is a place", keep(u, "4", "x").Err(), nil)
		expect(t, "v has two", keep(v, "5", "x"), core.Quota)
		expect(t, "clears", keep(v, "3", "").Err(), nil)
		brief := func(m *core.Message) { m.Retain, m.QoS, m.Expires = true, 1, w.turn.Now.After(time.Second) }
		expect(t, "for a second", v.send("5", "x", brief).Err(), nil)
		expect(t, "v has two", keep(v, "6", "x"), core.Quota)
		w.sleep(3 * time.Minute)
		expect(t, "its time was over", keep(v, "6", "x").Err(), nil)
		will := of("u", "w", 0)
		m := core.NewMessage([]byte("x"))
		m.Topic, m.Retain = "7", true
		will.Will = &core.Will{Message: m}
		w.attach(will).Detach(w.turn, core.ConnectionLost)
		_, reason := u.Retained(w.turn, "7")
		expect(t, "a will is a publish", reason, core.NotFound)
	})
}
