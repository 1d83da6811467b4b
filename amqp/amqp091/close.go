package amqp091

import (
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// fail ends the connection with connection.close. What the peer still sends,
// close-ok included, is discarded by the loop until its end or a bounded time
// later (AQ14).
func (c *Conn) fail(err error) {
	e := code(err)
	if c.state == ended {
		return
	}
	c.l.failed(e)
	c.farewell(e, reasonOf(e.Code))
}

// farewell says why and ends.
func (c *Conn) farewell(e *wire.Error, r core.Reason) {
	c.flushConfirms()
	c.send(&wire.ConnectionClose{Code: uint16(e.Code), Text: e.ReplyText(), ClassID: e.ID.Class(), MethodID: e.ID.Method()})
	c.end(r)
}

// closeLinger is how long a client has to close the socket after close-ok.
const closeLinger = 2 * time.Second

// closed answers the client's close: its unacknowledged messages are released
// before close-ok says that all is done. Close-ok tells the client to close the
// socket (specification 1.4.2.8). It does so first: libraries take an end of
// ours that comes together with close-ok for a lost connection.
func (c *Conn) closed() {
	c.flushConfirms()
	c.detach(core.Normal)
	c.send(&wire.ConnectionCloseOk{})
	c.state, c.deadline = leaving, c.t.Now.After(closeLinger)
}

// end says no more.
func (c *Conn) end(r core.Reason) {
	c.detach(r)
	c.state = ended
	c.out.CloseAfterFlush(r)
}

// detach releases what the connection holds: consumers end, deliveries return
// in their order, exclusive queues go (AQ15).
func (c *Conn) detach(r core.Reason) {
	if c.session == nil {
		return
	}
	s := c.session
	c.session = nil
	c.unlist()
	if c.channels != nil {
		down(c.l.count.connections, 1)
		down(c.l.count.channels, len(c.channels))
	}
	for _, ch := range c.channels {
		ch.uncount()
	}
	c.dirty, c.backlog, c.waiting = nil, nil, nil
	c.channels = nil
	s.Detach(c.t, r)
}

// Evict implements adapters.Driven (AQ18).
func (c *Conn) Evict(t *core.Turn, r core.Reason, out *adapters.Output) {
	defer c.enter(t, out)()
	if c.state >= leaving {
		c.state = ended
		out.CloseAfterFlush(r)
		return
	}
	c.farewell(c.evicted(r), r)
}

// Close implements adapters.Conn.
func (c *Conn) Close(t *core.Turn, r core.Reason) {
	c.t = t
	c.detach(r)
	c.state = ended
	c.t = nil
}
