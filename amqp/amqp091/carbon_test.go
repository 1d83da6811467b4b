package amqp091_test

import (
	"testing"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

func TestAMQP_AQ38_CCAndBCCAddRoutingKeys(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		keys := func(ks ...string) wire.Value {
			var vs []wire.Value
			for _, k := range ks {
				vs = append(vs, wire.Longstr(k))
			}
			return wire.Array(vs...)
		}
		props := &wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{}.
			Append("CC", keys("b", "a", "none")).Append("BCC", keys("c")).Append("k", wire.Int(1))}
		for _, q := range []string{"a", "b", "c"} {
			p.queue(q)
			p.send(1, &wire.QueueBind{Queue: q, Exchange: "amq.direct", RoutingKey: q})
		}
		p.recv()
		for _, x := range []string{"", "amq.direct"} {
			p.publishWith(to(x, "a"), props, "m")
			for _, q := range []string{"a", "b", "c"} {
				p.counts(q, 1, 0)
				p.send(1, &wire.BasicGet{Queue: q, NoAck: true})
				got := p.recv()
				if len(got) != 1 || !contains(got[0], " k=I") || contains(got[0], "BCC=") || !contains(got[0], "CC=A") {
					t.Errorf("%s: %q", q, got)
				}
			}
		}
		for _, x := range []struct {
			exchange string
			v        wire.Value
		}{{"amq.topic", keys("b")}, {"", wire.Longstr("b")}, {"", wire.Array(wire.Int(1))}} {
			c := w.dial()
			c.publishWith(to(x.exchange, "a"), &wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{}.Append("CC", x.v)}, "m")
			c.expectPrefix("1 channel.close Code:406")
		}
	})
}

func TestAMQP_AQ24_DurableExchangesAndBindingsSurviveARestart(t *testing.T) {
	restart(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "d", Durable: true}, &wire.QueueDeclare{Queue: "gone", Durable: true})
		for _, x := range []string{"kept", "deleted", "unbound"} {
			p.send(1, &wire.ExchangeDeclare{Exchange: x, Type: "topic", Durable: true}, &wire.QueueBind{Queue: "d", Exchange: x, RoutingKey: "a.*"},
				&wire.QueueBind{Queue: "gone", Exchange: x, RoutingKey: "#"})
		}
		p.send(1, &wire.ExchangeDeclare{Exchange: "transient", Type: "fanout"}, &wire.QueueBind{Queue: "d", Exchange: "transient"},
			&wire.QueueBind{Queue: "d", Exchange: "amq.direct", RoutingKey: "k"}, &wire.QueueBind{Queue: "d", Exchange: "amq.topic", RoutingKey: "#"},
			&wire.QueueUnbind{Queue: "d", Exchange: "unbound", RoutingKey: "a.*"}, &wire.ExchangeDelete{Exchange: "deleted"}, &wire.QueueDelete{Queue: "gone"},
			&wire.ExchangeDeclare{Exchange: "first", Type: "fanout", Durable: true, Arguments: wire.Table{}.Append("alternate-exchange", wire.Longstr("kept"))},
			&wire.ExchangeBind{Destination: "kept", Source: "amq.fanout"})
		if got := p.recv(); len(got) != 20 {
			t.Fatal(len(got), got)
		}
	}, func(w *world) {
		p := w.dial()
		for x, n := range map[string]int{"kept": 1, "unbound": 0} {
			p.call("1 exchange.declare-ok", &wire.ExchangeDeclare{Exchange: x, Type: "topic", Durable: true})
			p.publish(x, "a.b", "m")
			p.call(sprintf("1 queue.purge-ok MessageCount:%d", n), &wire.QueuePurge{Queue: "d"})
		}
		p.publish("amq.direct", "k", "m")
		p.publish("amq.topic", "", "m")
		p.publish("first", "a.b", "m")
		p.publish("amq.fanout", "a.b", "m")
		p.call("1 queue.purge-ok MessageCount:4", &wire.QueuePurge{Queue: "d"})
		w.refused("1 channel.close Code:404", &wire.ExchangeDeclare{Exchange: "deleted", Passive: true})
		w.refused("1 channel.close Code:404", &wire.ExchangeDeclare{Exchange: "transient", Passive: true})
	})
}

func TestAMQP_AQ38_AllKeysCountAtEveryExchange(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		for _, q := range []string{"far", "lost"} {
			p.queue(q)
		}
		alternate := wire.Table{}.Append("alternate-exchange", wire.Longstr("amq.fanout"))
		p.send(1, &wire.ExchangeDeclare{Exchange: "near", Type: "direct", Arguments: alternate}, &wire.ExchangeDeclare{Exchange: "next", Type: "topic"},
			&wire.ExchangeBind{Source: "near", Destination: "next", RoutingKey: "one"}, &wire.QueueBind{Queue: "far", Exchange: "next", RoutingKey: "two"},
			&wire.QueueBind{Queue: "lost", Exchange: "amq.fanout"})
		p.recv()
		props := &wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{}.
			Append("CC", wire.Array(wire.Longstr("one"))).Append("BCC", wire.Array(wire.Longstr("two")))}
		p.publishWith(to("near", ""), props, "m")
		p.counts("far", 1, 0)
		p.counts("lost", 0, 0) // some key was routed
	})
}
