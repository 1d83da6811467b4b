package amqp091_test

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

// dying declares a queue whose dead letters go to an exchange.
func dying(name, to, key string, more wire.Table) *wire.QueueDeclare {
	args := wire.Table{}.Append("x-dead-letter-exchange", wire.Longstr(to))
	if key != "" {
		args = args.Append("x-dead-letter-routing-key", wire.Longstr(key))
	}
	return &wire.QueueDeclare{Queue: name, Arguments: append(args, more...)}
}

// deaths reads x-death of the only line: reason, queue, count, exchange, key.
func (p *peer) deaths(queue string) (s string) {
	p.t.Helper()
	p.send(1, &wire.BasicGet{Queue: queue, NoAck: true})
	out := p.Recv()
	for len(out) > 0 {
		f, n, err := wire.Scan(out, p.max)
		if err != nil {
			p.t.Fatal(err)
		}
		out = out[n:]
		var h wire.Header
		var props wire.Properties
		if f.Type != wire.FrameHeader || h.Parse(f.Payload) != nil || props.Parse(h.Properties) != nil {
			continue
		}
		v, _ := props.Headers.Get("x-death")
		for e := range v.Array() {
			t, _ := e.Table()
			get := func(name string) wire.Value { v, _ := t.Get(name); return v }
			count, _ := get("count").Int()
			key := ""
			for k := range get("routing-keys").Array() {
				key += string(k.Raw)
			}
			s += sprintf("%s %s %d %s %s;", get("reason").Raw, get("queue").Raw, count, get("exchange").Raw, key)
		}
		if first, ok := props.Headers.Get("x-first-death-reason"); ok {
			s += string(first.Raw)
		}
		if props.Has(wire.FlagExpiration) {
			s += " expiration"
		}
	}
	return s
}

func TestAMQP_AQ34_EveryCauseIsDeadLettered(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("dead")
		p.send(1, &wire.ExchangeDeclare{Exchange: "dlx", Type: "direct"}, &wire.QueueBind{Queue: "dead", Exchange: "dlx", RoutingKey: "k"})
		get := func(q string) wire.Method { return &wire.BasicGet{Queue: q} }
		p.send(1, dying("rejected", "dlx", "k", nil), dying("expired", "dlx", "k", wire.Table{}.Append("x-message-ttl", wire.Int(1000))),
			dying("maxlen", "dlx", "k", wire.Table{}.Append("x-max-length", wire.Int(1))), dying("limit", "dlx", "k", wire.Table{}.Append("x-delivery-limit", wire.Int(0))))
		for _, q := range []string{"rejected", "expired", "maxlen", "maxlen", "limit"} {
			p.publish("", q, "m")
		}
		p.recv()
		if got, want := p.deaths("dead"), "maxlen maxlen 1  maxlen;maxlen"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		p.send(1, get("rejected"), &wire.BasicReject{DeliveryTag: 2})
		p.recv()
		if got, want := p.deaths("dead"), "rejected rejected 1  rejected;rejected"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		p.send(1, get("limit"), &wire.BasicReject{DeliveryTag: 4, Requeue: true})
		p.recv()
		if got, want := p.deaths("dead"), "delivery_limit limit 1  limit;delivery_limit"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		w.Advance(1200 * time.Millisecond)
		if got, want := p.deaths("dead"), "expired expired 1  expired;expired"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestAMQP_AQ34_ARetryLoopCountsAndADeadCycleEnds(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		wait := wire.Table{}.Append("x-message-ttl", wire.Int(1000))
		p.send(1, dying("work", "", "wait", nil), dying("wait", "", "work", wait), dying("loop", "", "loop", wait))
		p.recv()
		p.publishWith(to("", "work"), &wire.Properties{Flags: wire.FlagExpiration, Expiration: []byte("60000")}, "m")
		for tag := uint64(1); tag <= 2; tag++ {
			p.send(1, &wire.BasicGet{Queue: "work"}, &wire.BasicReject{DeliveryTag: tag})
			w.Advance(1200 * time.Millisecond)
			p.recv()
		}
		if got, want := p.deaths("work"), "expired wait 2  wait;rejected work 2  work;rejected"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		p.publish("", "loop", "m")
		w.Advance(1200 * time.Millisecond)
		p.counts("loop", 0, 0)
	})
}

func TestAMQP_AQ34_DeadLettersReachTopics(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("q")
		p.send(1, &wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "dead.#"}, dying("t", "amq.topic", "dead.letters", nil))
		p.publish("", "t", "m")
		p.send(1, &wire.BasicGet{Queue: "t"}, &wire.BasicNack{DeliveryTag: 1})
		p.recv()
		p.send(1, &wire.BasicGet{Queue: "q"})
		if got := p.recv(); len(got) != 1 || !contains(got[0], "Exchange:amq.topic RoutingKey:dead.letters") {
			t.Fatal(got)
		}
		w.refused("1 channel.close Code:406", &wire.QueueDeclare{Queue: "x", Arguments: wire.Table{}.Append("x-dead-letter-exchange", wire.Int(1))})
	})
}

func TestAMQP_AQ34_DeadLetteringSurvivesARestart(t *testing.T) {
	restart(t, func(w *world) {
		p := w.dial()
		p.queue("dead")
		d := dying("d", "", "dead", nil)
		d.Durable = true
		p.send(1, d, &wire.ConfirmSelect{})
		p.publishWith(to("", "d"), persistent, "m")
	}, func(w *world) {
		p := w.dial()
		p.queue("dead")
		p.send(1, &wire.BasicGet{Queue: "d"}, &wire.BasicReject{DeliveryTag: 1})
		p.recv()
		if got, want := p.deaths("dead"), "rejected d 1  d;rejected"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestAMQP_AQ34_DeadLettersKeepTheKeysOfCC(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		for _, q := range []string{"one", "two", "own"} {
			p.queue(q)
			p.send(1, &wire.QueueBind{Queue: q, Exchange: "amq.direct", RoutingKey: q})
		}
		p.send(1, dying("plain", "amq.direct", "", nil), dying("keyed", "amq.direct", "own", nil))
		for _, q := range []string{"plain", "keyed"} {
			p.send(1, &wire.QueueBind{Queue: q, Exchange: "amq.fanout"})
		}
		p.recv()
		props := &wire.Properties{Flags: wire.FlagHeaders, Headers: wire.Table{}.Append("CC", wire.Array(wire.Longstr("two")))}
		p.publishWith(to("amq.fanout", "one"), props, "m")
		p.send(1, &wire.BasicGet{Queue: "plain"}, &wire.BasicGet{Queue: "keyed"}, &wire.BasicReject{DeliveryTag: 1}, &wire.BasicReject{DeliveryTag: 2})
		p.recv()
		for q, from := range map[string]string{"one": "plain", "two": "plain", "own": "keyed"} {
			p.counts(q, 1, 0)
			if got := p.deaths(q); got != "rejected "+from+" 1 amq.fanout onetwo;rejected" {
				t.Errorf("%s: %q", q, got)
			}
		}
		p.publishWith(to("", "keyed"), props, "m")
		p.send(1, &wire.BasicGet{Queue: "keyed"}, &wire.BasicReject{DeliveryTag: 6})
		p.recv()
		p.send(1, &wire.BasicGet{Queue: "own"})
		if got := p.recv(); len(got) != 1 || contains(got[0], "CC=") {
			t.Errorf("a key of the queue's own does not replace CC: %q", got)
		}
	})
}

func TestAMQP_AQ34_WhatAQueueGivesUpForItsLengthIsDeadLettered(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("dead")
		p.send(1, dying("q", "", "dead", wire.Table{}.Append("x-max-length", wire.Int(1))))
		p.recv()
		p.publish("", "q", "held")
		p.send(1, &wire.BasicGet{Queue: "q"})
		p.recv()
		p.publish("", "q", "waits")
		p.counts("dead", 0, 0)
		p.send(1, &wire.BasicReject{DeliveryTag: 1, Requeue: true}) // the oldest, and one too many
		if got := p.deaths("dead"); got != "maxlen q 1  q;maxlen" {
			t.Errorf("%q", got)
		}
		p.call(`1 basic.get-ok DeliveryTag:3 Redelivered:false Exchange: RoutingKey:q MessageCount:0 "waits"`, &wire.BasicGet{Queue: "q"})
	})
}

func TestAMQP_AQ34_WhatAQueueRefusesIsDeadLetteredIfItSaysSo(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.queue("dead")
		p.send(1, &wire.ConfirmSelect{}, dying("q", "", "dead", wire.Table{}.Append("x-max-length", wire.Int(1)).Append("x-overflow", wire.Longstr("reject-publish-dlx"))))
		p.recv()
		p.publish("", "q", "1")
		p.publish("", "q", "2")
		p.expect("1 basic.ack DeliveryTag:1 Multiple:false\n1 basic.nack DeliveryTag:2 Multiple:false Requeue:false")
		p.counts("q", 1, 0)
		if got := p.deaths("dead"); got != "maxlen q 1  q;maxlen" {
			t.Errorf("%q", got)
		}
	})
}
