package mqtt

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// Name is the protocol's name in logs, metrics and message origins.
const Name = "mqtt"

// Registration is the protocol's entry in the list of the binary.
func Registration() adapters.Registration {
	return adapters.Registration{
		Name:    Name,
		Schemes: []string{"mqtt", "mqtts", "mqtt+unix", "ws", "wss"}, // [MQTT-4.2-1] [3: MQTT-7.1.1-1]
		Config:  func() adapters.Config { return &Config{} },
		New: func(h *adapters.Host, c adapters.Config) (adapters.Room, error) {
			cfg, ok := c.(*Config)
			if !ok {
				return nil, fmt.Errorf("mqtt: configuration is a %T", c)
			}
			return New(h, cfg)
		},
	}
}

// Room is the server side of MQTT.
type Room struct {
	// Immutable.
	host       *adapters.Host
	limits     adapters.Limits
	set        settings
	rules      packet.Rules
	count      *counters
	traffic    *adapters.Traffic
	translated *adapters.Translator

	redirecting atomic.Bool
	openings    sync.Pool
	takeovers   adapters.Takeovers
}

var (
	_ adapters.WebSocketRoom = (*Room)(nil)
	_ adapters.RefusingRoom  = (*Room)(nil)
)

// New makes the room. The error is Config.Validate's.
func New(h *adapters.Host, c *Config) (*Room, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	r := &Room{host: h, set: c.settings(), count: newCounters(h.Metrics), traffic: h.Metrics.Traffic(Name), translated: h.Metrics.Translator(Name)}
	r.limits, r.takeovers = h.Limits.WithDefaults(), limit.TakeoversOf(h)
	limits := &r.limits
	r.set.packetBytes = min(r.set.packetBytes, limits.MessageBytes) // the smaller wins
	r.rules = packet.Rules{
		From: packet.Client, StrictUTF8: r.set.strict,
		MaxProperties: limits.Properties, MaxPropBytes: limits.PropertyBytes,
	}
	r.openings.New = func() any { return new(opening) }
	return r, nil
}

// Name returns "mqtt".
func (r *Room) Name() string { return Name }

// Open makes the state machine of a connection.
func (r *Room) Open(h adapters.Handle, info adapters.Info, _ *core.Turn) adapters.Conn {
	return r.open(h, info, core.OK)
}

// ALPN is the registered name of MQTT in TLS (MH2).
func (r *Room) ALPN() string { return "mqtt" }

// OpenRefused makes one that refuses its CONNECT. SECURITY L5, L6
func (r *Room) OpenRefused(h adapters.Handle, info adapters.Info, why core.Reason, _ *core.Turn) adapters.Conn {
	return r.open(h, info, why)
}

func (r *Room) open(h adapters.Handle, info adapters.Info, refused core.Reason) *conn {
	o := r.openings.Get().(*opening)
	o.info, o.refused = info, refused
	return &conn{room: r, handle: h, opening: o}
}

// WebSocket says how MQTT rides on WebSocket. [MQTT-6.0.0-1] to [MQTT-6.0.0-4]
// [MQTT-6.0.0-2] [3: MQTT-6.0.0-1] [3: MQTT-6.0.0-2] [3: MQTT-6.0.0-4]
func (r *Room) WebSocket() adapters.WebSocketOptions {
	return adapters.WebSocketOptions{
		Paths: []string{r.set.wsPath}, Subprotos: []string{"mqtt", "mqttv3.1"}, RequireSub: true,
		MaxMessage: r.set.packetBytes, CloseOnText: 1003,
	}
}

// scratch is what a call of a connection needs for its duration only.
type scratch struct {
	connect     packet.Connect
	publish     packet.Publish
	lent        core.Lent
	run         core.Run
	batch       batch
	ack         packet.Ack
	subscribe   packet.Subscribe
	unsubscribe packet.Unsubscribe
	disconnect  packet.Disconnect
	auth        packet.Auth
	subs        []core.Subscription
	grants      []core.Grant
	filters     []string
	reasons     []core.Reason
	props       []byte
	retry       []*core.Consumer
	deliveries  [64]core.Delivery
}
