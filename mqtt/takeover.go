package mqtt

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// queue claims the session now, or when its turn has come. MT4
func (c *conn) queue(t *core.Turn, out *adapters.Output) {
	o := c.opening
	at, displaced := c.room.takeovers.Ask(t.Now, &o.client, c.handle, c.room.host.Router.Holds(o.client))
	if displaced != nil {
		displaced.Evict(core.RateExceeded)
	}
	if at == 0 {
		c.claim(t, out)
		return
	}
	c.room.count.takeoversDelayed.Add(1)
	c.phase, o.turn = awaitTurn, at
	c.handle.TickAt(at)
}

// pollTurn goes on when the turn has come.
func (c *conn) pollTurn(t *core.Turn, out *adapters.Output) {
	o := c.opening
	if t.Now < o.turn {
		c.handle.TickAt(o.turn)
		return
	}
	c.room.takeovers.Begin(t.Now, &o.client, c.handle)
	c.claim(t, out)
}
