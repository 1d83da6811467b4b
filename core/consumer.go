package core

import "sync/atomic"

// Consumer takes deliveries from one queue within a window and settles each.
// All methods but Waiting are called by the goroutine that drives its
// session's connection.
type Consumer struct {
	// Data is the room's own: its subscription, channel or the like.
	Data any

	// Immutable.
	queue  *Queue
	member *session // lasting owner; outlives session in groups
	filter string   // the text that a membership was subscribed with; "" for consumers that end with their connection

	// Guarded by queue.mu.
	opts     ConsumeOptions
	ids      *[]uint32 // {opts.ID}, nil without one; shared by every delivery
	session  *Session  // nil while the member is away
	quiet    bool      // is never woken: TakeOne, Stop
	stopped  bool      // takes no more
	isArmed  bool      // hungry and asleep: the next message wakes it
	isOwed   bool      // woken, and has not taken yet
	isSated  bool      // armed, and left to others what is theirs: they come first
	isShort  bool      // has not had all of its share
	left     int32     // of its share then
	inflight int
	closed   Reason
	rights   *readRights // nil until they are asked for

	// The attachment whose list it is in. A late wake-up of the attachment
	// before must not keep it out of the list of the one after.
	listed atomic.Pointer[Session]
}

// setOptions replaces the options. queue.mu is held, or nobody else sees c.
func (c *Consumer) setOptions(o ConsumeOptions) {
	c.opts, c.ids = o, nil
	if o.ID != 0 {
		c.ids = &[]uint32{o.ID}
	}
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

func notifyAll(t *Turn, cs []*Consumer) {
	for _, c := range cs {
		c.notify(t)
	}
}

// Closed reports that core ended the consumer, and why: its queue was deleted,
// or the right to it was taken away.
func (c *Consumer) Closed() (Reason, bool) {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	return c.closed, c.closed != OK
}

// Waiting is the number of messages that wait in the consumer's queue.
func (c *Consumer) Waiting() int {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	return c.queue.waitingCount()
}

// Newest is the sequence number that the next message of the consumer's queue
// gets: those with a lower one were there before.
func (c *Consumer) Newest() uint64 {
	c.queue.mu.Lock()
	defer c.queue.mu.Unlock()
	return c.queue.tail
}

// holds tells whether a delivery of that QoS stays in flight until Settle.
func (c *Consumer) holds(qos uint8) bool { return qos > 0 || (c.opts.AckAll && !c.opts.NoAck) }

// Take appends deliveries to into: at most as many as its free capacity, and
// of QoS 1 and above at most window. QoS 0, and everything of a NoAck
// consumer, is settled already. When window or capacity stopped it, the room
// comes back by itself; otherwise the session's sink is told when there is
// more.
func (c *Consumer) Take(t *Turn, into []Delivery, window int) []Delivery {
	q := c.queue
	q.mu.Lock()
	came := c.isOwed
	if came {
		c.isOwed = false
		q.owed--
	}
	if c.session == nil || c.closed != OK || c.stopped {
		q.mu.Unlock()
		return into
	}
	if q.yields(c) {
		q.arm(c)
		q.mu.Unlock()
		return into
	}
	q.sate(c, false)
	q.expireOld(t)
	t.unpacked.begin()
	k := taking{t: t, c: c, out: into, window: window, share: q.share(c)}
	c.isShort = false
	if c.isLasting() && !c.member.inbox.hasSent(c) { // what it was given before goes out first
		k.parked = true
	} else {
		q.serve(&k)
		k.parked = k.parked || k.given > 0
	}
	if k.short {
		c.isShort, c.left = true, int32(min(k.share, 1<<30))
	}
	if !k.short && !k.parked && !c.quiet {
		q.arm(c)
		q.sate(c, k.share <= 0 && !k.wait && q.waitingCount() > 0)
	}
	if q.paged != nil && (!c.quiet || q.polled) {
		q.ahead(t)
	}
	if q.sending != nil && !k.short {
		q.sending.goOn(q, t)
	}
	if !k.short || k.window <= 0 { // else it comes back for more
		q.shorten(t)
	}
	var woken *Consumer
	if progress := came || k.short || k.parked || q.ranked || len(k.out) > len(into); progress && !k.wait {
		if woken = q.wakeNext(); woken == c { // its second helping does not count against the others' share
			c.isOwed = false
			q.owed--
		}
	}
	var waited []*Consumer
	if q.given != nil {
		waited = q.given.released(q)
	}
	q.mu.Unlock()
	if woken != nil {
		woken.notify(t)
	}
	notifyAll(t, waited)
	if k.withheld > 0 {
		q.ns.r.withheld(c.member.principal.Load(), c.member.client, k.withheld, k.first)
	}
	return k.out
}
