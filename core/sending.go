package core

// sending is how far a durable session's own queue may send without asking
// the store. The session's record says so beforehand; after a crash, what is
// below may have been sent, and is repeated as such (DUP [MQTT-3.3.1-1]), and
// what is not below was certainly never sent [MQTT-4.3.2-2]. While the session
// is away the record is exact.
type sending struct {
	sent  uint64 // what is below was sent, or may have been before a crash; the rest was not
	safe  uint64 // what is below is covered by the stored record
	asked uint64 // what is below will be
	ahead uint64 // how far ahead the next request goes
}

// The distance grows while the connection keeps up, so that a queue which
// stands still is known nearly exactly, and one that flows never waits.
const (
	firstAhead = 16
	mostAhead  = 16384
)

// startSending is the begin of an attachment. Nothing is asked for before there
// is something to send. q.mu is held.
func (q *Queue) startSending() {
	below := q.sentTo()
	q.sending = &sending{sent: below, safe: below, asked: below}
}

// losesUnsent comes before what was never sent may be dropped: so that it does
// not count as sent. Its record may survive a power cut. q.mu is held.
func (q *Queue) losesUnsent() {
	if q.durable && q.sending == nil && q.kind == sessionQueue {
		q.startSending()
	}
}

// may tells whether an entry may be sent now. q.mu is held.
func (x *sending) may(q *Queue, t *Turn, seq uint64) bool {
	if seq >= x.safe && seq >= x.asked {
		x.ask(q, t, seq)
	}
	return seq < x.safe
}

// goOn asks for more before it is needed, while the consumer is hungry. q.mu
// is held.
func (x *sending) goOn(q *Queue, t *Turn) {
	if x.ahead > 0 && q.next+x.ahead/2 >= x.asked {
		x.ask(q, t, q.next)
	}
}

func (x *sending) ask(q *Queue, t *Turn, from uint64) {
	x.ahead = max(firstAhead, min(4*x.ahead, mostAhead))
	x.asked = from + x.ahead
	t.changed(change{kind: sessionChange, st: q.own})
	t.sync()
}

// sentBelow is what the session's record says: how far the queue may have sent.
func (q *Queue) sentBelow(attached bool) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if attached && q.sending != nil {
		return q.sending.asked
	}
	return q.sentTo()
}

// sentTo is how far the queue has sent. q.mu is held.
func (q *Queue) sentTo() uint64 {
	if q.sending != nil {
		return q.sending.sent
	}
	if q.paged != nil {
		return max(q.next, q.paged.dup)
	}
	return q.next
}

// maySend follows the commit of a session's record.
func (q *Queue) maySend(t *Turn, below uint64) {
	q.mu.Lock()
	if q.sending == nil {
		q.mu.Unlock()
		return
	}
	q.sending.safe = max(q.sending.safe, min(below, q.sending.asked))
	woken := q.wakeNext()
	q.mu.Unlock()
	if woken != nil {
		woken.notify(t)
	}
}
