package amqp091_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

func TestAMQP_AQ29_TheServerNamesAQueue(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Exclusive: true})
		got := p.recv()
		if len(got) != 1 || !regexp.MustCompile(`^1 queue.declare-ok Queue:amq\.gen-[\w-]{22} MessageCount:0 ConsumerCount:0$`).MatchString(got[0]) {
			t.Fatal(got)
		}
		p.send(1, &wire.QueueBind{Exchange: "amq.topic", RoutingKey: "a"}, &wire.QueueDeclare{Passive: true})
		if again := p.recv(); len(again) != 2 || again[1] != got[0] {
			t.Fatal(again)
		}
		w.refused("1 channel.close Code:404 Text:NOT_FOUND - no previously declared queue", &wire.QueuePurge{})
		w.refused("1 channel.close Code:403", &wire.QueueDeclare{Queue: "amq.mine"})
	})
}

func TestAMQP_AQ30_ExclusiveIsLockedForOthers(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "x", Exclusive: true})
		p.recv()
		for _, m := range []wire.Method{
			&wire.QueueDeclare{Queue: "x", Exclusive: true}, &wire.QueueDeclare{Queue: "x", Passive: true},
			&wire.QueueBind{Queue: "x", Exchange: "amq.topic"}, &wire.QueueUnbind{Queue: "x", Exchange: "amq.topic"},
			&wire.QueuePurge{Queue: "x"}, &wire.QueueDelete{Queue: "x"}, &wire.BasicConsume{Queue: "x"}, &wire.BasicGet{Queue: "x"},
		} {
			w.refused("1 channel.close Code:405 Text:RESOURCE_LOCKED", m)
		}
	})
}

func TestAMQP_AQ30_AutoDeleteAfterTheLastConsumer(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "a", AutoDelete: true}, &wire.BasicGet{Queue: "a"}, &wire.BasicConsume{Queue: "a", ConsumerTag: "c"},
			&wire.BasicConsume{Queue: "a", ConsumerTag: "d"}, &wire.BasicCancel{ConsumerTag: "c"})
		p.recv()
		p.call("1 queue.declare-ok Queue:a MessageCount:0 ConsumerCount:1", &wire.QueueDeclare{Queue: "a", Passive: true})
		p.call("1 basic.cancel-ok ConsumerTag:d", &wire.BasicCancel{ConsumerTag: "d"})
		p.send(1, &wire.QueueDeclare{Queue: "a", Passive: true})
		p.expectPrefix("1 channel.close Code:404")
	})
}

func TestAMQP_AQ31_RedeclarationMustBeEqual(t *testing.T) {
	simulate(t, func(w *world) {
		args := func(v wire.Value) wire.Table {
			return wire.Table{}.Append("x-max-length", v).Append("note", wire.Longstr("n"))
		}
		w.refused("1 queue.declare-ok", &wire.QueueDeclare{Queue: "q", Arguments: args(wire.Int(5))})
		w.refused("1 queue.declare-ok", &wire.QueueDeclare{Queue: "q", Arguments: args(wire.Long(5))})
		w.refused("1 channel.close Code:406", &wire.QueueDeclare{Queue: "q", Arguments: args(wire.Int(6))})
		w.refused("1 channel.close Code:406", &wire.QueueDeclare{Queue: "q"})
		w.refused("1 channel.close Code:406", &wire.QueueDeclare{Queue: "q", Durable: true, Arguments: args(wire.Int(5))})
		w.refused("1 channel.close Code:406", &wire.QueueDeclare{Queue: "q", AutoDelete: true, Arguments: args(wire.Int(5))})
		w.refused("1 channel.close Code:404", &wire.QueueDeclare{Queue: "none", Passive: true})
	})
}

func TestAMQP_AQ31_DeleteConditions(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.BasicConsume{Queue: "q", ConsumerTag: "c"})
		w.refused("1 channel.close Code:406", &wire.QueueDelete{Queue: "q", IfUnused: true})
		p.send(1, &wire.BasicCancel{ConsumerTag: "c"})
		p.publish("", "q", "m")
		w.refused("1 channel.close Code:406", &wire.QueueDelete{Queue: "q", IfEmpty: true})
		w.refused("1 queue.delete-ok MessageCount:1", &wire.QueueDelete{Queue: "q"})
		w.refused("1 queue.delete-ok MessageCount:0", &wire.QueueDelete{Queue: "q"})
	})
}

func TestAMQP_AQ32_PurgeLeavesWhatIsUnacked(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q"})
		for _, m := range []string{"1", "2", "3"} {
			p.publish("", "q", m)
		}
		p.send(1, &wire.BasicGet{Queue: "q"})
		p.recv()
		p.call("1 queue.purge-ok MessageCount:2", &wire.QueuePurge{Queue: "q"})
		p.send(1, &wire.BasicReject{DeliveryTag: 1, Requeue: true})
		p.call("1 queue.declare-ok Queue:q MessageCount:1 ConsumerCount:0", &wire.QueueDeclare{Queue: "q", Passive: true})
	})
}

func TestAMQP_AQ32_BindAndUnbind(t *testing.T) {
	simulate(t, func(w *world) {
		for _, x := range []string{"amq.topic", "amq.direct"} {
			w.refused("1 channel.close Code:404", &wire.QueueBind{Queue: "none", Exchange: x, RoutingKey: "k"})
			p := w.dial()
			bind := &wire.QueueBind{Queue: "q" + x, Exchange: x, RoutingKey: "k"}
			p.call("1 queue.declare-ok Queue:q"+x+" MessageCount:0 ConsumerCount:0\n1 queue.bind-ok\n1 queue.bind-ok",
				&wire.QueueDeclare{Queue: "q" + x}, bind, bind)
			p.publish(x, "k", "m")
			p.call("1 queue.unbind-ok\n1 queue.unbind-ok",
				&wire.QueueUnbind{Queue: "q" + x, Exchange: x, RoutingKey: "k"}, &wire.QueueUnbind{Queue: "q" + x, Exchange: x, RoutingKey: "other"})
			p.publish(x, "k", "m")
			p.call("1 queue.declare-ok Queue:q"+x+" MessageCount:1 ConsumerCount:0", &wire.QueueDeclare{Queue: "q" + x, Passive: true})
		}
		w.refused("1 channel.close Code:404", &wire.QueueDeclare{Queue: "q"}, &wire.QueueBind{Queue: "q", Exchange: "none"})
		w.refused("1 channel.close Code:406", &wire.QueueDeclare{Queue: "q"}, &wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "#.a.#.b.#.c.#.d.#"})
	})
}

func TestAMQP_AQ32_NoQueueAndNoKeyBindTheLastQueueByItsName(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		for _, x := range []string{"amq.direct", "amq.topic"} {
			q := "last-" + x
			p.call("1 queue.declare-ok Queue:"+q+" MessageCount:0 ConsumerCount:0\n1 queue.bind-ok",
				&wire.QueueDeclare{Queue: q}, &wire.QueueBind{Exchange: x})
			p.publish(x, "", "not this")
			p.counts(q, 0, 0)
			p.publish(x, q, "m")
			p.counts(q, 1, 0)
			p.call("1 queue.unbind-ok", &wire.QueueUnbind{Exchange: x})
			p.publish(x, q, "m")
			p.counts(q, 1, 0)
		}
	})
}

func TestAMQP_AQ32_UnbindOfWhatHasGoneIsFine(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("q")
		for _, m := range []*wire.QueueUnbind{{Queue: "gone", Exchange: "amq.direct"}, {Queue: "q", Exchange: "gone"}, {Queue: "gone", Exchange: "amq.topic"}} {
			p.call("1 queue.unbind-ok", m)
		}
		p.call("1 exchange.unbind-ok", &wire.ExchangeUnbind{Destination: "gone", Source: "amq.direct"})
		w.refused("1 channel.close Code:404", &wire.QueueUnbind{Exchange: "amq.direct"}) // no queue was declared
		w.refused("1 channel.close Code:403", &wire.QueueUnbind{Queue: "q", Exchange: ""})
	})
}

func TestAMQP_AQ33_APassiveDeclareIsAUse(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q", Arguments: wire.Table{}.Append("x-expires", wire.Int(1000))})
		p.recv()
		for range 4 {
			w.Advance(700 * time.Millisecond)
			p.counts("q", 0, 0)
		}
		w.Advance(1200 * time.Millisecond)
		p.send(1, &wire.QueueDeclare{Queue: "q", Passive: true})
		p.expectPrefix("1 channel.close Code:404")
	})
}

func TestAMQP_AQ33_Arguments(t *testing.T) {
	simulate(t, func(w *world) {
		for name, c := range map[string]struct {
			v  wire.Value
			ok bool
		}{
			"x-expires": {wire.Int(1000), true}, "x-max-length": {wire.Int(10), true}, "x-max-length-bytes": {wire.Long(1 << 20), true},
			"x-overflow": {wire.Longstr("reject-publish-dlx"), true}, "x-delivery-limit": {wire.Int(3), true}, "x-queue-mode": {wire.Longstr("lazy"), true},
			"x-queue-type": {wire.Longstr("classic"), true}, "x-unknown": {wire.Bool(true), true},
			"x-message-ttl": {wire.Int(5), true}, "x-dead-letter-routing-key": {wire.Longstr("x"), false}, "x-max-priority": {wire.Int(9), false},
			"x-single-active-consumer": {wire.Bool(true), true},
		} {
			want := "1 channel.close Code:406"
			if c.ok {
				want = "1 queue.declare-ok"
			}
			w.refused(want, &wire.QueueDeclare{Queue: name, Arguments: wire.Table{}.Append(name, c.v)})
		}
		for name, v := range map[string]wire.Value{
			"x-expires": wire.Int(0), "x-max-length": wire.Longstr("10"), "x-overflow": wire.Longstr("drop-tail"),
			"x-queue-type": wire.Longstr("stream"), "x-message-ttl": wire.Int(0), "x-delivery-limit": wire.Int(-1),
		} {
			w.refused("1 channel.close Code:406", &wire.QueueDeclare{Queue: "bad", Arguments: wire.Table{}.Append(name, v)})
		}
	})
}

func TestAMQP_AQ35_TheSmallerTTLCounts(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q", Arguments: wire.Table{}.Append("x-message-ttl", wire.Int(2000))})
		p.publishWith(to("", "q"), &wire.Properties{Flags: wire.FlagExpiration, Expiration: []byte("60000")}, "queue")
		p.publishWith(to("", "q"), &wire.Properties{Flags: wire.FlagExpiration, Expiration: []byte("500")}, "message")
		w.Advance(1900 * time.Millisecond)
		p.publish("", "q", "younger")
		p.recv()
		p.send(1, &wire.BasicGet{Queue: "q", NoAck: true}, &wire.BasicGet{Queue: "q"})
		if got := p.recv(); len(got) != 2 || !contains(got[0], `"queue"`) || !contains(got[1], `"younger"`) {
			t.Fatal(got)
		}
		p.publish("", "q", "forgotten")
		w.Advance(1900 * time.Millisecond)
		p.counts("q", 1, 0)
		w.Advance(300 * time.Millisecond)
		p.counts("q", 0, 0)
		p.send(1, &wire.BasicReject{DeliveryTag: 2, Requeue: true}) // its time passed while it was out
		p.counts("q", 0, 0)
	})
}

func TestAMQP_AQ33_MaxLengthDropsTheHeadOrRefuses(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		limit := wire.Table{}.Append("x-max-length", wire.Int(1))
		p.send(1, &wire.ConfirmSelect{}, &wire.QueueDeclare{Queue: "drop", Arguments: limit},
			&wire.QueueDeclare{Queue: "reject", Arguments: limit.Append("x-overflow", wire.Longstr("reject-publish"))})
		p.recv()
		p.publish("", "drop", "1")
		p.publish("", "drop", "2")
		p.expect("1 basic.ack DeliveryTag:1 Multiple:false\n1 basic.ack DeliveryTag:2 Multiple:false")
		p.call(`1 basic.get-ok DeliveryTag:1 Redelivered:false Exchange: RoutingKey:drop MessageCount:0 "2"`, &wire.BasicGet{Queue: "drop", NoAck: true})
		p.publish("", "reject", "1")
		p.publish("", "reject", "2")
		p.expect("1 basic.ack DeliveryTag:3 Multiple:false\n1 basic.nack DeliveryTag:4 Multiple:false Requeue:false")
	})
}

// Only ready messages are considered.
func TestAMQP_AQ33_LengthsCountWhatWaits(t *testing.T) {
	for name, limit := range map[string]wire.Table{
		"messages": wire.Table{}.Append("x-max-length", wire.Int(2)),
		"bytes":    wire.Table{}.Append("x-max-length-bytes", wire.Int(250)), // two of about 100
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, func(w *world) {
				p := w.dial()
				p.send(1, &wire.QueueDeclare{Queue: "q", Arguments: limit}, &wire.BasicQos{PrefetchCount: 3}, &wire.BasicConsume{Queue: "q", ConsumerTag: "c"})
				p.recv()
				for _, body := range []string{"1", "2", "3", "4", "5", "6"} {
					p.publish("", "q", body)
				}
				if got := p.recv(); len(got) != 3 {
					t.Fatal(got)
				}
				p.counts("q", 2, 1)
				p.send(1, &wire.BasicCancel{ConsumerTag: "c"}, &wire.BasicNack{DeliveryTag: 3, Multiple: true, Requeue: true}) // the oldest, and too many
				p.recv()
				p.counts("q", 2, 0)
				p.call(`1 basic.get-ok DeliveryTag:4 Redelivered:false Exchange: RoutingKey:q MessageCount:1 "5"`, &wire.BasicGet{Queue: "q"})
			})
		})
	}
}

// A burst that one read brings is not dropped before consumers that have room for it.
func TestAMQP_AQ33_ABurstReachesAConsumerPastTheLength(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q", Arguments: wire.Table{}.Append("x-max-length", wire.Int(1))}, &wire.BasicConsume{Queue: "q", ConsumerTag: "c"})
		p.recv()
		var burst []byte
		for range 200 {
			burst = append(burst, content(1, to("", "q"), nil, "m", p.max)...)
		}
		p.Send(burst)
		if got := p.recv(); len(got) != 200 {
			t.Fatal(len(got))
		}
	})
}

func TestAMQP_AQ33_AnUnusedQueueExpiresWithItsMessages(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("dead")
		expires := dying("q", "", "dead", wire.Table{}.Append("x-expires", wire.Int(1000)))
		expires.Durable = true
		p.send(1, expires)
		p.recv()
		p.publish("", "q", "1")
		p.publish("", "q", "2")
		w.Advance(700 * time.Millisecond)
		p.publish("", "q", "3")
		p.counts("q", 3, 0) // a use, as RabbitMQ takes it
		w.Advance(700 * time.Millisecond)
		p.send(1, &wire.BasicGet{Queue: "q"})
		p.recv()
		w.Advance(900 * time.Millisecond)
		p.publish("", "q", "4") // is no use
		w.Advance(200 * time.Millisecond)
		p.counts("dead", 0, 0)
		p.send(1, &wire.BasicAck{DeliveryTag: 1}) // of what has gone with it
		p.expect("")
		p.send(1, &wire.QueueDeclare{Queue: "q", Passive: true})
		p.expectPrefix("1 channel.close Code:404")
	})
}
