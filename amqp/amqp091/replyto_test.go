package amqp091_test

import (
	"regexp"
	"testing"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
)

func TestAMQP_AQ36_DirectReplyTo(t *testing.T) {
	simulate(t, func(w *world) {
		client, server := w.dial(), w.dial()
		server.queue("rpc")
		request := &wire.Properties{Flags: wire.FlagReplyTo | wire.FlagCorrelationID, ReplyTo: []byte("amq.rabbitmq.reply-to"), CorrelationID: []byte("7")}
		client.call("1 basic.consume-ok ConsumerTag:r", &wire.BasicConsume{Queue: "amq.rabbitmq.reply-to", ConsumerTag: "r", NoAck: true})
		client.publishWith(to("", "rpc"), request, "ping")
		server.send(1, &wire.BasicGet{Queue: "rpc", NoAck: true})
		got := server.recv()
		m := regexp.MustCompile(`correlation-id=7 reply-to=(amq\.rabbitmq\.reply-to\.[\w-]{22}) "ping"$`).FindStringSubmatch(got[0])
		if m == nil {
			t.Fatal(got)
		}
		server.counts(m[1], 0, 1)
		server.publish("", m[1], "pong")
		client.expect(deliver("r", 1, false, "", m[1], `"pong"`))
		client.Drop()
		server.send(1, &wire.QueueDeclare{Queue: m[1], Passive: true})
		server.expectPrefix("1 channel.close Code:404")
	})
}

func TestAMQP_AQ36_WhatDirectRepliesAskFor(t *testing.T) {
	simulate(t, func(w *world) {
		reply := &wire.BasicConsume{Queue: "amq.rabbitmq.reply-to", NoAck: true}
		w.refused("1 channel.close Code:406", &wire.BasicConsume{Queue: "amq.rabbitmq.reply-to"})
		w.refused("1 channel.close Code:406", reply, reply)
		p := w.dial()
		p.publishWith(to("", "q"), &wire.Properties{Flags: wire.FlagReplyTo, ReplyTo: []byte("amq.rabbitmq.reply-to")}, "m")
		p.expectPrefix("1 channel.close Code:406")
		p = w.dial()
		p.send(1, &wire.BasicConsume{Queue: "amq.rabbitmq.reply-to", ConsumerTag: "r", NoAck: true}, &wire.BasicCancel{ConsumerTag: "r"}, reply)
		if got := p.recv(); len(got) != 3 {
			t.Fatal(got)
		}
	})
}
