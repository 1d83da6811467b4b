package amqp091

import (
	"strings"

	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/amqp/exchange"
	"github.com/entrepot/entrepot/core"
)

// topicSpec is amq.topic, which lives in the core.
var topicSpec = exchange.Spec{Name: exchange.AmqTopic, Type: "topic", Durable: true}

// lookup finds an exchange's properties.
func (c *Conn) lookup(name string) (exchange.Spec, bool) {
	switch name {
	case exchange.AmqTopic:
		return topicSpec, true
	case exchange.Default:
		return exchange.Spec{Type: "direct", Durable: true}, true
	}
	return c.space.Lookup(name)
}

// exchangeTakes tells whether clients may publish to the exchange (AQ25, AQ37).
func (ch *channel) exchangeTakes(name string) error {
	spec, ok := ch.c.lookup(name)
	switch {
	case !ok:
		return noExchange(name)
	case spec.Internal:
		return &wire.Error{Code: wire.AccessRefused, Text: "exchange '" + name + "' is internal"}
	}
	return nil
}

// allowed asks for the right to declare, delete or bind an exchange: that of
// the queue of its name (AQ40).
func (ch *channel) allowed(name string) error {
	if ch.c.session.Permits(core.ActionQueue, name) {
		return nil
	}
	return refusal(core.NotAuthorized, "exchange '"+name+"'")
}

func noExchange(name string) error {
	return &wire.Error{Code: wire.NotFound, Text: "no exchange '" + name + "' in vhost '/'"}
}

// exchangeDeclare makes an exchange or finds it equal (AQ23, AQ24).
func (ch *channel) exchangeDeclare(m *wire.ExchangeDeclare) error {
	have, exists := ch.c.lookup(m.Exchange)
	spec := exchange.Spec{
		Name: m.Exchange, Type: m.Type, Durable: m.Durable, AutoDelete: m.AutoDelete,
		Internal: m.Internal, Args: exchange.Canonical(m.Arguments),
	}
	if v, ok := m.Arguments.Get("alternate-exchange"); ok {
		if spec.Alternate, ok = v.Text(); !ok {
			return &wire.Error{Code: wire.PreconditionFailed, Text: "invalid argument 'alternate-exchange'"}
		}
	}
	switch {
	case m.Exchange == exchange.Default:
		return &wire.Error{Code: wire.AccessRefused, Text: "operation not permitted on the default exchange"}
	case m.Passive && !exists:
		return noExchange(m.Exchange)
	case m.Passive:
	case !exchange.KnownType(m.Type):
		return &wire.Error{Code: wire.PreconditionFailed, Text: "unknown exchange type '" + m.Type + "'"}
	case exists:
		if have != spec {
			return &wire.Error{Code: wire.PreconditionFailed, Text: "exchange '" + m.Exchange + "' exists with other properties"}
		}
	default:
		return ch.newExchange(spec, m)
	}
	ch.exchangeDeclared(m)
	return nil
}

func (ch *channel) exchangeDeclared(m *wire.ExchangeDeclare) {
	if !m.NoWait {
		ch.send(&wire.ExchangeDeclareOk{})
	}
}

func (ch *channel) newExchange(spec exchange.Spec, m *wire.ExchangeDeclare) error {
	if strings.HasPrefix(spec.Name, "amq.") {
		return &wire.Error{Code: wire.AccessRefused, Text: "exchange name '" + spec.Name + "' is reserved"}
	}
	if err := ch.allowed(spec.Name); err != nil {
		return err
	}
	if spec.Alternate == exchange.AmqTopic {
		return &wire.Error{Code: wire.PreconditionFailed, Text: "amq.topic is not offered as alternate-exchange"}
	}
	var n noted
	if r := ch.c.space.Declare(spec, n.in(ch.c)); r != core.OK {
		return refusal(r, "exchange '"+spec.Name+"'")
	}
	ch.after(&n, m.ID(), func() { ch.exchangeDeclared(m) })
	return nil
}

// exchangeDelete removes a declared exchange (AQ24).
func (ch *channel) exchangeDelete(m *wire.ExchangeDelete) error {
	if m.Exchange == exchange.Default || strings.HasPrefix(m.Exchange, "amq.") {
		return &wire.Error{Code: wire.AccessRefused, Text: "exchange '" + m.Exchange + "' cannot be deleted"}
	}
	if err := ch.allowed(m.Exchange); err != nil {
		return err
	}
	var n noted
	if r := ch.c.space.Delete(m.Exchange, m.IfUnused, n.in(ch.c)); r != core.OK {
		return refusal(r, "exchange '"+m.Exchange+"'")
	}
	ch.after(&n, m.ID(), func() {
		if !m.NoWait {
			ch.send(&wire.ExchangeDeleteOk{})
		}
	})
	return nil
}

// exchangeBind joins two exchanges (AQ26). amq.topic is the core's and joins
// queues only.
func (ch *channel) exchangeBind(m *wire.ExchangeBind) error {
	b, durable, err := ch.joined(m.Destination, m.Source, m.RoutingKey, m.Arguments)
	if err != nil {
		return err
	}
	var n noted
	if r := ch.c.space.Bind(b, durable, n.in(ch.c)); r != core.OK {
		return refusal(r, "binding of exchange '"+m.Destination+"' to exchange '"+m.Source+"' with key '"+b.Key+"'")
	}
	ch.after(&n, m.ID(), func() {
		if !m.NoWait {
			ch.send(&wire.ExchangeBindOk{})
		}
	})
	return nil
}

// exchangeUnbind undoes it; a binding that is not there is fine.
func (ch *channel) exchangeUnbind(m *wire.ExchangeUnbind) error {
	b, _, err := ch.joined(m.Destination, m.Source, m.RoutingKey, m.Arguments)
	if missing(err) {
		if !m.NoWait {
			ch.send(&wire.ExchangeUnbindOk{})
		}
		return nil
	}
	if err != nil {
		return err
	}
	var n noted
	if r := ch.c.space.Unbind(b, n.in(ch.c)); r != core.OK {
		return refusal(r, "exchange '"+m.Source+"'")
	}
	ch.after(&n, m.ID(), func() {
		if !m.NoWait {
			ch.send(&wire.ExchangeUnbindOk{})
		}
	})
	return nil
}

// joined checks what exchange.bind and unbind name, and tells whether the
// destination outlives a restart.
func (ch *channel) joined(destination, source, key string, args wire.Table) (b exchange.Binding, durable bool, err error) {
	for _, name := range []string{destination, source} {
		spec, ok := ch.c.lookup(name)
		switch {
		case name == exchange.Default:
			return b, false, &wire.Error{Code: wire.AccessRefused, Text: "operation not permitted on the default exchange"}
		case name == exchange.AmqTopic:
			return b, false, &wire.Error{Code: wire.PreconditionFailed, Text: "amq.topic is not offered in bindings of exchanges"}
		case !ok:
			return b, false, noExchange(name)
		}
		if err := ch.allowed(name); err != nil {
			return b, false, err
		}
		durable = durable || name == destination && spec.Durable
	}
	return exchange.Binding{Exchange: source, Queue: exchange.ToExchange(destination), Key: key, Args: args}, durable, nil
}

// noted is what a change of exchanges wrote to the store.
type noted struct {
	seq     uint64
	pending bool
}

// in records with the session's notes.
func (n *noted) in(c *Conn) exchange.Recorder {
	return func(key string, value []byte) {
		if seq, pending := c.session.Note(c.t, exchange.Protocol, key, value); pending {
			n.seq, n.pending = seq, true
		}
	}
}

// after replies when what was noted is safe.
func (ch *channel) after(n *noted, id wire.ID, reply func()) {
	ch.c.wait(n.seq, n.pending, func(failed bool) {
		if failed {
			ch.fault(&wire.Error{Code: wire.PreconditionFailed, Text: "the change could not be stored", ID: id})
			return
		}
		reply()
	})
}
