package amqp091

import (
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// block tells a client that publishes while publishers are slowed down, once,
// if it said that it understands. The loop stops reading it in any case.
func (c *Conn) block() {
	if c.client.mayBlock && !c.blocked && c.t.Level() >= core.LevelBrake {
		c.blocked = true
		c.listed.blocked.Store(true)
		c.send(&wire.ConnectionBlocked{Reason: "overload"})
	}
}

// unblock follows when that is over; the loop wakes the connection for it.
func (c *Conn) unblock() {
	if c.blocked && c.t.Level() < core.LevelBrake {
		c.blocked = false
		c.listed.blocked.Store(false)
		c.send(&wire.ConnectionUnblocked{})
	}
}
