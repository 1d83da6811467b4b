package amqp091_test

import (
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

func TestAMQP_AQ41_OneConfirmCoversARun(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q", Durable: true}, &wire.ConfirmSelect{}, &wire.ConfirmSelect{})
		p.recv()
		one := content(1, to("", "q"), persistent, "m", p.max)
		p.Send(one, one, one)
		p.expect("1 basic.ack DeliveryTag:3 Multiple:true")
		p.Send(one)
		p.expect("1 basic.ack DeliveryTag:4 Multiple:false")
	})
}

func TestAMQP_AQ41_TagsCountFromConfirmSelect(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.publish("", "q", "before")
		p.call("1 confirm.select-ok", &wire.ConfirmSelect{})
		p.publish("", "q", "m")
		p.expect("1 basic.ack DeliveryTag:1 Multiple:false")
	})
}

func TestAMQP_AQ41_DurableAndTransientKeepTheirOrder(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "d", Durable: true}, &wire.QueueDeclare{Queue: "t", Arguments: wire.Table{}.
			Append("x-max-length", wire.Int(1)).Append("x-overflow", wire.Longstr("reject-publish"))}, &wire.ConfirmSelect{})
		p.recv()
		d, tr := content(1, to("", "d"), persistent, "m", p.max), content(1, to("", "t"), nil, "m", p.max)
		p.Send(d, tr, d, tr, d) // the second to t is refused
		p.expect(`1 basic.ack DeliveryTag:3 Multiple:true
			1 basic.nack DeliveryTag:4 Multiple:false Requeue:false
			1 basic.ack DeliveryTag:5 Multiple:false`)
	})
}

func TestAMQP_AQ41_RefusedWithoutConfirmsEndsTheChannel(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "t", Arguments: wire.Table{}.
			Append("x-max-length", wire.Int(1)).Append("x-overflow", wire.Longstr("reject-publish"))})
		p.recv()
		p.publish("", "t", "1")
		p.publish("", "t", "2")
		p.expectPrefix("1 channel.close Code:406")
	})
}

func TestAMQP_AQ42_AnOrderlyCloseLosesNoConfirm(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q", Durable: true}, &wire.ConfirmSelect{})
		p.recv()
		one := content(1, to("", "q"), persistent, "m", p.max)
		p.Send(one, one, wire.AppendMethodFrame(nil, 1, &wire.ChannelClose{Code: 200}))
		p.expect("1 basic.ack DeliveryTag:2 Multiple:true\n1 channel.close-ok")
	})
}

func TestMaxUnconfirmedStopsReading(t *testing.T) {
	simulateWith(t, amqp091.Config{MaxUnconfirmed: 2}, adaptertest.Options{}, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q", Durable: true}, &wire.ConfirmSelect{})
		p.recv()
		one := content(1, to("", "q"), persistent, "m", p.max)
		p.Send(one, one, one, one, one)
		p.expect(`1 basic.ack DeliveryTag:2 Multiple:true
			1 basic.ack DeliveryTag:4 Multiple:true
			1 basic.ack DeliveryTag:5 Multiple:false`)
	})
}
