package core_test

import (
	"slices"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// byRole allows what the principal's roles name.
type byRole struct{}

func (byRole) Authorize(p *core.Principal, _ core.Action, topic string) bool {
	return slices.Contains(p.Roles, topic)
}

func TestALaterLoginBringsItsOwnRights(t *testing.T) {
	simulateWith(t, core.Options{Authorizer: byRole{}}, func(w *world) {
		who := func(roles ...string) *core.Principal {
			return &core.Principal{Namespace: core.DefaultNamespace, User: "u", Roles: roles}
		}
		c := durable("a")
		c.Principal = who("old", "both", "read")
		a := w.attach(c)
		a.sub("read", 1)
		c.ID, c.Principal = "b", who("read")
		b := w.attach(c)
		b.pub("read", "x", 0)
		a.expect(9, "read=x")
		expect(t, "may publish", a.pub("old", "x", 0).Err(), nil)
		expect(t, "may not yet", a.pub("new", "x", 0), core.NotAuthorized)
		expect(t, "of the run", a.pub("old", "x", 0).Err(), nil)
		expect(t, "renewed", a.Renew(who("new", "both")), core.OK)
		expect(t, "a run of one topic ends", a.pub("old", "x", 0), core.NotAuthorized)
		expect(t, "may now", a.pub("new", "x", 0).Err(), nil)
		expect(t, "who", a.Principal().Roles[0], "new")

		b.pub("read", "x", 0)
		a.expect(9, "") // without the right
	})
}

func TestALaterLoginOfAnotherIsRefused(t *testing.T) {
	simulate(t, func(w *world) {
		c := durable("a")
		c.Principal = &core.Principal{User: "u"}
		a := w.attach(c)
		expect(t, "another user", a.Renew(&core.Principal{User: "v"}), core.NotAuthorized)
		expect(t, "another namespace", a.Renew(&core.Principal{User: "u", Namespace: "n"}), core.NotAuthorized)
		expect(t, "nobody", a.Renew(nil), core.NotAuthorized)
		expect(t, "the same by its full name", a.Renew(&core.Principal{User: "u", Namespace: core.DefaultNamespace}), core.OK)
	})
}
