package amqp

import (
	"strings"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/amqp/exchange"
	"github.com/entrepot/entrepot/core"
)

// conn is a connection whose version is not known until its first eight
// octets are here; then it is that version's.
type conn struct {
	room   *Room
	handle adapters.Handle
	info   adapters.Info
	inner  *amqp091.Conn
	ended  bool
}

var (
	_ adapters.Conn      = (*conn)(nil)
	_ adapters.Direct    = (*conn)(nil)
	_ adapters.DirectRun = (*conn)(nil)
)

// Input implements adapters.Conn.
func (c *conn) Input(t *core.Turn, in []byte, out *adapters.Output) (consumed int, err error) {
	if c.inner == nil {
		if consumed = c.sniff(t, in, out); c.inner == nil || len(in) == consumed {
			return consumed, nil
		}
	}
	n, err := c.inner.Input(t, in[consumed:], out)
	return consumed + n, err
}

// sniff reads the protocol header (AQ1). What does not begin as AMQP does is
// closed at once; another version is told ours.
func (c *conn) sniff(t *core.Turn, in []byte, out *adapters.Output) (consumed int) {
	n := min(len(in), len(wire.ProtocolHeader))
	switch {
	case c.ended:
		return len(in)
	case n > 0 && in[0] != 'A':
		c.end(out)
	case strings.HasPrefix(wire.ProtocolHeader, string(in[:n])):
		if n == len(wire.ProtocolHeader) {
			c.inner = c.room.v091.Open(c.handle, c.info, t, out)
			return n
		}
		return 0
	case n == len(wire.ProtocolHeader):
		out.B = append(out.B, wire.ProtocolHeader...)
		c.end(out)
	default:
		return 0 // not ours already, but the answer waits for all eight
	}
	return len(in)
}

func (c *conn) end(out *adapters.Output) {
	c.ended = true
	c.room.host.Metrics.ProtocolError(exchange.Protocol, "header")
	out.CloseAfterFlush(core.Malformed)
}

// Wake implements adapters.Driven.
func (c *conn) Wake(t *core.Turn, out *adapters.Output) {
	if c.inner != nil {
		c.inner.Wake(t, out)
	}
}

// Direct implements adapters.Direct.
func (c *conn) Direct(t *core.Turn, d *core.Delivery, out *adapters.Output) bool {
	return c.inner != nil && c.inner.Direct(t, d, out)
}

// DirectRun implements adapters.DirectRun.
func (c *conn) DirectRun(t *core.Turn, d *core.Delivery, r *core.Run, out *adapters.Output) bool {
	return c.inner != nil && c.inner.DirectRun(t, d, r, out)
}

// Tick implements adapters.Driven.
func (c *conn) Tick(t *core.Turn, out *adapters.Output) {
	if c.inner != nil {
		c.inner.Tick(t, out)
	}
}

// Evict implements adapters.Driven.
func (c *conn) Evict(t *core.Turn, r core.Reason, out *adapters.Output) {
	if c.inner != nil {
		c.inner.Evict(t, r, out)
		return
	}
	out.CloseAfterFlush(r)
}

// Identity implements adapters.Identified.
func (c *conn) Identity() (who adapters.Identity) {
	if c.inner != nil {
		who = c.inner.Identity()
	}
	return who
}

// Close implements adapters.Conn.
func (c *conn) Close(t *core.Turn, r core.Reason) {
	if c.inner != nil {
		c.inner.Close(t, r)
	}
}
