package amqp091

import (
	"cmp"
	"slices"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/core"
)

// batch is how many deliveries are taken at once, at most.
const batch = 64

// ready serves the consumers that the core woke.
func (c *Conn) ready() {
	for c.session != nil {
		cc := c.session.NextReady()
		if cc == nil {
			return
		}
		cons, ok := cc.Data.(*consumer)
		if !ok {
			continue // the session's own queue: AMQP subscribes nothing there
		}
		if _, closed := cc.Closed(); closed {
			cons.gone()
			continue
		}
		cons.want()
	}
}

// want puts a consumer that may have something into the backlog.
func (cons *consumer) want() {
	cons.hungry = false
	if !cons.listed && !cons.ended {
		cons.listed = true
		cons.ch.c.backlog = append(cons.ch.c.backlog, cons)
	}
}

// wakeConsumers looks again at those that a window or flow had stopped, the one
// that was served longest ago first: each gets its share of the channel's window.
func (ch *channel) wakeConsumers() {
	var hungry []*consumer
	for _, cons := range ch.consumers {
		if cons.hungry {
			hungry = append(hungry, cons)
		}
	}
	slices.SortFunc(hungry, func(a, b *consumer) int {
		return cmp.Or(cmp.Compare(a.last, b.last), cmp.Compare(a.tag, b.tag))
	})
	for _, cons := range hungry {
		cons.want()
	}
}

// feed serves the backlog until the output is full, each consumer in turn.
func (c *Conn) feed() {
	for len(c.backlog) > 0 && c.state == open {
		if c.out.Full() {
			c.out.More = true
			return
		}
		cons := c.backlog[0]
		c.backlog = append(c.backlog[:0], c.backlog[1:]...)
		cons.listed = false
		if cons.take() {
			cons.want()
		}
	}
}

// take delivers one batch. more: there may be more to take at once.
func (cons *consumer) take() (more bool) {
	c := cons.ch.c
	window := cons.window()
	switch {
	case cons.ended || cons.ch.closing:
		return false
	case cons.ch.paused:
		cons.pass()
		return false
	case len(cons.carry) > 0:
		cons.flush()
		return true
	case window <= 0:
		cons.pass()
		return false
	}
	if cap(c.scratch) < batch {
		c.scratch = make([]core.Delivery, 0, batch)
	}
	n := min(batch, window)
	got := cons.core.Take(c.t, c.scratch[:0:n], window)
	more = len(got) == n
	if !cons.noAck {
		cons.ch.taken += len(got)
	}
	for i := range got {
		if c.out.Full() { // large bodies: the rest leaves after this is written
			cons.carry = append(cons.carry, got[i:]...)
			more = true
			break
		}
		cons.deliver(&got[i])
	}
	clear(got)
	return more
}

// pass leaves to other consumers of the queue what this one was woken for.
func (cons *consumer) pass() {
	cons.hungry = true
	cons.core.Take(cons.ch.c.t, nil, 0)
}

// flush delivers what was taken and did not fit into the output.
func (cons *consumer) flush() {
	out := cons.ch.c.out
	n := 0
	for n < len(cons.carry) && !out.Full() {
		cons.deliver(&cons.carry[n])
		n++
	}
	clear(cons.carry[:n])
	if cons.carry = cons.carry[n:]; len(cons.carry) == 0 {
		cons.carry = nil
	}
}

// drop gives back what was taken and not delivered; what needs no
// acknowledgement is in no queue any more and is delivered now.
func (cons *consumer) drop() {
	for i := range cons.carry {
		d := &cons.carry[i]
		if cons.noAck {
			cons.deliver(d)
		} else {
			d.Consumer.Settle(cons.ch.c.t, d.Seq, core.Released)
			cons.ch.taken--
		}
	}
	cons.carry = nil
}

// deliver writes one delivery.
func (cons *consumer) deliver(d *core.Delivery) {
	ch := cons.ch
	c := ch.c
	env := c.outgoing.Envelope(d, c.t.Now)
	ch.tag++
	cons.last = ch.tag
	if d.Redelivered() {
		c.l.count.redelivered.Add(1)
	}
	c.out.B = wire.AppendDeliver(c.out.B, ch.id, cons.tag, ch.tag, d.Redelivered(), env.Place)
	ch.sendContent(env.Properties, d.Message.Payload)
	c.l.traffic.Count(c.t, adapters.Out, d.QoS, len(d.Message.Payload))
	c.l.translated.Sent(c.out, d, adapters.Outcome(c.outgoing.Lossy()))
	if !cons.noAck {
		cons.held++
		ch.hold(d, cons)
	}
}

// hold notes a delivery that waits for its acknowledgement.
func (ch *channel) hold(d *core.Delivery, cons *consumer) {
	ch.c.l.count.unacked.Add(1)
	ch.unacked.add(unackedItem{tag: ch.tag, seq: d.Seq, from: d.Consumer, cons: cons, at: ch.c.t.Now})
}

// get is one delivery without a consumer (AQ48).
func (ch *channel) get(m *wire.BasicGet) error {
	name, err := ch.queueName(m.Queue)
	if err != nil {
		return err
	}
	return ch.getFrom(name, m.NoAck)
}

// getFrom answers now, or when what is on its way from the store is there.
func (ch *channel) getFrom(name string, noAck bool) error {
	c := ch.c
	d, left, ok, later, r := c.session.TakeOne(c.t, name, noAck)
	switch {
	case r != core.OK:
		return queueError(r, name)
	case later:
		c.again(func() {
			if ch.closing {
				return
			}
			if err := named(ch.getFrom(name, noAck), wire.IDBasicGet); err != nil {
				ch.fault(code(err))
			}
		})
		return nil
	case !ok:
		ch.send(&wire.BasicGetEmpty{})
		return nil
	}
	env := c.outgoing.Envelope(&d, c.t.Now)
	ch.tag++
	c.out.B = wire.AppendGetOk(c.out.B, ch.id, ch.tag, d.Redelivered(), env.Place, uint32(left))
	ch.sendContent(env.Properties, d.Message.Payload)
	c.l.traffic.Count(c.t, adapters.Out, d.QoS, len(d.Message.Payload))
	c.l.translated.Sent(c.out, &d, adapters.Outcome(c.outgoing.Lossy()))
	if !noAck {
		ch.hold(&d, nil)
	}
	return nil
}
