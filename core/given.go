package core

// given is what a session's own queue knows of messages that its memberships
// gave it. A shared queue gives a QoS 2 message to a durable session for good
// before the first copy is sent: so the identifier is safe before it leaves,
// and however the connection ends, the message stays with that session and
// goes to nobody else. [MQTT-4.8.2-4] [MQTT-4.8.2-5]
type given struct {
	to     uint64            // the last number that was given
	parked []*Consumer       // memberships that go on when all of it has been sent
	from   map[uint64]*Queue // where an entry came from
}

// isLasting tells that the consumer is the membership of a durable session.
func (c *Consumer) isLasting() bool { return c.filter != "" && c.member.durable }

// giveToSession moves an entry from a shared queue to the own queue of the
// consumer's session, in one change of the store. q.mu is held.
func (q *Queue) giveToSession(k *taking, seq uint64, e *entry) {
	m := e.m
	if m.record != nil { // its holders are written: this entry is not among them
		m = m.again()
	}
	inbox := k.c.member.inbox
	inbox.mu.Lock()
	inbox.givenBy(inbox.tail, q)
	inbox.given.to = inbox.tail
	inbox.append(k.t, m, 2, &target{ids: k.c.ids, rap: e.retain})
	inbox.given.park(k.c)
	inbox.mu.Unlock()
	q.remove(k.t, seq)
	k.window--
	k.share--
	k.given++
}

// givenBy notes where an entry came from. q.mu is held.
func (q *Queue) givenBy(seq uint64, origin *Queue) {
	if q.given == nil {
		q.given = &given{from: map[uint64]*Queue{}}
	}
	q.given.from[seq] = origin
}

func (g *given) park(c *Consumer) {
	for _, x := range g.parked {
		if x == c {
			return
		}
	}
	g.parked = append(g.parked, c)
}

// hasSent tells whether everything that was given is on its way. If not, the
// consumer is told when it is. c.queue.mu is held.
func (q *Queue) hasSent(c *Consumer) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.given == nil || q.next > q.given.to {
		return true
	}
	q.given.park(c)
	return false
}

// released takes those that may go on. q.mu is held.
func (g *given) released(q *Queue) []*Consumer {
	if len(g.parked) == 0 || q.next <= g.to {
		return nil
	}
	all := g.parked
	g.parked = nil
	return all
}

// origin is the queue that an entry was given by, else the queue itself. q.mu
// is held.
func (q *Queue) origin(seq uint64) *Queue {
	if q.given != nil && q.given.from[seq] != nil {
		return q.given.from[seq]
	}
	return q
}
