package mqtt

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// lock denies what the rules name once it is shut.
type lock struct {
	rules deny
	shut  atomic.Bool
}

func (l *lock) Authorize(p *core.Principal, a core.Action, name string) bool {
	return !l.shut.Load() || l.rules.Authorize(p, a, name)
}

func (l *lock) options(o *adaptertest.Options) {
	o.Core = func(c *core.Options) { c.Authorizer = l }
}

// close makes the rules hold.
func (l *lock) close(w *world) {
	l.shut.Store(true)
	w.Router.Recheck()
	w.Settle()
}

func TestSecurity_E6_AnAliasIsCheckedByItsNameEachTime(t *testing.T) {
	l := &lock{rules: deny{"publish t"}}
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "+")
		p := w.connect("p", v5)
		set := pub("t", "1", 1, 1)
		set.Properties.SetNum(packet.TopicAlias, 3)
		p.send(set)
		p.want("PUBACK #1")
		r.want(`PUBLISH q1 #2 t "1"`)
		l.close(w)
		again := pub("", "2", 1, 2)
		again.Properties.SetNum(packet.TopicAlias, 3)
		p.send(again)
		p.want("PUBACK #2 87")
		set = pub("t", "3", 1, 3) // denied, and an alias all the same
		set.Properties.SetNum(packet.TopicAlias, 4)
		p.send(set)
		p.want("PUBACK #3 87")
		l.shut.Store(false)
		w.Router.Recheck()
		w.Settle()
		again = pub("", "4", 1, 4)
		again.Properties.SetNum(packet.TopicAlias, 4)
		p.send(again)
		p.want("PUBACK #4")
		r.want(`PUBLISH q1 #3 t "4"`)
	}, l.options)
}

func TestSecurity_Z9_ASubscriptionWithoutItsRightEndsInSilence(t *testing.T) {
	l := &lock{rules: deny{"subscribe t"}}
	run(t, nil, func(w *world) {
		a := w.connect("a", v5)
		a.send(sub(1, "t", 1), sub(2, "u", 1))
		a.want("SUBACK #1 01", "SUBACK #2 01")
		p := w.connect("p", v5)
		l.close(w)
		p.send(pub("t", "no", 0, 0), pub("u", "yes", 0, 0))
		a.want(`PUBLISH u "yes"`)
		a.send(sub(3, "t", 1))
		a.want("SUBACK #3 87")
	}, l.options)
}

func TestSecurity_Z7_InFlightIsNotResentAfterARevoke(t *testing.T) {
	l := &lock{rules: deny{"deliver t"}}
	run(t, nil, func(w *world) {
		a := w.connect("a", v5, keep(100))
		a.send(sub(1, "+", 2))
		a.want("SUBACK #1 02")
		p := w.connect("p", v5)
		p.send(pub("t", "1", 1, 1), pub("t", "2", 2, 2), pub("t", "3", 2, 3), pub("u", "4", 1, 4))
		a.want(`PUBLISH q1 #2 t "1"`, `PUBLISH q2 #3 t "2"`, `PUBLISH q2 #4 t "3"`, `PUBLISH q1 #5 u "4"`)
		a.send(ack(packet.PUBREC, 4))
		a.want("PUBREL #4")
		a.Drop()
		l.close(w)
		a, got := w.resumes("a", v5, keep(100))
		if len(got) != 2 || got[0] != "PUBREL #4" || got[1] != `PUBLISH q1 #5 dup u "4"` {
			t.Errorf("%q", got)
		}
		a.send(ack(packet.PUBCOMP, 4), ack(packet.PUBACK, 5))
		a.Drop()
		if _, got = w.resumes("a", v5, keep(100)); len(got) != 0 {
			t.Errorf("%q", got)
		}
	}, l.options)
}

// whose denies everything of one user once it is shut, as for a user that was
// deleted.
type whose struct {
	user string
	shut atomic.Bool
}

func (x *whose) Authorize(p *core.Principal, _ core.Action, _ string) bool {
	return !x.shut.Load() || p.User != x.user
}

func TestSecurity_E5_AWillAndADelayedWillAfterARevoke(t *testing.T) {
	l := &lock{rules: deny{"will w", "publish v"}}
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "+")
		delay := setNum(packet.WillDelayInterval, 3)
		now := w.connect("now", v5, will("w", "no", 1, true))
		late := w.connect("late", v5, keep(100), will("w", "no", 1, false, delay))
		away := w.connect("away", v5, keep(100), will("w", "no", 1, false, delay))
		pub := w.connect("pub", v5, keep(100), will("v", "no", 1, false, delay))
		free := w.connect("free", v5, keep(100), will("u", "yes", 1, false, delay))
		away.Drop() // before: it is judged when it is due
		l.close(w)
		for _, p := range []*peer{now, late, pub, free} {
			p.Drop()
		}
		r.want()
		w.Advance(4 * time.Second)
		r.want(`PUBLISH q1 #2 u "yes"`)
		w.Advance(200 * time.Second)
		r.want()
		l.shut.Store(false) // nothing was kept for a better day, nor retained
		w.Router.Recheck()
		w.Settle()
		w.Advance(time.Second)
		r.want()
		again := w.connect("s", v5)
		again.send(sub(1, "w", 1))
		again.want("SUBACK #1 01")
	}, l.options)
}

func TestSecurity_E5_AWillAndADelayedWillOfAUserThatWasDeleted(t *testing.T) {
	gone := &whose{user: "gone"}
	run(t, nil, func(w *world) {
		r := w.reader("r", v5, "+")
		delay := setNum(packet.WillDelayInterval, 3)
		user := func(name string) connectOption {
			return func(c *packet.Connect) { c.HasUserName, c.UserName = true, []byte(name) }
		}
		now := w.connect("a", v5, user("gone"), will("w", "no", 1, false))
		late := w.connect("b", v5, keep(100), user("gone"), will("w", "no", 1, false, delay))
		other := w.connect("a", v5, user("other"), will("w", "yes", 1, false))
		gone.shut.Store(true)
		w.Router.Recheck()
		w.Settle()
		for _, p := range []*peer{now, late, other} {
			p.Drop()
		}
		r.want(`PUBLISH q1 #2 w "yes"`)
		w.Advance(200 * time.Second)
		r.want()
	}, func(o *adaptertest.Options) {
		o.Auth = byName{}
		o.Core = func(c *core.Options) { c.Authorizer = gone }
	})
}

// byName lets everybody in by the name that it gives.
type byName struct{}

func (byName) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	return &core.Principal{User: c.User, Namespace: core.DefaultNamespace, ClientID: c.ClientID}, core.OK
}
