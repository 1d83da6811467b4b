package core_test

import (
	"testing"

	"github.com/entrepot/entrepot/core"
)

func TestHoldsTellsWhetherAnAttachmentWouldEvict(t *testing.T) {
	simulate(t, func(w *world) {
		c := core.Client{ID: "c", Expiry: core.Forever}
		other := c
		other.Principal = &core.Principal{User: "other"}
		if w.router.Holds(c) || w.router.Holds(core.Client{}) {
			t.Error("held by nobody")
		}
		s := w.attach(c)
		if !w.router.Holds(c) || w.router.Holds(other) {
			t.Error("held by its connection, for its principal")
		}
		s.Detach(w.turn, core.ConnectionLost)
		if w.router.Holds(c) {
			t.Error("held by a connection that is gone")
		}
	})
}

func TestExistsTellsWhetherAnAttachmentWouldFindASession(t *testing.T) {
	simulate(t, func(w *world) {
		c := core.Client{ID: "c", Expiry: core.Forever}
		other, clean := c, core.Client{ID: "clean"}
		other.Principal = &core.Principal{User: "other"}
		if w.router.Exists(c) || w.router.Exists(core.Client{}) {
			t.Error("nobody has one")
		}
		s, x := w.attach(c), w.attach(clean)
		if !w.router.Exists(c) || !w.router.Exists(clean) || w.router.Exists(other) {
			t.Error("one of each, for its principal")
		}
		s.Detach(w.turn, core.ConnectionLost)
		x.Detach(w.turn, core.ConnectionLost)
		if !w.router.Exists(c) || w.router.Exists(clean) {
			t.Error("the one that stays is there")
		}
	})
}
