package mqttsn

import (
	"net/netip"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
)

// Name is the protocol's name in logs, metrics and message origins.
const Name = "mqttsn"

// Room makes endpoints.
type Room struct {
	host       *adapters.Host
	cfg        Config
	metrics    *metrics
	limits     adapters.Limits
	takeovers  adapters.Takeovers
	forwarders []netip.Prefix
}

var (
	_ adapters.DatagramRoom   = (*Room)(nil)
	_ adapters.Reconfigurable = (*endpoint)(nil)
)

// Registration is this protocol for the list of the binary.
func Registration() adapters.Registration {
	return adapters.Registration{
		Name:    Name,
		Schemes: []string{"mqttsn", "mqttsns"},
		Config: func() adapters.Config {
			c := Config{}.withDefaults()
			return &c
		},
		New: func(h *adapters.Host, c adapters.Config) (adapters.Room, error) { return New(h, *c.(*Config)) },
	}
}

// New makes the room. It fails as Config.Validate does.
func New(h *adapters.Host, c Config) (*Room, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	forwarders, err := prefixes(c.Forwarders)
	if err != nil {
		return nil, err
	}
	set := h.Metrics
	if set == nil {
		set = adapters.NewMetrics()
	}
	return &Room{host: h, cfg: c, metrics: newMetrics(set), limits: h.Limits.WithDefaults(), takeovers: limit.TakeoversOf(h), forwarders: forwarders}, nil
}

// Name is "mqttsn".
func (r *Room) Name() string { return Name }

// Listen makes the endpoint of a listener.
func (r *Room) Listen(l adapters.Loop, info adapters.ListenerInfo) adapters.Endpoint {
	return newEndpoint(r, l, info)
}
