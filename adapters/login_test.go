package adapters

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/core"
)

// patient answers when its context ends.
type patient struct{}

func (patient) Authenticate(ctx context.Context, _ Credentials) (*core.Principal, core.Reason) {
	<-ctx.Done()
	return nil, core.NotAuthenticated
}

type bell struct{ rung chan struct{} }

func (b bell) Ready(*core.Turn)  { close(b.rung) }
func (b bell) Evict(core.Reason) {}

func TestSECURITY_U13_ALoginWithoutAnEndHasThatOfTheExchange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := bell{make(chan struct{})}
		h := &Host{Auth: patient{}, Limits: Limits{PreauthExchange: 3 * time.Second}}
		begun := time.Now()
		l := h.Login(context.Background(), Credentials{}, b)
		<-b.rung
		if _, r, done := l.Result(); !done || r != core.NotAuthenticated || time.Since(begun) != 3*time.Second {
			t.Errorf("%v %v after %v", done, r, time.Since(begun))
		}
	})
}

// guests lets those in at once who name no user.
type guests struct{ patient }

func (guests) Quick(c Credentials) (*core.Principal, bool) { return core.Anonymous, c.User == "" }

func TestWhoNeedsNoLookIsKnownAtOnce(t *testing.T) {
	for _, h := range []*Host{{}, {Auth: guests{}}} {
		l := h.Known(&Credentials{})
		if l == nil {
			t.Fatal("not known")
		}
		if p, r, done := l.Result(); !done || r != core.OK || p != core.Anonymous {
			t.Errorf("%v %v %v", p, r, done)
		}
		if _, _, done := l.Result(); done {
			t.Error("the result came twice")
		}
	}
	if (&Host{Auth: guests{}}).Known(&Credentials{User: "u"}) != nil || (&Host{Auth: patient{}}).Known(&Credentials{}) != nil {
		t.Error("somebody is known who has to be asked about")
	}
	if n := testing.AllocsPerRun(100, func() { (&Host{}).Known(&Credentials{}) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
