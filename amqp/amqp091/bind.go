package amqp091

import (
	"strings"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/amqp/exchange"
	"github.com/entrepot/entrepot/core"
)

// queueBind joins a queue to an exchange (AQ32).
func (ch *channel) queueBind(m *wire.QueueBind) error {
	b, durable, err := ch.binding(m.Queue, m.Exchange, m.RoutingKey, m.Arguments)
	if err != nil {
		return err
	}
	retained, err := asksRetained(m.Arguments, b.Exchange)
	if err != nil {
		return err
	}
	var n noted
	if b.Exchange == exchange.AmqTopic {
		err = ch.bindTopic(b, durable, retained, &n)
	} else if r := ch.c.space.Bind(b, durable, n.in(ch.c)); r != core.OK {
		err = refusal(r, "binding of queue '"+b.Queue+"' to exchange '"+b.Exchange+"' with key '"+b.Key+"'")
	}
	if err != nil {
		return err
	}
	ch.after(&n, m.ID(), func() {
		if !m.NoWait {
			ch.send(&wire.QueueBindOk{})
		}
	})
	return nil
}

// asksRetained tells whether a binding wants the retained messages that match
// put into its queue (AM14).
func asksRetained(args wire.Table, name string) (bool, error) {
	v, ok := args.Get("x-retained")
	if !ok {
		return false, nil
	}
	asks, ok := v.Bool()
	switch {
	case !ok:
		return false, &wire.Error{Code: wire.PreconditionFailed, Text: "argument 'x-retained' is not a boolean"}
	case asks && name != exchange.AmqTopic:
		return false, &wire.Error{Code: wire.PreconditionFailed, Text: "argument 'x-retained': exchange '" + name + "' retains nothing"}
	}
	return asks, nil
}

// binding checks what bind and unbind name, and tells whether the queue
// outlives a restart.
func (ch *channel) binding(queue, name, key string, args wire.Table) (b exchange.Binding, durable bool, err error) {
	unnamed := queue == ""
	if queue, err = ch.queueName(queue); err != nil {
		return b, false, err
	}
	if unnamed && key == "" {
		key = queue // specification 1.7.2.3.5
	}
	b = exchange.Binding{Exchange: name, Queue: queue, Key: key, Args: args}
	if name == exchange.Default {
		return b, false, &wire.Error{Code: wire.AccessRefused, Text: "operation not permitted on the default exchange"}
	}
	if _, ok := ch.c.lookup(name); !ok {
		return b, false, noExchange(name)
	}
	info, r := ch.c.session.Inspect(queue)
	if r != core.OK {
		return b, false, queueError(r, queue)
	}
	if !info.Spec.Exclusive && !ch.c.session.Permits(core.ActionQueue, queue) {
		return b, false, queueError(core.NotAuthorized, queue)
	}
	if name != exchange.AmqTopic { // there the core asks for the filter
		if err := ch.allowed(name); err != nil {
			return b, false, err
		}
	}
	return b, info.Spec.Durable && !info.Spec.Exclusive, nil
}

// bindTopic makes a binding of amq.topic: a subscription of the queue in the
// core. What matches the empty key, which is no topic, is kept here beside.
func (ch *channel) bindTopic(b exchange.Binding, durable, retained bool, n *noted) error {
	f, r := exchange.FilterOf(ch.c.l.codec, b.Key)
	if r != core.OK {
		return refusal(r, "binding key '"+b.Key+"'")
	}
	if f == "" {
		ch.c.space.BindEmpty(b.Queue, b.Key, durable, n.in(ch.c))
		return nil
	}
	sub := core.Subscription{Filter: f, QoS: 2, RetainAsPublished: true, RetainHandling: 2, Wide: true}
	if retained {
		sub.RetainHandling = 0
	}
	seq, pending, r := ch.c.session.Bind(ch.c.t, b.Queue, sub)
	if r != core.OK {
		return refusal(r, "binding of queue '"+b.Queue+"' with key '"+b.Key+"'")
	}
	if pending {
		*n = noted{seq, true}
	}
	if matchesEmpty(b.Key) {
		ch.c.space.BindEmpty(b.Queue, b.Key, durable, n.in(ch.c))
	}
	return nil
}

// matchesEmpty tells whether a binding key matches the empty routing key: it
// is empty, or holds nothing but '#' (section 7.2).
func matchesEmpty(key string) bool {
	return strings.Trim(key, "#.") == "" && !strings.Contains(key, "..") &&
		!strings.HasPrefix(key, ".") && !strings.HasSuffix(key, ".") && !strings.Contains(key, "##")
}

// missing tells whether an error says that a queue or exchange is not there:
// then it has no binding either.
func missing(err error) bool { return err != nil && code(err).Code == wire.NotFound }

// queueUnbind removes a binding; one that is not there is fine, also since its
// queue or exchange has gone (AQ32).
func (ch *channel) queueUnbind(m *wire.QueueUnbind) error {
	b, _, err := ch.binding(m.Queue, m.Exchange, m.RoutingKey, m.Arguments)
	if b.Queue != "" && missing(err) {
		ch.send(&wire.QueueUnbindOk{})
		return nil
	}
	if err != nil {
		return err
	}
	var n noted
	if b.Exchange == exchange.AmqTopic {
		err = ch.unbindTopic(b, &n)
	} else if r := ch.c.space.Unbind(b, n.in(ch.c)); r != core.OK {
		err = refusal(r, "exchange '"+b.Exchange+"'")
	}
	if err != nil {
		return err
	}
	ch.after(&n, m.ID(), func() { ch.send(&wire.QueueUnbindOk{}) })
	return nil
}

func (ch *channel) unbindTopic(b exchange.Binding, n *noted) error {
	ch.c.space.UnbindEmpty(b.Queue, b.Key, n.in(ch.c))
	f, r := exchange.FilterOf(ch.c.l.codec, b.Key)
	if r != core.OK || f == "" {
		return nil
	}
	seq, pending, r := ch.c.session.Unbind(ch.c.t, b.Queue, f)
	if r != core.OK {
		return queueError(r, b.Queue)
	}
	if pending {
		*n = noted{seq, true}
	}
	return nil
}
