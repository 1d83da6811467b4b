package amqp091

import (
	"fmt"
	"sync"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/amqp/exchange"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/topic"
)

// Listener is what all connections share.
type Listener struct {
	// Immutable.
	host       *adapters.Host
	config     Config
	limits     adapters.Limits
	codec      topic.Codec
	traffic    *adapters.Traffic
	translated *adapters.Translator
	count      counters
	server     wire.Table // server-properties

	spaces      *spaces
	connections *connections
}

// spaces are the exchanges, by namespace. Listeners share them.
type spaces struct {
	mu sync.Mutex
	of map[string]*exchange.Space // Guarded by mu.
}

// New makes the listener; c has been validated. It reads the exchanges that
// the store kept.
func New(h *adapters.Host, c Config) (*Listener, error) {
	limits := h.Limits.WithDefaults()
	c = c.withDefaults(limits.MessageBytes)
	l := &Listener{
		host: h, config: c, limits: limits, codec: c.codec(),
		traffic:    h.Metrics.Traffic(exchange.Protocol),
		translated: h.Metrics.Translator(exchange.Protocol),
		count:      newCounters(h.Metrics),
		server:     serverProperties(h.Version),
		spaces:     &spaces{of: map[string]*exchange.Space{}}, connections: &connections{},
	}
	if err := l.restore(); err != nil {
		return nil, err
	}
	h.Router.OnDead(exchange.Protocol, l.deadLetter) // there may be some at once: their exchanges are there
	return l, nil
}

// restore makes the durable exchanges again, then their bindings.
func (l *Listener) restore() error {
	var bindings []core.Note
	for n, err := range l.host.Router.Notes(exchange.Protocol) {
		if err != nil {
			return fmt.Errorf("amqp: read the exchanges: %w", err)
		}
		if exchange.IsBinding(n.Key) {
			bindings = append(bindings, n)
		} else if err := l.space(n.Namespace).Restore(n.Key, n.Value); err != nil {
			return err
		}
	}
	for _, n := range bindings {
		if err := l.space(n.Namespace).Restore(n.Key, n.Value); err != nil {
			return err
		}
	}
	return nil
}

// space is the exchanges of a namespace.
func (l *Listener) space(namespace string) *exchange.Space {
	l.spaces.mu.Lock()
	defer l.spaces.mu.Unlock()
	s := l.spaces.of[namespace]
	if s == nil {
		s = exchange.NewSpace(l.config.MaxExchanges)
		l.spaces.of[namespace] = s
	}
	return s
}

// Succeed shares the exchanges and the list of connections of another listener,
// and buries what dies from now on.
func (l *Listener) Succeed(old *Listener) {
	l.spaces = old.spaces
	if l.connections != old.connections { // else others may be reading it
		l.connections = old.connections
	}
	l.host.Router.OnDead(exchange.Protocol, l.deadLetter)
}

// serverProperties is what start announces (AQ8): a capability is named when
// it is there.
func serverProperties(version string) wire.Table {
	var can wire.Table
	for _, name := range []string{
		"publisher_confirms", "exchange_exchange_bindings", "basic.nack", "consumer_cancel_notify", "connection.blocked",
		"authentication_failure_close", "per_consumer_qos", "direct_reply_to", "consumer_priorities",
	} {
		can = can.Append(name, wire.Bool(true))
	}
	return wire.Table{}.
		Append("product", wire.Longstr("entrepot")).
		Append("version", wire.Longstr(version)).
		Append("platform", wire.Longstr("Go")).
		Append("information", wire.Longstr("https://github.com/entrepot/entrepot")).
		Append("cluster_name", wire.Longstr("entrepot")).
		Append("capabilities", wire.Nested(can))
}

// failed counts an error that ends a channel or a connection. What refused is
// the reason that it has, else that of its code.
func (l *Listener) failed(e *wire.Error) {
	l.host.Metrics.ProtocolError(exchange.Protocol, e.Code.String())
	l.count.failed(e.Code)
	why, ok := e.Why.(core.Reason)
	if !ok {
		why = reasonOf(e.Code)
	}
	if why.Refuses() && (ok || why != core.Internal) {
		l.refused(why)
	}
}

// refused counts what a reason refused.
func (l *Listener) refused(r core.Reason) { l.host.Metrics.Refused(exchange.Protocol, r) }
