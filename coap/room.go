package coap

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// Protocol is the name of the room in logs, metrics and message origins.
const Protocol = "coap"

// Registration is the room as internal/standard lists it.
var Registration = adapters.Registration{
	Name:    Protocol,
	Schemes: []string{"coap", "coaps"},
	Config:  func() adapters.Config { return new(Config) },
	New: func(h *adapters.Host, c adapters.Config) (adapters.Room, error) {
		return New(h, *c.(*Config))
	},
}

// Room is the protocol: what its listeners share.
type Room struct {
	// Immutable.
	host      *adapters.Host
	cfg       Config
	metas     map[message.Format]*core.Meta // what a message has that brings a Content-Format and nothing else
	echo      *echoKey
	count     counters
	takeovers adapters.Takeovers      // of named connections
	limits    adapters.Limits         // of the listener's peers
	serve     func(*Endpoint) handler // what lies behind the message layer; nil: the topics

	// Atomic.
	memory   *budget // of all transfers
	observes gauge   // observations of all listeners
	entries  gauge   // message ids remembered for duplicates
}

var (
	_ adapters.DatagramRoom = (*Room)(nil)
	_ adapters.Config       = (*Config)(nil)
	_ adapters.Endpoint     = (*Endpoint)(nil)
	_ adapters.Driven       = (*peer)(nil)

	_ adapters.Successor      = (*Room)(nil)
	_ adapters.Reconfigurable = (*Endpoint)(nil)
)

// New makes the room. Its error is that of Config.Validate.
func New(h *adapters.Host, c Config) (*Room, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r := &Room{host: h, cfg: c.withDefaults(), metas: map[message.Format]*core.Meta{}, echo: newEchoKey(), takeovers: limit.TakeoversOf(h), limits: h.Limits.WithDefaults()}
	r.memory = budgetOf(int64(r.cfg.BlockMemory))
	r.count.open(h.Metrics)
	r.observes.counter = h.Metrics.Counter("coap_observers")
	r.entries.counter = h.Metrics.Counter("coap_dedup_entries")
	for _, f := range message.Formats() {
		r.metas[f] = metaOf(f)
	}
	return r, nil
}

// Succeed shares with the room that served so far what transfers under way
// hold, and what clients have proved.
func (r *Room) Succeed(old adapters.Room) {
	if o, ok := old.(*Room); ok {
		r.memory, r.echo = o.memory, o.echo
		r.memory.limit.Store(int64(r.cfg.BlockMemory))
	}
}

// Name is the protocol's name.
func (r *Room) Name() string { return Protocol }

// Listen makes the endpoint of a listener.
func (r *Room) Listen(l adapters.Loop, info adapters.ListenerInfo) adapters.Endpoint {
	e := newEndpoint(r, l, info)
	if r.serve != nil {
		e.handler = r.serve(e)
	} else {
		e.handler = newTopics(r, e)
	}
	return e
}
