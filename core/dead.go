package core

// Dead is a message that a queue gave up.
type Dead struct {
	Namespace string
	Queue     QueueSpec
	Message   *Message
	Cause     DropCause // DropRejected, DropExpired or DropQueueFull
	Attempts  int       // deliveries that were tried
}

// Undertaker takes the dead letters of queues whose QueueSpec.DeadRoom names
// it. It is called in a turn, under no lock.
type Undertaker func(t *Turn, d Dead)

// OnDead sets the undertaker of a room, which may be called from then on. Before
// the room serves anybody.
func (r *Router) OnDead(room string, u Undertaker) {
	r.mu.Lock()
	if r.undertakers == nil {
		r.undertakers = map[string]Undertaker{}
	}
	r.undertakers[room] = u
	long := r.overlong[room]
	delete(r.overlong, room)
	r.mu.Unlock()
	r.pager.serves(room)
	for _, q := range long {
		r.timers.soon(q.becomeShort)
	}
}

// shortenAtStart drops what was in flight at the stop and waits now beyond the
// queue's own limits. Dead letters among that wait for their room.
func (q *Queue) shortenAtStart(t *Turn) {
	r := q.ns.r
	q.mu.Lock()
	defer q.mu.Unlock()
	if room := q.spec.DeadRoom; room != "" && q.overlong(&q.spec.Limits) {
		if r.overlong == nil {
			r.overlong = map[string][]*Queue{}
		}
		r.overlong[room] = append(r.overlong[room], q)
		return
	}
	q.shorten(t)
}

// becomeShort is shorten in a turn of its own.
func (q *Queue) becomeShort(t *Turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.shorten(t)
}

// bury ends a message for good: its room gets it, or the dead-letter queue
// where one is set and it was rejected; else it is dropped and counted. Under
// no lock.
func (q *Queue) bury(t *Turn, d Dead) {
	r := q.ns.r
	r.mu.RLock()
	u := r.undertakers[q.spec.DeadRoom]
	r.mu.RUnlock()
	if u != nil {
		d.Namespace, d.Queue = q.ns.name, *q.spec
		u(t, d)
		return
	}
	if q.spec.DeadLetter && d.Cause == DropRejected {
		dead := q.ns.deadLetterQueue(t, q.spec.Name)
		if dead.push(t, d.Message.again(), &target{q: dead, qos: 2}) {
			return
		}
	}
	r.drop(d.Cause)
}

// deadLetter is a message that the turn buries at its end.
type deadLetter struct {
	q *Queue
	d Dead
}

// giveUp is bury from under the queue's lock: the turn does it before it ends,
// so that the dead letter and the removal are one change of the store.
func (q *Queue) giveUp(t *Turn, e *entry, cause DropCause) {
	if !q.buries(cause) {
		q.ns.r.drop(cause)
		return
	}
	t.dead = append(t.dead, deadLetter{q, Dead{Message: e.m, Cause: cause, Attempts: int(e.attempts)}})
}

// buries tells that somebody gets what the queue gives up.
func (q *Queue) buries(cause DropCause) bool {
	return q.spec.DeadRoom != "" || q.spec.DeadLetter && cause == DropRejected
}

// buryRounds bounds how far one turn follows dead letters that push out others.
const buryRounds = 16

// bury gives every dead letter of the turn to whom it belongs. Under no lock.
func (t *Turn) bury() {
	for range buryRounds {
		if len(t.dead) == 0 {
			return
		}
		letters := t.dead
		t.dead = nil
		for _, x := range letters {
			x.q.bury(t, x.d)
		}
		if t.dead == nil {
			clear(letters)
			t.dead = letters[:0]
		}
	}
	letters := t.dead
	t.dead = nil
	t.router.timers.soon(func(t *Turn) { t.dead = append(t.dead, letters...) })
}
