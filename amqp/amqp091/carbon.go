package amqp091

import (
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/amqp/exchange"
)

// Headers that add routing keys to a publish (RabbitMQ's sender-selected
// distribution; AQ38): arrays of longstr. BCC is not delivered.
const (
	headerCC  = "CC"
	headerBCC = "BCC"
)

// carbon reads CC and BCC, and takes BCC off the properties. On amq.topic,
// where each key is a topic of its own, they are refused.
func (p *publication) carbon() error {
	if !p.props.Has(wire.FlagHeaders) {
		return nil
	}
	for _, name := range []string{headerCC, headerBCC} {
		v, ok := p.props.Headers.Get(name)
		if !ok {
			continue
		}
		if p.place.exchange == exchange.AmqTopic {
			return &wire.Error{Code: wire.PreconditionFailed, Text: "header '" + name + "' is not offered on amq.topic"}
		}
		if v.Type != 'A' {
			return &wire.Error{Code: wire.PreconditionFailed, Text: "header '" + name + "' is not an array"}
		}
		for e := range v.Array() {
			key, isText := e.Text()
			if !isText {
				return &wire.Error{Code: wire.PreconditionFailed, Text: "header '" + name + "' holds something else than routing keys"}
			}
			p.more = append(p.more, key)
		}
		if name == headerBCC {
			p.props.Headers = without(p.props.Headers, headerBCC)
			p.properties = p.props.AppendTo(nil)
		}
	}
	return nil
}

// without leaves a header out.
func without(headers wire.Table, name string) (left wire.Table) {
	for n, v := range headers.All() {
		if string(n) != name {
			left = left.Append(string(n), v)
		}
	}
	return left
}

// copied is the keys of the CC header of a message that was accepted.
func copied(p *wire.Properties) (keys []string) {
	v, _ := p.Headers.Get(headerCC)
	for e := range v.Array() {
		if key, isText := e.Text(); isText {
			keys = append(keys, key)
		}
	}
	return keys
}
