package amqp091

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

var _ adapters.Stalled = (*Conn)(nil)

// Stalled gives to others what this client, who does not read, was woken for.
func (c *Conn) Stalled(t *core.Turn) {
	if c.session != nil {
		c.session.PassOn(t)
	}
}
