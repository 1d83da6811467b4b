package stomp

import (
	"slices"
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
	c.messages(t, sub, d.Message, run, out)
	c.beat.lastOut = t.Now
	return true
}

// plain is the subscription of a delivery that ends with its MESSAGE; nil:
// there is none, or not any more.
func (c *conn) plain(d *core.Delivery) *subscription {
	sub, _ := d.Consumer.Data.(*subscription)
	if sub == nil || c.state != open || sub.mode != ackAuto || sub.held || sub.ended {
		return nil
	}
	return sub
}

// message appends one MESSAGE. The order of its headers is fixed by
// docs/stomp.md, "Messages".
func (c *conn) message(t *core.Turn, sub *subscription, d *core.Delivery, out *adapters.Output) {
	m, v := d.Message, c.version
	c.subs.n++
	b := append(out.B, sub.leadTo(m.Topic, v)...)
	b = strconv.AppendUint(b, c.subs.n, 10)
	if d.Redelivered() {
		c.room.count.redelivered.Add(1)
		b = append(b, "\nredelivered:true\n"...)
	} else {
		b = append(b, firstDelivery...)
	}
	if sub.mode != ackAuto {
		c.subs.unacked++
		sub.sent(c.subs.n, d.Seq)
		if v == frame.V12 {
			b = append(b, "ack:"...)
			b = append(b, sub.idHead...)
			b = append(strconv.AppendUint(b, c.subs.n, 10), '\n')
		}
	}
	b = appendFacts(b, t, d)
	b, lossy := c.appendProperties(b, m)
	b = frame.AppendBody(b, m.Payload)
	out.B = c.room.trail(b)
	t.Count(c.room.count.out[frame.Message], 1)
	c.room.count.traffic.Count(t, adapters.Out, min(d.QoS, 2), len(m.Payload))
	c.room.count.translated.Sent(out, d, adapters.Outcome(lossy))
}

// firstDelivery ends the message-id.
const firstDelivery = "\nredelivered:false\n"

// messages appends a MESSAGE for each message of a run, of which m is the first.
// They have no headers but those that every MESSAGE has.
func (c *conn) messages(t *core.Turn, sub *subscription, m *core.Message, run *core.Run, out *adapters.Output) {
	const number, rest = 20, len("content-length:\n\n\x00\n") + 20 // of 20 decimal digits at most
	lead, n := sub.leadTo(m.Topic, c.version), run.Len()
	b := slices.Grow(out.B, run.Bytes()+n*(len(lead)+number+len(firstDelivery)+rest))
	for i := range n {
		c.subs.n++
		b = append(b, lead...)
		b = strconv.AppendUint(b, c.subs.n, 10)
		b = append(b, firstDelivery...)
		b = c.room.trail(frame.AppendBody(b, run.Payload(i)))
	}
	out.B = b
	t.Count(c.room.count.out[frame.Message], uint64(n))
	c.room.count.traffic.CountAll(t, adapters.Out, 0, n, run.Bytes())
	c.room.count.translated.SentRun(out, run, adapters.Whole)
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

// leadTo is what a MESSAGE with a topic begins with, up to the number in its
// message-id: the destination is in the subscription's style. The last one is
// kept: most subscriptions see the same topic again.
func (s *subscription) leadTo(topic string, v frame.Version) []byte {
	if len(s.lead) == s.fixed || topic != string(s.lastTopic) {
		s.lastTopic = append(s.lastTopic[:0], topic...)
		var buf [128]byte
		b := frame.AppendHeader(s.lead[:s.fixed], v, "destination", appendTopic(buf[:0], topic, s.dest.style))
		b = append(b, "message-id:"...)
		s.lead = append(b, s.idHead...)
	}
	return s.lead
}
