package amqp091_test

import (
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

// burst is how many messages one read brings.
const burst = 100

// pass measures one message from a publish to its delivery.
func pass(b *testing.B, durable bool, props *wire.Properties, setup ...wire.Method) {
	d := adaptertest.New(b, room(amqp091.Config{}), adaptertest.Options{})
	send := func(c *adaptertest.Conn, channel uint16, ms ...wire.Method) {
		for _, m := range ms {
			c.Send(wire.AppendMethodFrame(nil, channel, m))
		}
	}
	login := func() *adaptertest.Conn {
		c := d.Open()
		c.SendString(wire.ProtocolHeader)
		send(c, 0, startOk("g", "g"), tuneOk, vhost)
		send(c, 1, &wire.ChannelOpen{})
		return c
	}
	pub, sub := login(), login()
	send(sub, 1, &wire.QueueDeclare{Queue: "q", Durable: durable})
	send(sub, 1, setup...)
	send(sub, 1, &wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "a.#"}, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
	if props != nil {
		send(pub, 1, &wire.ConfirmSelect{})
	}
	pub.Recv()
	sub.Recv()
	var in []byte
	for range burst {
		in = append(in, content(1, to("amq.topic", "a.b.c"), props, string(make([]byte, 128)), 131072)...)
	}
	got := 0
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += burst {
		pub.Send(in)
		got += len(sub.Recv())
		pub.Recv()
	}
	if got == 0 {
		b.Fatal("nothing arrived")
	}
}

func BenchmarkTransientAutoAck(b *testing.B) { pass(b, false, nil) }

func BenchmarkConfirmed(b *testing.B) { pass(b, false, persistent) }
