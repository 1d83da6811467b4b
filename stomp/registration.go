package stomp

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// Name of the protocol in logs, metrics and message origins.
const Name = "stomp"

// Registration lists the protocol for the stock binary.
func Registration() adapters.Registration {
	return adapters.Registration{
		Name:    Name,
		Schemes: []string{"stomp", "stomps"},
		Config: func() adapters.Config {
			c := DefaultConfig()
			return &c
		},
		New: func(h *adapters.Host, c adapters.Config) (adapters.Room, error) {
			return New(h, *c.(*Config)), nil
		},
	}
}

// Room serves STOMP connections.
type Room struct {
	host   *adapters.Host
	cfg    Config
	limits adapters.Limits
	server string // the server header; "" hides it
	count  counters
}

// scratch is what one call of the state machine needs; idle connections hold
// none.
type scratch struct {
	frame      frame.Frame
	lent       core.Lent
	deliveries [64]core.Delivery
}

var _ adapters.WebSocketRoom = (*Room)(nil)

// New makes the room. cfg must be valid.
func New(h *adapters.Host, cfg Config) *Room {
	r := &Room{host: h, cfg: cfg.withDefaults(), limits: h.Limits.WithDefaults(), count: newCounters(h.Metrics)}
	r.cfg.MaxBody = min(r.cfg.MaxBody, r.limits.MessageBytes)
	switch r.server = r.cfg.ServerHeader; r.server {
	case "":
		r.server = "entrepot/" + h.Version
	case "none":
		r.server = ""
	}
	return r
}

// Name implements adapters.Room.
func (r *Room) Name() string { return Name }

// WebSocket implements adapters.WebSocketRoom (ST24, ST25, ST26).
func (r *Room) WebSocket() adapters.WebSocketOptions {
	return adapters.WebSocketOptions{
		Paths:      r.cfg.Paths,
		Subprotos:  []string{"v12.stomp", "v11.stomp", "v10.stomp"},
		Text:       true,
		MaxMessage: r.cfg.MaxBody + r.cfg.MaxHeaders*r.cfg.MaxHeaderLine,
	}
}

// Open implements adapters.StreamRoom.
func (r *Room) Open(h adapters.Handle, info adapters.Info, t *core.Turn) adapters.Conn {
	c := &conn{room: r, handle: h, info: info}
	c.parser.Limits = frame.Limits{
		Command: r.cfg.MaxCommand, Line: r.cfg.MaxHeaderLine, Headers: r.cfg.MaxHeaders,
		Body: r.cfg.MaxBody, Frame: min(r.cfg.MaxFrameBeforeLogin, r.limits.PreauthBytes),
	}
	c.deadline = t.Now.After(min(r.cfg.LoginTimeout, r.limits.PreauthDeadline))
	h.TickAt(c.deadline)
	r.count.connections.Add(1)
	return c
}
