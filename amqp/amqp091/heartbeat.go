package amqp091

import (
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// heartbeat is the timing of one connection (AQ13).
type heartbeat struct {
	interval        time.Duration // 0: none
	lastIn, lastOut core.Time
}

// next is when something is due at the latest.
func (h *heartbeat) next(reading bool) core.Time {
	if h.interval == 0 {
		return 0
	}
	at := h.lastOut.After(h.interval / 2)
	if reading {
		at = min(at, h.lastIn.After(2*h.interval))
	}
	return at
}

// Tick implements adapters.Driven.
func (c *Conn) Tick(t *core.Turn, out *adapters.Output) {
	defer c.enter(t, out)()
	switch {
	case c.state == ended:
		return
	case c.state == leaving:
		if t.Now >= c.deadline {
			c.end(core.Normal)
		}
		return
	case c.state == refusing && t.Now >= c.deadline:
		c.sayRefused(c.refused)
		return
	case c.deadline != 0 && t.Now >= c.deadline:
		c.l.refused(core.IdleTimeout)
		c.end(core.IdleTimeout)
		return
	}
	if at := c.ends(); at != 0 && t.Now >= at {
		c.farewell(refusal(core.LoginExpired, "connection was ended"), core.LoginExpired) // AQ17
		return
	}
	c.beat(t.Now)
	c.checkConsumers(t.Now)
}

func (c *Conn) beat(now core.Time) {
	h := &c.heart
	if h.interval == 0 || c.state != open {
		return
	}
	if c.reading && now >= h.lastIn.After(2*h.interval) {
		c.end(core.IdleTimeout)
		return
	}
	if now >= h.lastOut.After(h.interval/2) {
		c.out.B = append(c.out.B, wire.HeartbeatFrame...)
	}
}

// schedule asks for the next tick.
func (c *Conn) schedule() {
	var at core.Time
	switch {
	case c.state == ended:
	case c.deadline != 0:
		at = c.deadline
	default:
		at = earlier(earlier(c.heart.next(c.reading), c.consumersDue()), c.ends())
	}
	c.handle.TickAt(at)
}

// ends is when the login ends; 0: never, or another one is under way.
func (c *Conn) ends() core.Time {
	if c.login != nil {
		return 0
	}
	return c.loginEnds
}

// earlier is the earlier of two instants of which 0 is never.
func earlier(a, b core.Time) core.Time {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}
