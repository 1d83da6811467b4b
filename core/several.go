package core

// PublishAll is Publish for messages of QoS 1 or 2 that follow each other and
// go to the one topic that mt leads to, where a session's own queue alone gets
// them. They are built, and say nothing but their payloads. The first reached
// ones have somebody who gets them, the others nobody; all wait for seq, when it
// is pending. done is false when they are to be published one by one: nothing
// was done.
func (s *Session) PublishAll(t *Turn, mt *Match, ms []*Message) (seq uint64, pending bool, reached int, done bool) {
	if s.ns.r.hook != nil || mt.abroad != nil || mt.direct || len(mt.targets) != 1 || t.refusesMessage(ms[0]) != OK || s.ns.r.failed.Load() {
		return 0, false, 0, false
	}
	tg := &mt.targets[0]
	q := tg.q
	if q.kind != sessionQueue || tg.qos == 0 || q.rejects() {
		return 0, false, 0, false
	}
	for _, m := range ms {
		m.From, m.shared, m.sole = s.st.id, false, m.class != 0 && !q.durable
	}
	for reached = q.pushAll(t, ms, tg); reached < len(ms) && q.push(t, ms[reached], tg); {
		reached++
	}
	for range len(ms) - reached { // it is gone
		s.ns.r.drop(DropNoReceiver)
	}
	s.seq += uint64(len(ms)) - 1
	seq, pending = s.advance(t, q.durable && reached > 0)
	return seq, pending, reached, true
}

// pushAll is push for the first messages that nothing is said against. It
// returns how many.
func (q *Queue) pushAll(t *Turn, ms []*Message, tg *target) (n int) {
	qos := min(ms[0].QoS, tg.qos) // [MQTT-3.8.4-8] [3: MQTT-3.8.4-6]
	q.mu.Lock()
	if q.gone || !q.attached() {
		q.mu.Unlock()
		return 0
	}
	var woken *Consumer
	messages, bytes := q.limits()
	for ; n < len(ms) && q.takes(ms[n], messages, bytes); n++ {
		if _, crowded := q.ns.crowded(ms[n]); crowded {
			break
		}
		q.append(t, ms[n], qos, tg)
		switch {
		case len(q.armed) == 0: // it has been woken, or comes by itself
		case q.paged == nil:
			woken = q.wakeOne(q.at(q.tail - 1))
		default:
			woken = q.wakeNext()
		}
	}
	q.mu.Unlock()
	if woken != nil {
		woken.notify(t)
	}
	return n
}

// SettleAll is Settle with Accepted for several deliveries.
func (c *Consumer) SettleAll(t *Turn, seqs []uint64) {
	q := c.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.session == nil {
		return
	}
	for _, seq := range seqs {
		e := q.entry(seq)
		if e == nil || !e.out || e.owner != c {
			continue
		}
		m := e.m
		if q.finish(t, seq); m.sole {
			t.reuse(m)
		}
	}
}

// ReceivedAll is Settle with Received for the first n of several deliveries: as
// many as wait alike, at least one. Their second halves wait for sub, when it is
// pending.
func (c *Consumer) ReceivedAll(t *Turn, seqs []uint64) (n int, sub uint64, pending bool) {
	q := c.queue
	q.mu.Lock()
	s := c.session
	durable := false
	for n < len(seqs) && s != nil {
		e := q.entry(seqs[n])
		news := e != nil && e.out && e.owner == c && e.state != received
		if logged := news && e.logged; n == 0 {
			durable = logged
		} else if logged != durable {
			break
		}
		if news {
			e.state = received
			q.noteReceived(t, seqs[n], e)
		}
		n++
	}
	q.mu.Unlock()
	switch {
	case s == nil:
		return len(seqs), 0, false
	case durable:
		sub, pending = s.advance(t, true)
	}
	return n, sub, pending
}
