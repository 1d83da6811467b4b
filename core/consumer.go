package core

import (
	"slices"
	"sync/atomic"
)

// Consumer takes deliveries from one queue within a window and settles each.
// All methods but Waiting are called by the goroutine that drives its
// session's connection.
type Consumer struct {
	// Data is the room's own: its subscription, channel or the like.
	Data any

	// Immutable.
	queue *Queue
	opts  ConsumeOptions
	quiet bool // takes when asked to, is never woken: TakeOne

	// Guarded by queue.mu.
	session  *Session // nil while the member is away
	member   *session // lasting owner; outlives session in groups
	isArmed  bool     // hungry and asleep: the next message wakes it
	isOwed   bool     // woken, and has not taken yet
	inflight int
	kept     []uint64 // QoS 2 that was sent, while the member is away
	closed   Reason

	// The attachment whose list it is in. A late wake-up of the attachment
	// before must not keep it out of the list of the one after.
	listed atomic.Pointer[Session]
}

// notify puts the consumer into its session's list and wakes the connection.
func (c *Consumer) notify(t *Turn) {
	c.queue.mu.Lock()
	s := c.session
	c.queue.mu.Unlock()
	if s != nil {
		s.listReady(c)
		s.sink.Ready(t)
	}
}

// Closed reports that core ended the consumer, and why: its queue was deleted.
func (c *Consumer) Closed() (Reason, bool) {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	return c.closed, c.closed != OK
}

// gone tells that the consumer will never take again, since its queue ended.
func (c *Consumer) gone() bool {
	_, gone := c.Closed()
	return gone
}

// Waiting is the number of messages that wait in the consumer's queue.
func (c *Consumer) Waiting() int {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	return c.queue.waitingCount()
}

// QueueName is the NAME of a named queue, "" for other queues.
func (c *Consumer) QueueName() string {
	if c.queue.kind != namedQueue {
		return ""
	}
	return c.queue.spec.Name
}

// taking is one Take under way.
type taking struct {
	t      *Turn
	c      *Consumer
	out    []Delivery
	window int
	share  int  // how many more this consumer may have for now
	short  bool // stopped by window or capacity: the room comes back
	wait   bool // stopped by something that will notify: store, subscription not yet safe
}

// Take appends deliveries to into: at most as many as its free capacity, and
// of QoS 1 and above at most window. QoS 0, and everything of a NoAck
// consumer, is settled already. When window or capacity stopped it, the room
// comes back by itself; otherwise the session's sink is told when there is
// more.
func (c *Consumer) Take(t *Turn, into []Delivery, window int) []Delivery {
	q := c.queue
	q.mu.Lock()
	if c.isOwed {
		c.isOwed = false
		q.owed--
	}
	if c.session == nil || c.closed != OK {
		q.mu.Unlock()
		return into
	}
	if q.yields(c) {
		q.arm(c)
		q.mu.Unlock()
		return into
	}
	q.expireOld(t)
	k := taking{t: t, c: c, out: into, window: window, share: q.share(c)}
	q.serve(&k)
	var woken *Consumer
	if !k.short && !c.quiet {
		q.arm(c)
	}
	if progress := k.short || q.ranked || len(k.out) > len(into); progress && !k.wait {
		if woken = q.wakeNext(); woken == c { // its second helping does not count against the others' share
			c.isOwed = false
			q.owed--
		}
	}
	q.mu.Unlock()
	if woken != nil {
		woken.notify(t)
	}
	return k.out
}

// yields tells that the consumer's turn has not come: another is the active
// one, or one of higher priority is about to take.
func (q *Queue) yields(c *Consumer) bool {
	switch {
	case c.quiet:
		return false
	case q.spec.SingleActive && len(q.consumers) > 0 && q.consumers[0] != c:
		return true
	case !q.ranked:
		return false
	}
	for _, x := range q.consumers {
		if x.isOwed && x.opts.Priority > c.opts.Priority {
			return true
		}
	}
	return false
}

// share is what one consumer may take now: everything from a queue of its
// own, a fair part where others were woken too.
func (q *Queue) share(c *Consumer) int {
	if len(q.consumers) < 2 {
		return 1 << 30
	}
	active := q.owed + 1
	return (q.waitingCount() + active - 1) / active
}

func (q *Queue) arm(c *Consumer) {
	if !c.isArmed {
		c.isArmed = true
		q.armed = append(q.armed, c)
	}
}

func (q *Queue) disarm(c *Consumer) {
	if c.isArmed {
		c.isArmed = false
		q.armed = slices.DeleteFunc(q.armed, func(x *Consumer) bool { return x == c })
	}
	if c.isOwed {
		c.isOwed = false
		q.owed--
	}
}

// wakeNext picks a consumer for the first thing that waits, if any.
func (q *Queue) wakeNext() *Consumer {
	switch {
	case len(q.returned) > 0:
		return q.wakeOne(q.at(q.returned[0]))
	case len(q.sideBack) > 0, len(q.lanes) > 0:
		return q.wakeOne(nil)
	}
	for q.next < q.tail && q.at(q.next).state != waiting {
		q.next++
	}
	if q.next < q.tail {
		return q.wakeOne(q.at(q.next))
	}
	return nil
}

// serve fills a take: what was given back, then retained messages of new
// subscriptions, then what waits, in order.
// [MQTT-4.6.0-1] [3: MQTT-4.6.0-1]
func (q *Queue) serve(k *taking) {
	q.serveReturned(k)
	if k.short {
		return
	}
	q.serveSide(k)
	q.serveLanes(k)
	if k.short || k.wait {
		return
	}
	for q.next < q.tail {
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
		q.next++
		if k.c.skips(e) {
			q.giveBack(seq, e)
			continue
		}
		q.deliver(k, seq, e)
	}
}

func (q *Queue) serveReturned(k *taking) {
	for len(k.c.kept) > 0 {
		if !k.has(2) {
			return
		}
		seq := k.c.kept[0]
		k.c.kept = k.c.kept[1:]
		q.deliver(k, seq, q.at(seq))
	}
	for i := 0; i < len(q.returned); {
		seq := q.returned[i]
		e := q.at(seq)
		if !k.has(q.qosFor(k.c, e)) {
			return
		}
		if k.c.skips(e) {
			i++
			continue
		}
		q.returned = slices.Delete(q.returned, i, i+1)
		q.deliver(k, seq, e)
	}
	if len(q.returned) == 0 {
		q.returned = nil
	}
}

// has tells whether one more delivery of that QoS fits.
func (k *taking) has(qos uint8) bool {
	if len(k.out) == cap(k.out) || (k.c.holds(qos) && k.window <= 0) {
		k.short = true
		return false
	}
	return k.share > 0
}

// holds tells whether a delivery of that QoS stays in flight until Settle.
func (c *Consumer) holds(qos uint8) bool { return qos > 0 || (c.opts.AckAll && !c.opts.NoAck) }

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
	return len(q.consumers) > 1 && q.ns.r.auth != nil && !c.mayRead(e) && slices.ContainsFunc(q.consumers, func(o *Consumer) bool { return o.mayRead(e) })
}

func (c *Consumer) mayRead(e *entry) bool {
	return c.queue.ns.r.allows(c.member.principal.Load(), ActionDeliver, e.m.Topic)
}

// deliver appends one entry to a take, or drops it when it may no longer be
// sent.
func (q *Queue) deliver(k *taking, seq uint64, e *entry) {
	r := q.ns.r
	if e.attempts == 0 { // [MQTT-4.3.3-7] [MQTT-4.3.3-13]
		if e.m.Expired(k.t.Now) { // [MQTT-3.3.2-5]
			q.buryLater(e, DropExpired)
			q.remove(k.t, seq)
			return
		}
		if !k.c.mayRead(e) {
			q.remove(k.t, seq)
			r.drop(DropDenied)
			return
		}
	}
	k.share--
	qos := q.qosFor(k.c, e)
	if e.attempts < 1<<16-1 {
		e.attempts++
	}
	d := Delivery{Message: e.m, Consumer: k.c, Seq: seq, Tag: e.tag, Attempt: e.attempts, QoS: qos, Retain: e.retain, Received: e.state == received}
	if e.ids != nil {
		d.IDs = *e.ids
	} else if k.c.opts.ID != 0 {
		d.IDs = []uint32{k.c.opts.ID}
	}
	k.out = append(k.out, d)
	if !k.c.holds(qos) {
		q.remove(k.t, seq)
		return
	}
	k.window--
	if e.state == waiting {
		e.state = taken
	}
	e.owner, e.out = k.c, true
	q.inflight++
	k.c.inflight++
}
