package amqp091_test

import (
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// slow is a store whose reading waits between hold and goesOn.
type slow struct {
	*adaptertest.Store
	held atomic.Pointer[chan struct{}]
}

func (s *slow) hold() {
	c := make(chan struct{})
	s.held.Store(&c)
}

func (s *slow) goesOn() {
	if c := s.held.Swap(nil); c != nil {
		close(*c)
	}
}

func (s *slow) Scan(from, to []byte) iter.Seq2[core.Record, error] {
	if c := s.held.Load(); c != nil {
		<-*c
	}
	return s.Store.Scan(from, to)
}

func simulateSlow(t *testing.T, f func(w *world, s *slow)) {
	t.Helper()
	s := &slow{Store: adaptertest.NewStore()}
	o := adaptertest.Options{Store: s, Core: func(o *core.Options) { o.Limits.WindowMessages = 4 }}
	simulateWith(t, amqp091.Config{}, o, func(w *world) {
		defer s.goesOn()
		f(w, s)
	})
}

// What a get waits for is read by another goroutine: nobody else of its loop
// waits, and the replies come in the order of the requests.
func TestAMQP_AQ48_AGetFromTheStoreHoldsUpNobodyElse(t *testing.T) {
	simulateSlow(t, func(w *world, s *slow) {
		p, other := w.dial(), w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q", Durable: true}, &wire.QueueDeclare{Queue: "r"}, &wire.ConfirmSelect{})
		for i := range 10 {
			p.publishWith(to("", "q"), persistent, fmt.Sprint(i))
		}
		p.recv()
		s.hold()
		get, empty := &wire.BasicGet{Queue: "q", NoAck: true}, &wire.BasicGet{Queue: "r"}
		p.send(1, get, get, get, get, get, empty, get, &wire.QueueDeclare{Queue: "r", Passive: true})
		line := func(n int) string {
			return fmt.Sprintf("1 basic.get-ok DeliveryTag:%d Redelivered:false Exchange: RoutingKey:q MessageCount:%d mode=2 %q", n+1, 9-n, fmt.Sprint(n))
		}
		p.expect(line(0) + "\n" + line(1) + "\n" + line(2) + "\n" + line(3))
		other.publish("", "r", "m")
		other.call(`1 basic.get-ok DeliveryTag:1 Redelivered:false Exchange: RoutingKey:r MessageCount:0 "m"`, &wire.BasicGet{Queue: "r", NoAck: true})
		p.expect("")
		s.goesOn()
		w.Settle()
		p.expect(line(4) + "\n1 basic.get-empty\n" + line(5) + "\n1 queue.declare-ok Queue:r MessageCount:0 ConsumerCount:0")
	})
}

// What was to be read is gone when it would have come: the get is answered.
func TestAMQP_AQ48_AGetThatWaitsIsAnsweredWhateverComes(t *testing.T) {
	for name, c := range map[string]struct {
		does []wire.Method
		want string
	}{
		"purged":  {[]wire.Method{&wire.QueuePurge{Queue: "q"}}, "1 basic.get-empty"},
		"deleted": {[]wire.Method{&wire.QueueDelete{Queue: "q"}}, "1 channel.close Code:404"},
	} {
		t.Run(name, func(t *testing.T) {
			simulateSlow(t, func(w *world, s *slow) {
				p, other := w.dial(), w.dial()
				p.send(1, &wire.QueueDeclare{Queue: "q", Durable: true}, &wire.ConfirmSelect{})
				for range 10 {
					p.publishWith(to("", "q"), persistent, "m")
				}
				p.recv()
				get := &wire.BasicGet{Queue: "q", NoAck: true}
				s.hold()
				p.send(1, get, get, get, get, get)
				if got := p.recv(); len(got) != 4 {
					t.Fatal(got)
				}
				other.send(1, c.does...)
				other.recv()
				p.expect("")
				s.goesOn()
				w.Settle()
				if got := p.recv(); len(got) != 1 || !strings.HasPrefix(got[0], c.want) {
					t.Fatal(got)
				}
			})
		})
	}
}
