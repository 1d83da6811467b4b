package core

// bind adds a filter to a queue; the same again changes nothing.
func (q *Queue) bind(t *Turn, sub Subscription) bool {
	q.mu.Lock()
	if q.gone || q.bindings[sub.Filter] != nil {
		q.mu.Unlock()
		return false
	}
	b := newBinding(q, sub)
	q.bindings[sub.Filter] = b
	logged := q.durable && q.kind == namedQueue
	if logged {
		t.putBinding(q, sub)
	}
	q.mu.Unlock()
	q.ns.index.Add(sub.Filter, b)
	return logged
}

// Bind joins a filter to a named queue. With pending, answer when Safe
// reaches seq.
func (s *Session) Bind(t *Turn, queue string, sub Subscription) (seq uint64, pending bool, reason Reason) {
	q, reason := s.lookup(queue, ActionQueue)
	if reason != OK {
		return 0, false, reason
	}
	if reason = s.checkSubscribe(&sub); reason != OK {
		return 0, false, reason
	}
	q.mu.Lock()
	over := len(q.bindings) >= s.r.limits.Bindings && q.bindings[sub.Filter] == nil
	q.mu.Unlock()
	if over {
		return 0, false, Quota
	}
	seq, pending = s.advance(t, q.bind(t, sub))
	return seq, pending, OK
}

// Unbind removes a filter from a named queue; one that is not there is OK.
func (s *Session) Unbind(t *Turn, queue, filter string) (seq uint64, pending bool, reason Reason) {
	q, reason := s.lookup(queue, ActionQueue)
	if reason != OK {
		return 0, false, reason
	}
	q.mu.Lock()
	b := q.bindings[filter]
	delete(q.bindings, filter)
	durable := q.durable && b != nil
	if durable {
		t.deleteBinding(q, filter)
	}
	q.mu.Unlock()
	if b != nil {
		s.st.ns.index.Remove(filter, b)
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
	for _, b := range q.bindings {
		all = append(all, b.sub)
	}
	return all, OK
}
