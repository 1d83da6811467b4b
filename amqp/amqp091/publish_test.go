package amqp091_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

func sprintf(f string, args ...any) string { return fmt.Sprintf(f, args...) }

func contains(s, part string) bool { return strings.Contains(s, part) }

func to(exchange, key string) *wire.BasicPublish {
	return &wire.BasicPublish{Exchange: []byte(exchange), RoutingKey: []byte(key)}
}

func TestAMQP_AQ6_TooLargeEndsTheChannelAndIsDrained(t *testing.T) {
	simulateWith(t, amqp091.Config{MaxMessage: 1000}, adaptertest.Options{}, func(w *world) {
		p := w.dial()
		p.publish("", "q", strings.Repeat("x", 1001))
		p.expect("1 channel.close Code:311 Text:CONTENT_TOO_LARGE - message of 1001 octets is above max_message ClassID:60 MethodID:40")
		p.send(1, &wire.ChannelCloseOk{}, &wire.ChannelOpen{})
		p.expect("1 channel.open-ok")
	})
}

func TestIncompleteMessagesOfAConnectionAreBounded(t *testing.T) {
	simulateWith(t, amqp091.Config{MaxMessage: 1000}, adaptertest.Options{}, func(w *world) {
		p := w.dial()
		part := content(1, to("", "q"), nil, strings.Repeat("x", 1000), 500+8)
		part = part[:len(part)-508] // half a body is missing
		for ch := uint16(2); ch <= 10; ch++ {
			p.send(ch, &wire.ChannelOpen{})
			for in := part; len(in) > 0; {
				_, n, err := wire.Scan(in, p.max)
				if err != nil {
					t.Fatal(err)
				}
				f := append([]byte{}, in[:n]...)
				f[2] = byte(ch)
				p.Send(f)
				in = in[n:]
			}
		}
		got := p.recv()
		if last := got[len(got)-1]; !strings.HasPrefix(last, "0 connection.close Code:506") {
			t.Fatal(got)
		}
	})
}

func TestAMQP_AQ37_MandatoryIsReturnedBeforeTheConfirm(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.ConfirmSelect{})
		p.recv()
		for i, x := range []string{"", "amq.topic", "amq.direct"} {
			m := to(x, "nowhere")
			m.Mandatory = true
			p.publishWith(m, persistent, "m")
			p.expect(sprintf("1 basic.return Code:312 Text:NO_ROUTE Exchange:%s RoutingKey:nowhere mode=2 \"m\"\n1 basic.ack DeliveryTag:%d Multiple:false", x, i+1))
		}
		p.publish("", "nowhere", "m")
		p.expect("1 basic.ack DeliveryTag:4 Multiple:false")
	})
}

func TestAMQP_AQ37_UnknownExchangeAndImmediate(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.publish("none", "k", "m")
		p.expect("1 channel.close Code:404 Text:NOT_FOUND - no exchange 'none' in vhost '/' ClassID:60 MethodID:40")
		p = w.dial()
		p.send(1, &wire.BasicPublish{Immediate: true})
		p.expectPrefix("0 connection.close Code:540")
	})
}

func TestAMQP_AQ37_LargeBodiesAndAllPropertiesArriveByteExact(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q"})
		p.recv()
		props := &wire.Properties{
			Flags: 0xfffc &^ wire.FlagUserID, ContentType: []byte("a/b"), ContentEncoding: []byte("gzip"), DeliveryMode: 1, Priority: 7,
			CorrelationID: []byte{0xff, 0}, ReplyTo: []byte("r"), Expiration: []byte("60000"), MessageID: []byte("m"), Timestamp: 1, Type: []byte("t"),
			AppID: []byte("a"), ClusterID: []byte("c"),
			Headers: wire.Table{}.Append("i", wire.Value{Type: 's', Raw: []byte{1, 2}}).Append("t", wire.Nested(wire.Table{}.Append("v", wire.Void()))).Append("i", wire.Int(2)),
		}
		body := strings.Repeat("0123456789", 200_000)
		in := content(1, to("", "q"), props, body, p.max)
		p.SendSplit(in, 50_000)
		p.send(1, &wire.BasicGet{Queue: "q", NoAck: true})
		out := p.Recv()
		_, n, err := wire.Scan(out, p.max)
		if err != nil {
			t.Fatal(err)
		}
		_, m, err := wire.Scan(in, p.max)
		if err != nil || string(out[n:]) != string(in[m:]) {
			t.Fatalf("header and body differ: %d and %d octets, %v", len(out)-n, len(in)-m, err)
		}
	})
}

func TestAMQP_AQ38_WhatAPublishMayNotSay(t *testing.T) {
	simulate(t, func(w *world) {
		for name, p := range map[string]*wire.Properties{
			"expiration":       {Flags: wire.FlagExpiration, Expiration: []byte("1s")},
			"empty expiration": {Flags: wire.FlagExpiration},
			"negative":         {Flags: wire.FlagExpiration, Expiration: []byte("-1")},
			"user-id":          {Flags: wire.FlagUserID, UserID: []byte("root")},
		} {
			c := w.dial()
			c.publishWith(to("", "q"), p, "m")
			if got := c.recv(); len(got) != 1 || !strings.HasPrefix(got[0], "1 channel.close Code:406") {
				t.Errorf("%s: %q", name, got)
			}
		}
		c := w.dial()
		c.publishWith(to("", "q"), &wire.Properties{Flags: wire.FlagUserID | wire.FlagExpiration, UserID: []byte("guest"), Expiration: []byte("99999999999999999999")}, "m")
		c.expect("")
	})
}

func TestAMQP_AQ39_EmptyKeyMatchesItsBindingsOnly(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		for q, key := range map[string]string{"e": "", "h": "#", "hh": "#.#", "star": "*", "sh": "*.#", "a": "a"} {
			p.send(1, &wire.QueueDeclare{Queue: q}, &wire.QueueBind{Queue: q, Exchange: "amq.topic", RoutingKey: key})
		}
		p.recv()
		p.publish("amq.topic", "", "m")
		for q, n := range map[string]int{"e": 1, "h": 1, "hh": 1, "star": 0, "sh": 0, "a": 0} {
			p.call(sprintf("1 queue.declare-ok Queue:%s MessageCount:%d ConsumerCount:0", q, n), &wire.QueueDeclare{Queue: q, Passive: true})
		}
		p.call(`1 basic.get-ok DeliveryTag:1 Redelivered:false Exchange:amq.topic RoutingKey: MessageCount:0 "m"`, &wire.BasicGet{Queue: "h", NoAck: true})
	})
}

// denies refuses publishing to topics that begin with its text.
type denies string

func (d denies) Authorize(_ *core.Principal, a core.Action, topic string) bool {
	return a != core.ActionPublish || !strings.HasPrefix(topic, string(d))
}

func TestAMQP_AQ40_ARefusalIs403AndKeepsEarlierConfirms(t *testing.T) {
	for prefix, x := range map[string]*wire.BasicPublish{
		"secret":         to("amq.topic", "secret.a"),
		"$queue/secret":  to("", "secret"),
		"secret/fan-out": to("amq.fanout", "secret.fan-out"),
	} {
		t.Run(prefix, func(t *testing.T) {
			o := adaptertest.Options{Core: func(o *core.Options) { o.Authorizer = denies(prefix) }}
			simulateWith(t, amqp091.Config{}, o, func(w *world) {
				p := w.dial()
				p.send(1, &wire.ConfirmSelect{})
				p.recv()
				p.Send(content(1, to("amq.topic", "free"), nil, "m", p.max), content(1, x, nil, "m", p.max))
				got := p.recv()
				if len(got) != 2 || got[0] != "1 basic.ack DeliveryTag:1 Multiple:false" || !strings.HasPrefix(got[1], "1 channel.close Code:403") {
					t.Fatal(got)
				}
			})
		})
	}
}

// ownOnly allows queues, exchanges and topics whose name begins with "own".
type ownOnly struct{}

func (ownOnly) Authorize(_ *core.Principal, _ core.Action, topic string) bool {
	return strings.HasPrefix(strings.TrimPrefix(topic, "$queue/"), "own")
}

func TestAMQP_AQ40_TopologyAsksForItsRights(t *testing.T) {
	o := adaptertest.Options{Core: func(o *core.Options) { o.Authorizer = ownOnly{} }}
	simulateWith(t, amqp091.Config{}, o, func(w *world) {
		q, x := &wire.QueueDeclare{Queue: "own.q"}, &wire.ExchangeDeclare{Exchange: "own.x", Type: "topic"}
		w.refused("1 queue.declare-ok", q)
		w.refused("1 exchange.declare-ok", x)
		w.refused("1 queue.bind-ok", &wire.QueueBind{Queue: "own.q", Exchange: "own.x", RoutingKey: "#"})
		w.refused("1 queue.bind-ok", &wire.QueueBind{Queue: "own.q", Exchange: "amq.topic", RoutingKey: "own.#"})
		for _, m := range []wire.Method{
			&wire.QueueDeclare{Queue: "q"}, &wire.ExchangeDeclare{Exchange: "x", Type: "topic"},
			&wire.QueueBind{Queue: "own.q", Exchange: "amq.topic", RoutingKey: "#"}, &wire.QueueBind{Queue: "own.q", Exchange: "amq.direct"},
			&wire.ExchangeBind{Destination: "own.x", Source: "amq.fanout"},
		} {
			w.refused("1 channel.close Code:403", m)
		}
	})
}

func TestAMQP_AM10_SystemTopicsAreRefused(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.publish("amq.topic", "$SYS.x", "m")
		p.expectPrefix("1 channel.close Code:403")
	})
}

func TestAMQP_AM9_ConsumersSeeTheKeyThatWasPublished(t *testing.T) {
	simulate(t, func(w *world) {
		p := w.dial()
		p.send(1, &wire.QueueDeclare{Queue: "q"}, &wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "#"}, &wire.BasicConsume{Queue: "q", ConsumerTag: "c", NoAck: true})
		p.recv()
		for i, key := range []string{"a.b", "a/b.c", "a+b", "a#b", "50%", "a%2eb", "ü.é", "a..b", "."} {
			p.publish("amq.topic", key, "m")
			p.expect(deliver("c", i+1, false, "amq.topic", key, `"m"`))
		}
	})
}

func TestAMQP_AM11_CompatSwapsPlainlyAndDropsWhatIsIllegal(t *testing.T) {
	simulateWith(t, amqp091.Config{Compat: "rabbitmq"}, adaptertest.Options{}, func(w *world) {
		p := w.dial()
		p.send(1, &wire.ConfirmSelect{}, &wire.QueueDeclare{Queue: "q"}, &wire.QueueBind{Queue: "q", Exchange: "amq.topic", RoutingKey: "a.#"})
		p.recv()
		p.publish("amq.topic", "a/b.c", "m")
		p.publish("amq.topic", "a.b*c", "m")
		p.publish("amq.topic", "a.b+c", "m")
		p.expect("1 basic.ack DeliveryTag:1 Multiple:false\n1 basic.ack DeliveryTag:2 Multiple:false\n1 basic.ack DeliveryTag:3 Multiple:false")
		p.call(`1 basic.get-ok DeliveryTag:1 Redelivered:false Exchange:amq.topic RoutingKey:a/b.c MessageCount:0 "m"`, &wire.BasicGet{Queue: "q"})
	})
}
