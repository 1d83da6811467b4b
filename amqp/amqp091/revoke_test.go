package amqp091_test

import (
	"sync/atomic"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// lock forbids to consume the queue "q" once it is shut.
type lock struct{ shut atomic.Bool }

func (l *lock) Authorize(_ *core.Principal, a core.Action, name string) bool {
	return !l.shut.Load() || a != core.ActionSubscribe || name != "$queue/q"
}

func TestSecurity_Z9_AConsumerWithoutItsRightGetsBasicCancel(t *testing.T) {
	l := new(lock)
	o := adaptertest.Options{Core: func(o *core.Options) { o.Authorizer = l }}
	simulateWith(t, amqp091.Config{}, o, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.QueueDeclare{Queue: "r"}, &wire.BasicConsume{Queue: "q", ConsumerTag: "c"}, &wire.BasicConsume{Queue: "r", ConsumerTag: "d"})
		p.recv()
		p.publish("", "q", "held")
		p.expect(deliver("c", 1, false, "", "q", `"held"`))
		l.shut.Store(true)
		w.Router.Recheck()
		w.Settle()
		p.expect("1 basic.cancel ConsumerTag:c NoWait:true")
		p.publish("", "q", "m")
		p.publish("", "r", "m")
		p.expect(deliver("d", 2, false, "", "r", `"m"`))
		p.send(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "e"})
		p.expectPrefix("1 channel.close Code:403")
	})
}
