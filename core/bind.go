package core

// bind adds a filter to a queue; the same again changes nothing.
func (q *Queue) bind(t *Turn, sub Subscription) bool {
	q.mu.Lock()
	if q.gone || q.bindings.get(sub.Filter) != nil {
		q.mu.Unlock()
		return false
	}
	b := newBinding(q, sub)
	q.bindings.put(b)
	logged := q.durable && q.kind == namedQueue
	if logged {
		t.changed(change{kind: bindingChange, q: q, text: sub.Filter})
	}
	q.mu.Unlock()
	q.ns.index.Add(sub.Filter, b)
	return logged
}

// Bind joins a filter to a named queue. With pending, answer when Safe
// reaches seq. Retained messages that match go into the queue too, as the
// subscription's RetainHandling says.
func (s *Session) Bind(t *Turn, queue string, sub Subscription) (seq uint64, pending bool, reason Reason) {
	q, reason := s.lookup(queue, ActionQueue)
	if reason != OK {
		return 0, false, reason
	}
	if reason = s.checkSubscribe(&sub); reason != OK {
		return 0, false, reason
	}
	q.mu.Lock()
	existed := q.bindings.get(sub.Filter) != nil
	over := q.bindings.len() >= s.ns.limits().Bindings && !existed
	q.mu.Unlock()
	if over {
		return 0, false, s.ns.over(LimitQueues)
	}
	durable := q.bind(t, sub)
	if sub.RetainHandling == 0 || (sub.RetainHandling == 1 && !existed) {
		q.replay(t, &replay{sub: sub, rev: q.ns.revision.Load(), principal: s.principal, client: s.st.client})
		durable = durable || q.spec.Durable
	}
	seq, pending = s.advance(t, durable)
	return seq, pending, OK
}

// replay is a walk over the retained messages for a binding of a named queue.
type replay struct {
	sub       Subscription
	after     string
	rev       uint64 // retained writes after this one arrive live
	principal *Principal
	client    string
}

// replay puts a slice of retained messages into the queue, and goes on in
// turns of its own until all are in, or the queue is full.
func (q *Queue) replay(t *Turn, w *replay) {
	items, next, done := q.ns.retained.Scan(nil, w.sub.Filter, w.after, laneSlice)
	denials := q.ns.r.withholding(w.principal, w.client)
	defer func() { denials.tell() }()
	for i := range items {
		m := items[i].message()
		if m.rev > w.rev || m.Expired(t.Now) || !denials.allows(m) {
			continue
		}
		if !q.push(t, m, &target{q: q, qos: w.sub.QoS, rap: true}) {
			return
		}
	}
	if w.after = next; !done {
		q.ns.r.timers.soon(func(t *Turn) { q.replay(t, w) })
	}
}

// Unbind removes a filter from a named queue; one that is not there is OK.
func (s *Session) Unbind(t *Turn, queue, filter string) (seq uint64, pending bool, reason Reason) {
	q, reason := s.lookup(queue, ActionQueue)
	if reason != OK {
		return 0, false, reason
	}
	q.mu.Lock()
	b := q.bindings.get(filter)
	q.bindings.remove(filter)
	durable := q.durable && b != nil
	if durable {
		t.changed(change{kind: bindingChange, q: q, text: filter})
	}
	q.mu.Unlock()
	if b != nil {
		s.ns.index.Remove(filter, b)
	}
	seq, pending = s.advance(t, durable)
	return seq, pending, OK
}

// Bindings lists the filters of a named queue.
func (s *Session) Bindings(queue string) ([]Subscription, Reason) {
	q, reason := s.lookup(queue, ActionQueue)
	if reason != OK {
		return nil, reason
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []Subscription
	for b := range q.bindings.all() {
		all = append(all, b.sub)
	}
	return all, OK
}
