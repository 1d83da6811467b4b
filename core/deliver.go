package core

import "slices"

// taking is one Take under way.
type taking struct {
	t      *Turn
	c      *Consumer
	out    []Delivery
	window int
	share  int // how many more this consumer may have for now
	given  int // deliveries that went to the session's own queue instead
	later  int // deliveries that leave when they are stored
	walked int // deliveries of retained walks

	withheld int    // entries that the consumer may not read
	first    string // topic of the first of them

	short  bool // stopped by window or capacity: the room comes back
	wait   bool // stopped by something that will notify: store, subscription not yet safe
	parked bool // stopped until the session's own queue has sent what this one gave it
}

// has tells whether one more delivery of that QoS fits.
func (k *taking) has(qos uint8) bool {
	if len(k.out)+k.given+k.later >= cap(k.out) || (k.c.holds(qos) && k.window <= 0) {
		k.short = true
		return false
	}
	return k.share > 0
}

// serve fills a take: what was given back, then retained messages of new
// subscriptions, then what waits, in order.
// [MQTT-4.6.0-1] [3: MQTT-4.6.0-1]
func (q *Queue) serve(k *taking) {
	if !q.serveAgain(k) {
		return
	}
	if q.side != nil {
		if q.serveLanes(k); k.stopped() {
			return
		}
	}
	for {
		if q.shelf.due(q.next) {
			if !k.has(0) || !q.deliver(k, shelfSeq, &q.shelf.first().e) {
				return
			}
			continue
		}
		if q.next == q.tail {
			return
		}
		if q.paged != nil && q.next == q.paged.edge && !q.fill(k.t) {
			if q.paged == nil { // nothing was left of it
				continue
			}
			k.wait = true // the pager wakes
			return
		}
		seq := q.next
		e := q.at(seq)
		if e.state != waiting {
			q.next++
			continue
		}
		if !k.has(q.qosFor(k.c, e)) {
			return
		}
		if e.qos == 2 && e.logged && !e.stored { // its identifier must be durable before it leaves [MQTT-4.3.3-1]
			k.wait = true
			return
		}
		if q.sending != nil && e.qos > 0 && !q.sending.may(q, k.t, seq) {
			k.wait = true
			return
		}
		q.next++
		if k.c.skips(e) {
			q.giveBack(seq, e)
			continue
		}
		if !q.deliver(k, seq, e) {
			q.next--
			return
		}
		if q.sending != nil && e.out && e.logged {
			q.sending.sent = seq + 1
		}
	}
}

// withhold notes what may not be read, for the log.
func (k *taking) withhold(topic string) {
	if k.withheld++; k.withheld == 1 {
		k.first = topic
	}
}

// stopped tells that nothing more may be taken now.
func (k *taking) stopped() bool { return k.short || k.wait || k.parked }

// serveAgain repeats what was given back, of the ring and of retained messages,
// in the order in which it was sent; false when the take ends before all is.
func (q *Queue) serveAgain(k *taking) bool {
	for q.side != nil && len(q.side.back) > 0 {
		if !q.serveReturned(k, ringBefore(q.side.back[0])) || !q.serveSide(k) {
			return false
		}
	}
	return q.serveReturned(k, q.tail)
}

// serveReturned repeats what is below a sequence number.
func (q *Queue) serveReturned(k *taking, below uint64) bool {
	for i := 0; i < len(q.returned) && q.returned[i] < below; {
		seq := q.returned[i]
		e := q.at(seq)
		if !k.has(q.qosFor(k.c, e)) {
			return false
		}
		if k.c.skips(e) {
			i++
			continue
		}
		if i == 0 {
			q.returned = q.returned[1:]
		} else {
			q.returned = slices.Delete(q.returned, i, i+1)
		}
		if !q.deliver(k, seq, e) {
			q.returned = slices.Insert(q.returned, i, seq)
			return false
		}
	}
	if len(q.returned) == 0 {
		q.returned = nil
	}
	return true
}

// [MQTT-4.8.2-3]
func (q *Queue) qosFor(c *Consumer, e *entry) uint8 {
	if c.opts.NoAck {
		return 0
	}
	return min(e.qos, c.opts.QoS)
}

// skips tells that the entry is for another consumer: this one published it
// and wants no echo, or may not read it while another member may.
func (c *Consumer) skips(e *entry) bool {
	q := c.queue
	if q.kind == sessionQueue {
		return false
	}
	if c.opts.NoLocal && e.m.From == c.member.id {
		return true
	}
	return len(q.consumers) > 1 && !c.mayRead(e) && slices.ContainsFunc(q.consumers, func(o *Consumer) bool { return o.mayRead(e) })
}

// deliver appends one entry to a take, or drops it when it may no longer be
// sent; false leaves it where it was.
func (q *Queue) deliver(k *taking, seq uint64, e *entry) bool {
	k.t.refresh(e.m)
	if e.attempts == 0 && e.m.Expired(k.t.Now) { // [MQTT-4.3.3-7] [MQTT-4.3.3-13] [MQTT-3.3.2-5]
		q.giveUp(k.t, e, DropExpired)
		q.remove(k.t, seq)
		return true
	}
	if e.state != received && !k.c.mayRead(e) { // also what was sent before: the rights of now count
		k.withhold(e.m.Topic)
		q.remove(k.t, seq)
		q.ns.r.drop(DropDenied)
		return true
	}
	qos := q.qosFor(k.c, e)
	switch {
	case qos == 2 && k.c.isLasting():
		q.giveToSession(k, seq, e)
		return true
	case k.given > 0: // order: after what was given
		k.parked = true
		return false
	}
	k.share--
	if e.attempts < 1<<16-1 {
		e.attempts++
	}
	d := Delivery{Message: e.m, Consumer: k.c, Seq: seq, Tag: e.tag, Attempt: e.attempts, QoS: qos, Retain: e.retain, Received: e.state == received}
	if e.ids != nil {
		d.IDs = *e.ids
	} else if k.c.ids != nil {
		d.IDs = *k.c.ids
	}
	k.out = append(k.out, d)
	if !k.c.holds(qos) {
		q.remove(k.t, seq)
		return true
	}
	k.window--
	switch {
	case e.state == received:
	case qos == 2:
		e.state = takenOnce
	default:
		e.state = taken
	}
	e.owner, e.out = k.c, true
	q.inflight++
	if q.wanted != nil {
		q.wanted.out += int64(e.m.Size())
	}
	k.c.inflight++
	return true
}
