package amqp091

import (
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// directReply is the name that asks for replies without a queue of one's own
// (RabbitMQ's direct reply-to; AQ36). Behind it stands a queue that lives as
// long as its one consumer.
const directReply = "amq.rabbitmq.reply-to"

// replyQueue makes the queue of a channel that consumes its replies.
func (ch *channel) replyQueue(m *wire.BasicConsume) (name string, err error) {
	switch {
	case !m.NoAck:
		return "", &wire.Error{Code: wire.PreconditionFailed, Text: "reply consumer cannot acknowledge"}
	case ch.replies != "":
		return "", &wire.Error{Code: wire.PreconditionFailed, Text: "reply consumer already set"}
	}
	name = generated(directReply + ".")
	if _, _, _, _, r := ch.c.session.Declare(ch.c.t, core.QueueSpec{Name: name, AutoDelete: true}); r != core.OK {
		return "", queueError(r, name)
	}
	ch.replies = name
	return name, nil
}

// answerable puts the reply queue's name into a request.
func (ch *channel) answerable(p *publication) error {
	if !p.props.Has(wire.FlagReplyTo) || string(p.props.ReplyTo) != directReply {
		return nil
	}
	if ch.replies == "" {
		return &wire.Error{Code: wire.PreconditionFailed, Text: "fast reply consumer does not exist"}
	}
	p.props.ReplyTo = []byte(ch.replies)
	p.properties = p.props.AppendTo(nil)
	return nil
}
