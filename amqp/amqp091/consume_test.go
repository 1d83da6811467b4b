package amqp091_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

// queue declares a queue and puts messages into it.
func (p *peer) queue(name string, bodies ...string) {
	p.t.Helper()
	p.send(1, &wire.QueueDeclare{Queue: name})
	for _, b := range bodies {
		p.publish("", name, b)
	}
	p.recv()
}

// counts checks what a queue holds ready.
func (p *peer) counts(name string, messages, consumers int) {
	p.t.Helper()
	p.call(sprintf("1 queue.declare-ok Queue:%s MessageCount:%d ConsumerCount:%d", name, messages, consumers), &wire.QueueDeclare{Queue: name, Passive: true})
}

func consume(queue, tag string) *wire.BasicConsume {
	return &wire.BasicConsume{Queue: queue, ConsumerTag: tag}
}

func TestAMQP_AQ44_PrefetchIsTheWindowOfLaterConsumers(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("q", "1", "2", "3", "4")
		p.call(`1 basic.qos-ok
			1 basic.consume-ok ConsumerTag:c
			1 basic.qos-ok
			`+deliver("c", 1, false, "", "q", `"1"`)+"\n"+deliver("c", 2, false, "", "q", `"2"`),
			&wire.BasicQos{PrefetchCount: 2}, consume("q", "c"), &wire.BasicQos{PrefetchCount: 9})
		p.call(deliver("c", 3, false, "", "q", `"3"`), &wire.BasicAck{DeliveryTag: 2})
		p.call(deliver("c", 4, false, "", "q", `"4"`), &wire.BasicAck{DeliveryTag: 3, Multiple: true})
	})
}

func TestAMQP_AQ44_GlobalPrefetchIsSharedByTheChannel(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("a", "1", "2")
		p.queue("b", "3", "4")
		p.call("1 basic.qos-ok\n1 basic.consume-ok ConsumerTag:a\n1 basic.consume-ok ConsumerTag:b\n"+
			deliver("a", 1, false, "", "a", `"1"`)+"\n"+deliver("a", 2, false, "", "a", `"2"`),
			&wire.BasicQos{PrefetchCount: 2, Global: true}, consume("a", "a"), consume("b", "b"))
		p.call(deliver("b", 3, false, "", "b", `"3"`), &wire.BasicAck{DeliveryTag: 1})
		p.send(1, &wire.BasicQos{Global: true})
		p.expect("1 basic.qos-ok\n" + deliver("b", 4, false, "", "b", `"4"`))
	})
}

func TestAMQP_AQ44_GlobalPrefetchGivesEachConsumerItsTurn(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		for _, q := range []string{"a", "b", "c"} {
			p.queue(q, "1", "2", "3")
		}
		p.call("1 basic.qos-ok\n1 basic.consume-ok ConsumerTag:a\n1 basic.consume-ok ConsumerTag:b\n1 basic.consume-ok ConsumerTag:c\n"+
			deliver("a", 1, false, "", "a", `"1"`),
			&wire.BasicQos{PrefetchCount: 1, Global: true}, consume("a", "a"), consume("b", "b"), consume("c", "c"))
		for n, tag := range []string{"b", "c", "a", "b", "c"} {
			p.call(deliver(tag, n+2, false, "", tag, sprintf("%q", "11222"[n:n+1])), &wire.BasicAck{DeliveryTag: uint64(n + 1)})
		}
	})
}

func TestAMQP_AQ44_GlobalPrefetchDoesNotCountGets(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("q", "1", "2", "3")
		p.send(1, &wire.BasicQos{PrefetchCount: 1, Global: true}, consume("q", "c"))
		p.recv()
		p.send(1, &wire.BasicGet{Queue: "q"})
		p.recv()
		p.call(deliver("c", 3, false, "", "q", `"3"`), &wire.BasicAck{DeliveryTag: 1})
	})
}

func TestAMQP_AQ44_PrefetchSizeIsNotOffered(t *testing.T) {
	simulate(t, func(w *world) { w.refused("0 connection.close Code:540", &wire.BasicQos{PrefetchSize: 1}) })
}

func TestAMQP_AQ44_NoAckConsumersIgnoreWindows(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("q", "1", "2", "3")
		p.send(1, &wire.BasicQos{PrefetchCount: 1}, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
		if got := p.recv(); len(got) != 5 {
			t.Fatal(got)
		}
		p.counts("q", 0, 1)
	})
}

func TestAMQP_AQ45_ConsumerTags(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("q", "m")
		p.send(1, consume("q", ""))
		got := p.recv()
		if len(got) != 2 || !regexp.MustCompile(`^1 basic.consume-ok ConsumerTag:amq\.ctag-[\w-]{22}$`).MatchString(got[0]) || !strings.HasPrefix(got[1], "1 basic.deliver ") {
			t.Fatal(got)
		}
		w.refused("0 connection.close Code:530", &wire.QueueDeclare{Queue: "q"}, consume("q", "c"), consume("q", "c"))
		w.refused("1 channel.close Code:404", consume("none", "c"))
	})
}

func TestAMQP_AQ45_ExclusiveConsumer(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("q")
		x := &wire.BasicConsume{Queue: "q", Exclusive: true, ConsumerTag: "x"}
		p.call("1 basic.consume-ok ConsumerTag:x", x)
		w.refused("1 channel.close Code:403", consume("q", "c"))
		p.call("1 basic.cancel-ok ConsumerTag:x\n1 basic.consume-ok ConsumerTag:c", &wire.BasicCancel{ConsumerTag: "x"}, consume("q", "c"))
		w.refused("1 channel.close Code:403", x)
	})
}

func TestAMQP_AQ45_NoLocal(t *testing.T) {
	simulate(t, func(w *world) {
		p, q := w.dial(), w.dial()
		p.queue("q")
		p.call("1 basic.consume-ok ConsumerTag:c", &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoLocal: true, NoAck: true})
		p.publish("", "q", "mine")
		q.publish("", "q", "yours")
		p.expect(deliver("c", 1, false, "", "q", `"yours"`))
	})
}

func TestAMQP_AQ45_HigherPriorityFirstWhileItHasWindow(t *testing.T) {
	simulate(t, func(w *world) {
		low, high := w.dial(), w.dial()
		low.queue("q")
		for p, priority := range map[*peer]int64{low: -1, high: 5} {
			m := consume("q", "c")
			m.Arguments = wire.Table{}.Append("x-priority", wire.Int(priority))
			p.send(1, &wire.BasicQos{PrefetchCount: 3}, m)
			p.recv()
		}
		var in []byte
		for range 5 {
			in = append(in, content(1, to("", "q"), nil, "m", low.max)...)
		}
		low.Send(in)
		if nl, nh := len(low.recv()), len(high.recv()); nl != 2 || nh != 3 {
			t.Fatalf("low %d, high %d", nl, nh)
		}
		high.send(1, &wire.BasicAck{DeliveryTag: 2, Multiple: true})
		low.Send(in[:len(in)/5*3])
		if nl, nh := len(low.recv()), len(high.recv()); nl != 1 || nh != 2 {
			t.Fatalf("low %d, high %d", nl, nh)
		}
		high.Drop()
		if nl := len(low.recv()); nl != 0 { // its window is full
			t.Fatalf("low %d", nl)
		}
		low.send(1, &wire.BasicAck{Multiple: true})
		if nl := len(low.recv()); nl != 3 {
			t.Fatalf("low %d", nl)
		}
		bad := consume("q", "d")
		bad.Arguments = wire.Table{}.Append("x-priority", wire.Longstr("5"))
		w.refused("1 channel.close Code:406", bad)
	})
}

func TestAMQP_AQ33_OneConsumerIsActiveAtATime(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.dial(), w.dial()
		a.send(1, &wire.QueueDeclare{Queue: "q", Arguments: wire.Table{}.Append("x-single-active-consumer", wire.Bool(true))})
		for _, p := range []*peer{a, b} {
			p.send(1, consume("q", "c"))
			p.recv()
		}
		for range 4 {
			b.publish("", "q", "m")
		}
		if na, nb := len(a.recv()), len(b.recv()); na != 4 || nb != 0 {
			t.Fatalf("%d and %d", na, nb)
		}
		a.send(1, &wire.BasicAck{DeliveryTag: 1})
		a.Drop()
		if nb := len(b.recv()); nb != 3 {
			t.Fatalf("the next got %d", nb)
		}
		b.publish("", "q", "m")
		if nb := len(b.recv()); nb != 1 {
			t.Fatalf("the next got %d", nb)
		}
	})
}

func TestAMQP_AQ46_EqualConsumersShareEqually(t *testing.T) {
	simulate(t, func(w *world) {
		a, b := w.dial(), w.dial()
		a.queue("q")
		for _, p := range []*peer{a, b} {
			p.send(1, &wire.BasicQos{PrefetchCount: 5}, consume("q", "c"))
			p.recv()
		}
		for range 10 {
			a.publish("", "q", "m")
		}
		if na, nb := len(a.recv()), len(b.recv()); na != 5 || nb != 5 {
			t.Errorf("shares %d and %d", na, nb)
		}
	})
}

func TestAMQP_AQ47_CancelLeavesDeliveriesSettleable(t *testing.T) {
	simulate(t, func(w *world) {
		p, q := w.dial(), w.dial()
		p.queue("q", "1", "2")
		p.send(1, consume("q", "c"))
		p.recv()
		p.call("1 basic.cancel-ok ConsumerTag:c\n1 basic.cancel-ok ConsumerTag:unknown", &wire.BasicCancel{ConsumerTag: "c"}, &wire.BasicCancel{ConsumerTag: "unknown"})
		p.publish("", "q", "3")
		p.expect("")
		p.counts("q", 1, 0)
		p.call("", &wire.BasicAck{DeliveryTag: 1}, &wire.BasicReject{DeliveryTag: 2, Requeue: true})
		q.call("1 basic.consume-ok ConsumerTag:d\n"+
			deliver("d", 1, true, "", "q", `x-delivery-count=I:"\x00\x00\x00\x01"/1 "2"`)+"\n"+deliver("d", 2, false, "", "q", `"3"`), consume("q", "d"))
	})
}

func TestAMQP_AQ47_ADeletedQueueCancelsItsConsumers(t *testing.T) {
	simulate(t, func(w *world) {
		p, q := w.dial(), w.dial()
		p.queue("q")
		p.send(1, consume("q", "c"))
		p.recv()
		q.call("1 queue.delete-ok MessageCount:0", &wire.QueueDelete{Queue: "q"})
		p.expect("1 basic.cancel ConsumerTag:c NoWait:true")
	})
}

func TestAMQP_AQ48_GetCountsWhatRemains(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("q", "1", "2")
		p.call(`1 basic.get-ok DeliveryTag:1 Redelivered:false Exchange: RoutingKey:q MessageCount:1 "1"
			1 basic.get-ok DeliveryTag:2 Redelivered:false Exchange: RoutingKey:q MessageCount:0 "2"
			1 basic.get-empty`,
			&wire.BasicGet{Queue: "q"}, &wire.BasicGet{Queue: "q", NoAck: true}, &wire.BasicGet{Queue: "q"})
		p.call("1 channel.close-ok\n1 channel.open-ok", &wire.ChannelClose{Code: 200}, &wire.ChannelOpen{})
		p.counts("q", 1, 0)
	})
}

func TestAMQP_AQ49_Acknowledgements(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("q", "1", "2", "3")
		get := &wire.BasicGet{Queue: "q"}
		p.send(1, &wire.BasicAck{Multiple: true}, get, get, get, &wire.BasicAck{Multiple: true}, &wire.BasicAck{Multiple: true})
		if got := p.recv(); len(got) != 3 {
			t.Fatal(got)
		}
		p.counts("q", 0, 0)
		one := &wire.QueueDeclare{Queue: "one"}
		for _, bad := range []wire.Method{
			&wire.BasicAck{DeliveryTag: 1}, &wire.BasicAck{}, &wire.BasicNack{DeliveryTag: 7}, &wire.BasicReject{DeliveryTag: 1}, &wire.BasicAck{DeliveryTag: 9, Multiple: true},
		} {
			w.refused("1 channel.close Code:406 Text:PRECONDITION_FAILED - unknown delivery tag", one, bad)
		}
	})
}

func TestAMQP_AQ49_ASecondAckAndAckUnderNoAck(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("q", "1", "2")
		w.refused("1 channel.close Code:406", &wire.BasicGet{Queue: "q"}, &wire.BasicAck{DeliveryTag: 1}, &wire.BasicAck{DeliveryTag: 1})
		w.refused("1 channel.close Code:406", &wire.BasicGet{Queue: "q", NoAck: true}, &wire.BasicAck{DeliveryTag: 1})
	})
}

func TestAMQP_AQ49_RequeueReturnsToTheHead(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("q", "1", "2", "3")
		get := &wire.BasicGet{Queue: "q"}
		p.send(1, get, get, &wire.BasicNack{DeliveryTag: 2, Multiple: true, Requeue: true})
		p.recv()
		again := `Redelivered:true Exchange: RoutingKey:q MessageCount:%d x-delivery-count=I:"\x00\x00\x00\x01"/1 "%d"`
		p.call("1 basic.get-ok DeliveryTag:3 "+sprintf(again, 2, 1)+"\n1 basic.get-ok DeliveryTag:4 "+sprintf(again, 1, 2), get, get)
		p.call("", &wire.BasicReject{DeliveryTag: 3})
		p.call("", &wire.BasicNack{DeliveryTag: 4})
		p.counts("q", 1, 0)
	})
}

func TestAMQP_AQ50_RecoverRequeuesInOrder(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("q", "1", "2")
		get := &wire.BasicGet{Queue: "q"}
		p.send(1, get, get)
		p.recv()
		p.call("1 basic.recover-ok", &wire.BasicRecover{Requeue: true})
		p.counts("q", 2, 0)
		p.send(1, get)
		if got := p.recv(); !strings.HasSuffix(got[0], `"1"`) {
			t.Fatal(got)
		}
		p.call("", &wire.BasicRecoverAsync{Requeue: true})
		p.counts("q", 2, 0)
		w.refused("0 connection.close Code:540", &wire.BasicRecover{})
	})
}

func TestAMQP_AQ50_DeliveryLimitEndsAMessage(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q", Arguments: wire.Table{}.Append("x-delivery-limit", wire.Int(1))})
		p.publish("", "q", "m")
		get, back := &wire.BasicGet{Queue: "q"}, func(n uint64) wire.Method { return &wire.BasicReject{DeliveryTag: n, Requeue: true} }
		p.send(1, get, back(1), get, back(2))
		p.recv()
		p.call("1 basic.get-empty", get)
	})
}

func TestAMQP_AQ51_AnAcknowledgementMayNotTakeForEver(t *testing.T) {
	simulateWith(t, amqp091.Config{ConsumerTimeout: 10 * time.Minute}, adaptertest.Options{}, func(w *world) {
		p := w.dial()
		p.queue("q", "m")
		p.send(1, consume("q", "c"))
		p.recv()
		w.Advance(9 * time.Minute)
		p.expect("")
		w.Advance(2 * time.Minute)
		p.expectPrefix("1 channel.close Code:406 Text:PRECONDITION_FAILED - delivery acknowledgement timed out")
		w.dial().counts("q", 1, 0)
	})
}

func TestAMQP_AQ44_AStalledClientStopsDeliveries(t *testing.T) {
	simulate(t, func(w *world) {
		p, q := w.dial(), w.dial()
		p.queue("q")
		p.call("1 basic.consume-ok ConsumerTag:c", &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
		p.Stall()
		body := strings.Repeat("x", 10_000)
		for range 400 {
			q.publish("", "q", body)
		}
		q.send(1, &wire.QueueDeclare{Queue: "q", Passive: true})
		if got := q.recv(); len(got) != 1 || strings.Contains(got[0], "MessageCount:0 ") {
			t.Fatal(got)
		}
		p.Unstall()
		if got := p.recv(); len(got) != 400 {
			t.Fatal(len(got))
		}
	})
}

func TestLargeMessagesAreTakenAsTheyAreWritten(t *testing.T) {
	simulate(t, func(w *world) {
		p, q := w.dial(), w.dial()
		p.queue("q")
		body := strings.Repeat("x", 300_000)
		for range 10 {
			q.publish("", "q", body)
		}
		p.Stall()
		p.send(1, consume("q", "ack"), &wire.BasicQos{})
		p.send(1, &wire.BasicCancel{ConsumerTag: "ack"})
		p.Unstall()
		got := p.recv()
		n := len(got) - 3 // consume-ok, qos-ok, cancel-ok
		if n < 1 || n > 6 || got[len(got)-1] != "1 basic.cancel-ok ConsumerTag:ack" {
			t.Fatal(got)
		}
		q.counts("q", 10-n, 0)
		q.send(1, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
		if got := q.recv(); len(got) != 1+10-n {
			t.Fatal(got)
		}
	})
}

func TestAMQP_AQ30_DurableQueuesSurviveARestart(t *testing.T) {
	restart(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.ConfirmSelect{}, &wire.QueueDeclare{Queue: "d", Durable: true}, &wire.QueueDeclare{Queue: "t"}, &wire.QueueBind{Queue: "d", Exchange: "amq.topic", RoutingKey: "a.#.z"})
		p.recv()
		p.publishWith(to("", "d"), persistent, "kept")
		p.expect("1 basic.ack DeliveryTag:1 Multiple:false")
	}, func(w *world) {
		p := w.dial()
		p.publishWith(to("amq.topic", "a.b.z"), persistent, "bound")
		p.call(`1 basic.get-ok DeliveryTag:1 Redelivered:false Exchange: RoutingKey:d MessageCount:1 mode=2 "kept"
			1 basic.get-ok DeliveryTag:2 Redelivered:false Exchange:amq.topic RoutingKey:a.b.z MessageCount:0 mode=2 "bound"`,
			&wire.BasicGet{Queue: "d"}, &wire.BasicGet{Queue: "d"})
		p.send(1, &wire.QueueDeclare{Queue: "t", Passive: true})
		p.expectPrefix("1 channel.close Code:404")
	})
}
