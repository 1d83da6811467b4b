package stomp

import (
	"strconv"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// collect lists the subscriptions that the core has something for.
func (c *conn) collect(t *core.Turn, out *adapters.Output) {
	for c.state == open {
		consumer := c.session.NextReady()
		if consumer == nil {
			return
		}
		sub, _ := consumer.Data.(*subscription)
		if sub == nil || sub.ended {
			continue
		}
		if r, gone := consumer.Closed(); gone { // ST44
			bad := fromReason(r, sub.key[2:])
			bad.subscription = sub.id
			c.fail(t, bad, "", out)
			return
		}
		c.subs.serve(sub)
	}
}

// deliver writes MESSAGEs until nothing waits or the output is full (ST60).
func (c *conn) deliver(t *core.Turn, s *scratch, out *adapters.Output) {
	for c.state == open {
		if len(c.subs.stalled) > 0 && out.Full() {
			out.More = true
			return
		}
		sub := c.subs.next()
		if sub == nil {
			return
		}
		c.drain(t, sub, s, out)
	}
}

// drain serves one subscription within its window (ST54).
func (c *conn) drain(t *core.Turn, sub *subscription, s *scratch, out *adapters.Output) {
	batch := 8
	for {
		n := c.allowed(sub, min(batch, len(s.deliveries)))
		if n == 0 {
			sub.consumer.Take(t, s.deliveries[:0:0], 0) // passes the turn to another consumer
			return
		}
		got := sub.consumer.Take(t, s.deliveries[:0:n], n)
		before := len(out.B)
		for i := range got {
			c.message(t, sub, &got[i], out)
		}
		clear(got)
		if len(got) < n {
			return // Ready follows when there is more
		}
		if out.Full() {
			c.subs.serve(sub)
			return
		}
		// As many as will fill the output, if the next are like these.
		batch = max(1, (adapters.OutputSoft-len(out.B))*len(got)/(len(out.B)-before))
	}
}

// allowed is how many deliveries of a batch may be written now.
func (c *conn) allowed(sub *subscription, batch int) int {
	if sub.mode == ackAuto {
		return batch
	}
	all := c.room.cfg.MaxUnacked - c.subs.unacked
	n := min(batch, sub.window-sub.out, all)
	if n > 0 {
		return n
	}
	sub.blocked = true
	if all <= 0 {
		c.subs.starved = append(c.subs.starved, sub)
	}
	return 0
}

// Direct implements adapters.Direct: what needs no ACK goes out as it comes.
func (c *conn) Direct(t *core.Turn, d *core.Delivery, out *adapters.Output) bool {
	sub := c.plain(d)
	if sub == nil {
		return false
	}
	c.message(t, sub, d, out)
	c.beat.lastOut = t.Now
	return true
}

// DirectRun implements adapters.DirectRun.
func (c *conn) DirectRun(t *core.Turn, d *core.Delivery, run *core.Run, out *adapters.Output) bool {
	sub := c.plain(d)
	if sub == nil || run.Bytes() > adapters.OutputSoft {
		return false
	}
	each := *d
	for i := range run.Len() {
		each.Message = run.At(i)
		c.message(t, sub, &each, out)
	}
	c.beat.lastOut = t.Now
	return true
}

// plain is the subscription of a delivery that ends with its MESSAGE; nil:
// there is none, or not any more.
func (c *conn) plain(d *core.Delivery) *subscription {
	sub, _ := d.Consumer.Data.(*subscription)
	if sub == nil || c.state != open || sub.mode != ackAuto || sub.ended {
		return nil
	}
	return sub
}

// message appends one MESSAGE. The order of its headers is fixed by
// docs/stomp.md, "Messages".
func (c *conn) message(t *core.Turn, sub *subscription, d *core.Delivery, out *adapters.Output) {
	m, v := d.Message, c.version
	c.subs.n++
	b := append(out.B, sub.head...)
	b = sub.appendDestination(b, m.Topic, v)
	b = c.appendID(b, "message-id:", sub)
	if d.Redelivered() {
		c.room.count.redelivered.Add(1)
		b = append(b, "redelivered:true\n"...)
	} else {
		b = append(b, "redelivered:false\n"...)
	}
	if sub.mode != ackAuto {
		c.subs.unacked++
		sub.sent(c.subs.n, d.Seq)
		if v == frame.V12 {
			b = c.appendID(b, "ack:", sub)
		}
	}
	b = appendFacts(b, t, d)
	b, lossy := c.appendProperties(b, m)
	b = frame.AppendBody(b, m.Payload)
	out.B = b
	c.room.count.traffic.Count(t, adapters.Out, min(d.QoS, 2), len(m.Payload))
	c.room.count.translated.Sent(out, d, adapters.Outcome(lossy))
	c.ended(frame.Message, out)
}

// appendFacts appends what is true of this delivery only.
func appendFacts(b []byte, t *core.Turn, d *core.Delivery) []byte {
	if d.Attempt > 1 {
		b = append(b, "x-delivery-count:"...)
		b = append(strconv.AppendUint(b, uint64(d.Attempt-1), 10), '\n')
	}
	if d.Message.QoS > 0 {
		b = append(b, "persistent:true\n"...)
	}
	if d.Stored { // ST43
		b = append(b, "retained:true\n"...)
	}
	if left, ok := d.Message.Remaining(t.Now, 1e6); ok {
		b = append(b, "expiration:"...)
		b = append(strconv.AppendInt(b, left, 10), "\nexpires:"...)
		b = append(strconv.AppendInt(b, t.Clock().Wall(d.Message.Expires).UnixMilli(), 10), '\n')
	}
	return b
}

// appendID appends the id of the delivery that is being written.
func (c *conn) appendID(b []byte, name string, sub *subscription) []byte {
	b = append(b, name...)
	b = append(b, sub.idHead...)
	return append(strconv.AppendUint(b, c.subs.n, 10), '\n')
}

// appendDestination appends the destination in the subscription's style. The
// last one is kept: most subscriptions see the same topic again.
func (s *subscription) appendDestination(b []byte, topic string, v frame.Version) []byte {
	if topic != string(s.lastTopic) {
		s.lastTopic = append(s.lastTopic[:0], topic...)
		s.destLine = frame.AppendHeader(s.destLine[:0], v, "destination", appendTopic(nil, topic, s.dest.style))
	}
	return append(b, s.destLine...)
}
