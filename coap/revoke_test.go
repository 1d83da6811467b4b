package coap

import (
	"sync/atomic"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// lock forbids to read the topic "a" once it is shut.
type lock struct{ shut atomic.Bool }

func (l *lock) Authorize(_ *core.Principal, a core.Action, name string) bool {
	return !l.shut.Load() || (a != core.ActionSubscribe && a != core.ActionDeliver) || name != "a"
}

func TestSecurity_Z9_AnObservationWithoutItsRightEndsWith403(t *testing.T) {
	t.Parallel()
	l := new(lock)
	o := adaptertest.Options{Core: func(o *core.Options) { o.Authorizer = l }}
	scriptWith(t, Config{}, o, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("v"))
		c.register("ps/a", "o")
		l.shut.Store(true)
		d.Router.Recheck()
		d.Settle()
		m := c.must()
		if m.Code != message.Forbidden {
			t.Fatal(m)
		}
		absent(t, m, message.Observe)
		if counter(d, "coap_observers") != 0 {
			t.Error("it is still observed")
		}
		c.expect(message.Forbidden, message.GET, "ps/a")
	})
}
