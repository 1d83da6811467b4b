package stomp

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/store/memory"
)

// lock forbids to read the topic "a" once it is shut.
type lock struct{ shut atomic.Bool }

func (l *lock) Authorize(_ *core.Principal, a core.Action, name string) bool {
	return !l.shut.Load() || a != core.ActionSubscribe || name != "a"
}

func TestSecurity_Z9_ASubscriptionWithoutItsRightEndsWithAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := new(lock)
		w := &world{t: t, cfg: DefaultConfig(), store: &gate{Store: memory.New()}, rules: l}
		w.start()
		defer w.stop()
		p, q := w.connect("1.2"), w.connect("1.2")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a")
		q.say("SUBSCRIBE", "id:1", "destination:/topic/b")
		l.shut.Store(true)
		w.router.Recheck()
		synctest.Wait()
		if f := p.errorFrame("access_refused"); f.header["subscription"] != "1" {
			t.Errorf("%v", f)
		}
		w.connect("1.2").say("SEND", "destination:/topic/b", "", "m")
		q.bodies("m")
	})
}
