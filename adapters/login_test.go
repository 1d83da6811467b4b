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
