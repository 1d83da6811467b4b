package amqp091

import (
	"strings"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/amqp/exchange"
	"github.com/entrepot/entrepot/core"
)

// queueBind joins a queue to an exchange (AQ32).
func (ch *channel) queueBind(m *wire.QueueBind) error {
	b, err := ch.binding(m.Queue, m.Exchange, m.RoutingKey, m.Arguments)
	if err != nil {
		return err
	}
	if _, ok := m.Arguments.Get("x-retained"); ok {
		return &wire.Error{Code: wire.PreconditionFailed, Text: "argument 'x-retained' is not offered"}
	}
	done := func(bool) {
		if !m.NoWait {
			ch.send(&wire.QueueBindOk{})
		}
	}
	if b.Exchange == exchange.AmqTopic {
		return ch.bindTopic(b, m.ID(), done)
	}
	if r := ch.c.space.Bind(b); r != core.OK {
		return refusal(r, "binding of queue '"+b.Queue+"' to exchange '"+b.Exchange+"' with key '"+b.Key+"'")
	}
	done(false)
	return nil
}

// binding checks what bind and unbind name.
func (ch *channel) binding(queue, name, key string, args wire.Table) (b exchange.Binding, err error) {
	if queue, err = ch.queueName(queue); err != nil {
		return b, err
	}
	b = exchange.Binding{Exchange: name, Queue: queue, Key: key, Args: args}
	if name == exchange.Default {
		return b, &wire.Error{Code: wire.AccessRefused, Text: "operation not permitted on the default exchange"}
	}
	if _, ok := ch.c.lookup(name); !ok {
		return b, noExchange(name)
	}
	if _, r := ch.c.session.Inspect(queue); r != core.OK {
		return b, queueError(r, queue)
	}
	return b, nil
}

// bindTopic makes a binding of amq.topic: a subscription of the queue in the
// core. What matches the empty key, which is no topic, is kept here beside.
func (ch *channel) bindTopic(b exchange.Binding, id wire.ID, done func(bool)) error {
	f, r := exchange.FilterOf(ch.c.l.codec, b.Key)
	if r != core.OK {
		return refusal(r, "binding key '"+b.Key+"'")
	}
	if matchesEmpty(b.Key) {
		ch.c.space.BindEmpty(b.Queue, b.Key)
	}
	if f == "" {
		done(false)
		return nil
	}
	sub := core.Subscription{Filter: f, QoS: 2, RetainAsPublished: true, RetainHandling: 2, Wide: true}
	seq, pending, r := ch.c.session.Bind(ch.c.t, b.Queue, sub)
	if r != core.OK {
		return refusal(r, "binding of queue '"+b.Queue+"' with key '"+b.Key+"'")
	}
	ch.c.wait(seq, pending, func(failed bool) {
		if failed {
			ch.fault(&wire.Error{Code: wire.PreconditionFailed, Text: "binding could not be stored", ID: id})
			return
		}
		done(false)
	})
	return nil
}

// matchesEmpty tells whether a binding key matches the empty routing key: it
// is empty, or holds nothing but '#' (section 7.2).
func matchesEmpty(key string) bool {
	return strings.Trim(key, "#.") == "" && !strings.Contains(key, "..") &&
		!strings.HasPrefix(key, ".") && !strings.HasSuffix(key, ".") && !strings.Contains(key, "##")
}

// queueUnbind removes a binding; one that is not there is fine (AQ32).
func (ch *channel) queueUnbind(m *wire.QueueUnbind) error {
	b, err := ch.binding(m.Queue, m.Exchange, m.RoutingKey, m.Arguments)
	if err != nil {
		return err
	}
	if b.Exchange != exchange.AmqTopic {
		if r := ch.c.space.Unbind(b); r != core.OK {
			return refusal(r, "exchange '"+b.Exchange+"'")
		}
		ch.send(&wire.QueueUnbindOk{})
		return nil
	}
	ch.c.space.UnbindEmpty(b.Queue, b.Key)
	f, r := exchange.FilterOf(ch.c.l.codec, b.Key)
	if r != core.OK || f == "" {
		ch.send(&wire.QueueUnbindOk{})
		return nil
	}
	seq, pending, r := ch.c.session.Unbind(ch.c.t, b.Queue, f)
	if r != core.OK {
		return queueError(r, b.Queue)
	}
	ch.c.wait(seq, pending, func(bool) { ch.send(&wire.QueueUnbindOk{}) })
	return nil
}
