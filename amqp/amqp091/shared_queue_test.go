package amqp091_test

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// elsewhere is the sink of a client of another protocol.
type elsewhere struct{}

func (elsewhere) Ready(*core.Turn)  {}
func (elsewhere) Evict(core.Reason) {}

// other calls f with the session of such a client, and waits.
func (w *world) other(f func(t *core.Turn, s *core.Session)) {
	w.Turn(func(t *core.Turn) {
		s, _ := w.Router.Attach(t, core.Client{}, elsewhere{})
		f(t, s)
	})
}

func TestMQTT_MY1_MY3_AMQPFindsQueuesOfMQTTEqual(t *testing.T) {
	simulate(t, func(w *world) {
		w.other(func(t *core.Turn, s *core.Session) {
			s.Subscribe(t, []core.Subscription{{Filter: "$queue/jobs/+", QoS: 1}}, nil)
			mt, _ := s.Route(t, []byte("$queue/bare"))
			m := core.NewMessage([]byte("x"))
			m.Topic, m.QoS = mt.Topic(), 1
			s.Publish(t, mt, m)
		})
		p := w.dial()
		p.call("1 queue.declare-ok Queue:jobs/+ MessageCount:0 ConsumerCount:1", &wire.QueueDeclare{Queue: "jobs/+", Durable: true})
		p.call("1 queue.declare-ok Queue:bare MessageCount:1 ConsumerCount:0", &wire.QueueDeclare{Queue: "bare", Durable: true})
		w.refused("1 channel.close Code:406", &wire.QueueDeclare{Queue: "bare"})
	})
}

func TestMQTT_MY5_ADelayedMessageIntoAQueueOfAMQP(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.call("1 queue.declare-ok Queue:q MessageCount:0 ConsumerCount:0", &wire.QueueDeclare{Queue: "q", Durable: true})
		p.call("1 queue.bind-ok", &wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "a.*"})
		w.other(func(t *core.Turn, s *core.Session) {
			for _, topic := range []string{"a/b", "$queue/q"} {
				m := core.NewMessage([]byte(topic))
				m.Topic, m.QoS, m.Origin = topic, 1, "mqtt"
				if _, _, reason := s.PublishLater(t, m, time.Minute, 10); reason != core.OK {
					w.t.Error(reason)
				}
			}
		})
		w.Advance(time.Minute - time.Millisecond)
		p.call("1 queue.declare-ok Queue:q MessageCount:0 ConsumerCount:0", &wire.QueueDeclare{Queue: "q", Passive: true})
		w.Advance(time.Millisecond)
		p.call("1 queue.declare-ok Queue:q MessageCount:2 ConsumerCount:0", &wire.QueueDeclare{Queue: "q", Passive: true})
	})
}
