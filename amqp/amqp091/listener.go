package amqp091

import (
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
	host    *adapters.Host
	config  Config
	limits  adapters.Limits
	codec   topic.Codec
	traffic *adapters.Traffic
	server  wire.Table // server-properties

	mu     sync.Mutex
	spaces map[string]*exchange.Space // by namespace
}

// New makes the listener; c has been validated.
func New(h *adapters.Host, c Config) *Listener {
	limits := h.Limits.WithDefaults()
	c = c.withDefaults(limits.MessageBytes)
	return &Listener{
		host: h, config: c, limits: limits, codec: c.codec(),
		traffic: h.Metrics.Traffic(exchange.Protocol),
		server:  serverProperties(h.Version),
		spaces:  map[string]*exchange.Space{},
	}
}

// space is the exchanges of a namespace.
func (l *Listener) space(namespace string) *exchange.Space {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.spaces[namespace]
	if s == nil {
		s = exchange.NewSpace(l.config.MaxExchanges)
		l.spaces[namespace] = s
	}
	return s
}

// serverProperties is what start announces (AQ8): a capability is named when
// it is there.
func serverProperties(version string) wire.Table {
	var can wire.Table
	for _, name := range []string{
		"publisher_confirms", "basic.nack", "consumer_cancel_notify",
		"authentication_failure_close", "per_consumer_qos",
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

// refused counts what a reason refused.
func (l *Listener) refused(r core.Reason) { l.host.Metrics.Refused(exchange.Protocol, r) }
