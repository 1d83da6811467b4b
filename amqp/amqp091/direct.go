package amqp091

import (
	"slices"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// Direct implements adapters.Direct: what needs no acknowledgement goes out as
// it comes.
func (c *Conn) Direct(t *core.Turn, d *core.Delivery, out *adapters.Output) bool {
	cons := c.plain(d)
	if cons == nil {
		return false
	}
	before := len(out.B)
	c.t, c.out = t, out
	cons.deliver(d)
	c.t, c.out = nil, nil
	c.wrote(t, wire.Count(out.B[before:]))
	return true
}

// DirectRun implements adapters.DirectRun.
func (c *Conn) DirectRun(t *core.Turn, d *core.Delivery, run *core.Run, out *adapters.Output) bool {
	cons := c.plain(d)
	if cons == nil || run.Bytes() > adapters.OutputSoft || run.Longest() > int(c.frameMax)-wire.Overhead {
		return false
	}
	ch, n, frames := cons.ch, run.Len(), 0
	env := c.outgoing.Envelope(d, t.Now)
	x := core.Borrow[wire.Deliveries](t)
	x.Begin(ch.id, cons.tag, env.Place, env.Properties)
	b := slices.Grow(out.B, n*x.Len(0)+run.Bytes())
	for i := range n {
		ch.tag++
		body := run.Payload(i)
		b = x.Append(b, ch.tag, body)
		frames += x.Frames(body)
	}
	t.GiveBack(x)
	out.B = b
	c.l.traffic.CountAll(t, adapters.Out, 0, n, run.Bytes())
	c.l.translated.SentRun(out, run, adapters.Outcome(c.outgoing.Lossy()))
	c.wrote(t, uint64(frames))
	return true
}

// plain is the consumer of a delivery that may go out now and needs no
// acknowledgement; nil: it has to wait for its turn, for flow (AQ21), or there
// is none any more.
func (c *Conn) plain(d *core.Delivery) *consumer {
	cons, _ := d.Consumer.Data.(*consumer)
	if cons == nil || c.state != open || !cons.noAck || cons.ended || cons.ch.closing || cons.ch.paused || len(cons.carry) > 0 {
		return nil
	}
	return cons
}

// wrote counts frames that were written beside a call of the loop.
func (c *Conn) wrote(t *core.Turn, frames uint64) {
	t.Count(c.l.count.frames[adapters.Out], frames)
	c.heart.lastOut = t.Now
}
