package amqp091_test

import (
	"testing"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

func TestPublishToAQueueAndConsume(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.call("1 queue.declare-ok Queue:jobs MessageCount:0 ConsumerCount:0", &wire.QueueDeclare{Queue: "jobs", Durable: true})
		p.publish("", "jobs", "one")
		p.publishWith(&wire.BasicPublish{RoutingKey: []byte("jobs")}, persistent, "two")
		p.expect("")
		p.call("1 basic.consume-ok ConsumerTag:c\n"+
			deliver("c", 1, false, "", "jobs", `"one"`)+"\n"+
			deliver("c", 2, false, "", "jobs", `mode=2 "two"`),
			&wire.BasicConsume{Queue: "jobs", ConsumerTag: "c"})
		p.call("", &wire.BasicAck{DeliveryTag: 2, Multiple: true})
		p.call("1 queue.declare-ok Queue:jobs MessageCount:0 ConsumerCount:1", &wire.QueueDeclare{Queue: "jobs", Passive: true})
	})
}

func TestAMQP_AQ39_TopicExchangeIsTheCoresTopics(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.call("1 queue.declare-ok Queue:q MessageCount:0 ConsumerCount:0\n1 queue.bind-ok",
			&wire.QueueDeclare{Queue: "q"}, &wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "a.#.z"})
		p.publish("amq.topic", "a.b.z", "1")
		p.publish("amq.topic", "a.b", "2")
		p.publish("amq.topic", "a.z", "3")
		p.call("1 basic.consume-ok ConsumerTag:c\n"+
			deliver("c", 1, false, "amq.topic", "a.b.z", `"1"`)+"\n"+
			deliver("c", 2, false, "amq.topic", "a.z", `"3"`),
			&wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
	})
}
