package amqp091_test

import (
	"testing"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

func TestAMQP_AQ23_PredeclaredExchanges(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		for name, typ := range map[string]string{"amq.direct": "direct", "amq.fanout": "fanout", "amq.topic": "topic", "amq.headers": "headers", "amq.match": "headers"} {
			p.call("1 exchange.declare-ok\n1 exchange.declare-ok",
				&wire.ExchangeDeclare{Exchange: name, Passive: true}, &wire.ExchangeDeclare{Exchange: name, Type: typ, Durable: true})
		}
	})
}

// refused sends methods on a fresh connection and checks how the last ends.
func (w *world) refused(want string, ms ...wire.Method) {
	w.t.Helper()
	p := w.dial()
	p.send(1, ms[:len(ms)-1]...)
	p.recv()
	p.send(1, ms[len(ms)-1])
	p.expectPrefix(want)
}

func TestAMQP_AQ23_ReservedNamesAreRefused(t *testing.T) {
	simulate(t, func(w *world) {
		w.refused("1 channel.close Code:403", &wire.ExchangeDeclare{Exchange: "amq.mine", Type: "direct"})
		w.refused("1 channel.close Code:403", &wire.ExchangeDelete{Exchange: "amq.topic"})
		w.refused("1 channel.close Code:403", &wire.ExchangeDeclare{Exchange: "", Type: "direct"})
		w.refused("1 channel.close Code:403", &wire.ExchangeDelete{Exchange: ""})
		w.refused("1 channel.close Code:403", &wire.QueueDeclare{Queue: "q"}, &wire.QueueBind{Queue: "q", Exchange: "", RoutingKey: "q"})
	})
}

func TestAMQP_AQ24_DeclareAndDelete(t *testing.T) {
	simulate(t, func(w *world) {
		x := &wire.ExchangeDeclare{Exchange: "x", Type: "direct"}
		w.refused("1 channel.close Code:404", &wire.ExchangeDeclare{Exchange: "x", Passive: true})
		w.refused("1 channel.close Code:406", &wire.ExchangeDeclare{Exchange: "x", Type: "x-strange"})
		w.refused("1 exchange.declare-ok", x, x)
		w.refused("1 channel.close Code:406", &wire.ExchangeDeclare{Exchange: "x", Type: "fanout"})
		w.refused("1 channel.close Code:406", &wire.ExchangeDeclare{Exchange: "x", Type: "direct", AutoDelete: true})
		w.refused("1 channel.close Code:406", &wire.QueueDeclare{Queue: "q"}, &wire.QueueBind{Queue: "q", Exchange: "x"}, &wire.ExchangeDelete{Exchange: "x", IfUnused: true})
		w.refused("1 exchange.delete-ok", &wire.ExchangeDelete{Exchange: "x"})
		w.refused("1 exchange.delete-ok", &wire.ExchangeDelete{Exchange: "x"})
	})
}

func TestAMQP_AQ25_AutoDeleteAndInternal(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.ExchangeDeclare{Exchange: "x", Type: "fanout", AutoDelete: true},
			&wire.QueueBind{Queue: "q", Exchange: "x"}, &wire.QueueUnbind{Queue: "q", Exchange: "x"})
		p.recv()
		w.refused("1 channel.close Code:404", &wire.ExchangeDeclare{Exchange: "x", Passive: true})
		p.send(1, &wire.ExchangeDeclare{Exchange: "in", Type: "fanout", Internal: true})
		p.recv()
		p.publish("in", "", "m")
		p.expectPrefix("1 channel.close Code:403")
	})
}

func TestAMQP_AQ25_TheAlternateGetsWhatIsNotRouted(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		alternate := func(name string) wire.Table { return wire.Table{}.Append("alternate-exchange", wire.Longstr(name)) }
		p.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.QueueDeclare{Queue: "rest"}, &wire.ExchangeDeclare{Exchange: "rest", Type: "fanout"},
			&wire.ExchangeDeclare{Exchange: "x", Type: "direct", Arguments: alternate("rest")}, &wire.ExchangeDeclare{Exchange: "y", Type: "direct", Arguments: alternate("x")},
			&wire.QueueBind{Queue: "q", Exchange: "x", RoutingKey: "k"}, &wire.QueueBind{Queue: "rest", Exchange: "rest"}, &wire.ConfirmSelect{})
		p.recv()
		m := to("y", "other")
		m.Mandatory = true
		p.publishWith(m, nil, "m")
		p.expect("1 basic.ack DeliveryTag:1 Multiple:false")
		p.publish("y", "k", "m")
		p.recv()
		p.counts("q", 1, 0)
		p.counts("rest", 1, 0)
		w.refused("1 channel.close Code:406", &wire.ExchangeDeclare{Exchange: "z", Type: "direct", Arguments: alternate("amq.topic")})
	})
}

func TestAMQP_AQ26_ExchangesBindToExchangesInCycles(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		bind := func(to, from, key string) wire.Method {
			return &wire.ExchangeBind{Destination: to, Source: from, RoutingKey: key}
		}
		p.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.ExchangeDeclare{Exchange: "a", Type: "topic"}, &wire.ExchangeDeclare{Exchange: "b", Type: "fanout"},
			&wire.QueueBind{Queue: "q", Exchange: "a", RoutingKey: "#"}, &wire.QueueBind{Queue: "q", Exchange: "b"},
			bind("b", "a", "x.*"), bind("a", "b", ""), bind("amq.fanout", "b", ""), bind("b", "amq.fanout", ""))
		if got := p.recv(); len(got) != 9 {
			t.Fatal(got)
		}
		for _, x := range []string{"a", "b", "amq.fanout"} {
			p.publish(x, "x.y", "m")
			p.call("1 queue.purge-ok MessageCount:1", &wire.QueuePurge{Queue: "q"})
		}
		p.call("1 exchange.unbind-ok\n1 queue.unbind-ok", &wire.ExchangeUnbind{Destination: "b", Source: "amq.fanout"}, &wire.QueueUnbind{Queue: "q", Exchange: "b"})
		p.publish("amq.fanout", "x.y", "m")
		p.call("1 queue.purge-ok MessageCount:0", &wire.QueuePurge{Queue: "q"})
		p.call("1 exchange.delete-ok", &wire.ExchangeDelete{Exchange: "a"})
		p.publish("b", "x.y", "m")
		p.call("1 queue.purge-ok MessageCount:0", &wire.QueuePurge{Queue: "q"})
		w.refused("1 channel.close Code:404", bind("none", "b", ""))
		w.refused("1 channel.close Code:403", bind("", "b", ""))
		w.refused("1 channel.close Code:406", bind("amq.topic", "b", ""))
	})
}

func TestAMQP_AQ28_EachTypeReachesItsQueuesOnce(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		for _, typ := range []string{"direct", "fanout", "topic"} {
			p.send(1, &wire.QueueDeclare{Queue: typ}, &wire.ExchangeDeclare{Exchange: "x." + typ, Type: typ},
				&wire.QueueBind{Queue: typ, Exchange: "x." + typ, RoutingKey: "a.b"}, &wire.QueueBind{Queue: typ, Exchange: "x." + typ, RoutingKey: "a.#"})
			p.recv()
			p.publish("x."+typ, "a.b", "m")
			p.publish("x."+typ, "a", "n")
			want := `1 basic.get-ok DeliveryTag:%d Redelivered:false Exchange:x.%s RoutingKey:a.b MessageCount:%d "m"`
			left := map[string]int{"direct": 0, "fanout": 1, "topic": 1}[typ]
			p.send(1, &wire.BasicGet{Queue: typ, NoAck: true})
			got := p.recv()
			if len(got) != 1 || got[0][len(`1 basic.get-ok DeliveryTag:1`):] != sprintf(want, 1, typ, left)[len(`1 basic.get-ok DeliveryTag:1`):] {
				t.Errorf("%s: %q", typ, got)
			}
		}
	})
}

func TestAMQP_AQ27_HeadersExchange(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		args := wire.Table{}.Append("x-match", wire.Longstr("any")).Append("n", wire.Int(5))
		p.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.QueueBind{Queue: "q", Exchange: "amq.headers", Arguments: args})
		p.recv()
		send := func(t wire.Table) {
			p.publishWith(&wire.BasicPublish{Exchange: []byte("amq.headers")}, &wire.Properties{Flags: wire.FlagHeaders, Headers: t}, "m")
		}
		send(wire.Table{}.Append("n", wire.Long(5)))
		send(wire.Table{}.Append("n", wire.Int(6)))
		send(nil)
		p.call("1 queue.declare-ok Queue:q MessageCount:1 ConsumerCount:0", &wire.QueueDeclare{Queue: "q", Passive: true})
	})
}
