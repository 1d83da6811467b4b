package stomp

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

var _ adapters.Stalled = (*conn)(nil)

// Stalled gives to others what this client, who does not read, was woken for.
func (c *conn) Stalled(t *core.Turn) {
	if c.session != nil {
		c.session.PassOn(t)
	}
}
