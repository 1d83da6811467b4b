package amqp

import (
	"iter"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/amqp/exchange"
	"github.com/entrepot/entrepot/core"
)

// Registration is the protocol's entry in the list of the binary.
func Registration() adapters.Registration {
	return adapters.Registration{
		Name:    exchange.Protocol,
		Schemes: []string{"amqp", "amqps"},
		Config:  func() adapters.Config { return &amqp091.Config{} },
		New: func(h *adapters.Host, c adapters.Config) (adapters.Room, error) {
			l, err := amqp091.New(h, *c.(*amqp091.Config))
			if err != nil {
				return nil, err
			}
			return &Room{v091: l, host: h}, nil
		},
	}
}

// Room is the protocol.
type Room struct {
	host *adapters.Host
	v091 *amqp091.Listener
}

var (
	_ adapters.StreamRoom = (*Room)(nil)
	_ adapters.Successor  = (*Room)(nil)
	_ adapters.Lister     = (*Room)(nil)
)

// Succeed implements adapters.Successor: the exchanges stay.
func (r *Room) Succeed(old adapters.Room) {
	if o, ok := old.(*Room); ok && o != r {
		r.v091.Succeed(o.v091)
	}
}

// Connections implements adapters.Lister.
func (r *Room) Connections() iter.Seq[adapters.Connection] { return r.v091.Connections() }

// Connection implements adapters.Lister.
func (r *Room) Connection(name string) (adapters.Connection, bool) { return r.v091.Connection(name) }

// Disconnect implements adapters.Lister.
func (r *Room) Disconnect(name, why string) bool { return r.v091.Disconnect(name, why) }

// Name implements adapters.Room.
func (r *Room) Name() string { return exchange.Protocol }

// Open implements adapters.StreamRoom.
func (r *Room) Open(h adapters.Handle, info adapters.Info, _ *core.Turn) adapters.Conn {
	return &conn{room: r, handle: h, info: info}
}
