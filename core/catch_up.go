package core

import "container/heap"

// catchingUp makes what was loaded older, in slices. What is read from the store
// meanwhile looks after itself (reader.time, Queue.arrive).
type catchingUp struct {
	r        *Router
	late     Time
	sessions []*session
	queues   []*Queue
	older    map[*Message]*Message // that several queues hold
}

// catchSlice bounds how many sessions and queues one turn looks at.
const catchSlice = 256

// catchUp begins it.
func (r *Router) catchUp(t *Turn, late Time) {
	x := &catchingUp{r: r, late: late, older: map[*Message]*Message{}}
	for _, ns := range r.allNamespaces() {
		ns.mu.Lock()
		for st := range ns.sessions.all() {
			x.sessions = append(x.sessions, st)
		}
		for _, q := range ns.queues {
			x.queues = append(x.queues, q)
		}
		for _, q := range ns.groups {
			x.queues = append(x.queues, q)
		}
		ns.mu.Unlock()
		ns.delayed.catchUp(x, ns)
		x.retained(t, ns, "")
	}
	x.goOn(t)
}

func (x *catchingUp) goOn(*Turn) {
	n := min(catchSlice, len(x.sessions))
	for _, st := range x.sessions[:n] {
		x.session(st)
	}
	x.sessions = x.sessions[n:]
	n = min(catchSlice, len(x.queues))
	for _, q := range x.queues[:n] {
		q.catchUp(x)
	}
	x.queues = x.queues[n:]
	if len(x.sessions)+len(x.queues) > 0 {
		x.r.timers.soon(x.goOn)
	}
}

// session makes the end and the will of a session come earlier that was away at
// the start and has not been back.
func (x *catchingUp) session(st *session) {
	st.mu.Lock()
	if st.lasting != nil && st.loaded {
		st.loaded = false
		st.ends = max(1, st.ends-x.late)
		if st.willAt != 0 {
			st.willAt = max(1, st.willAt-x.late)
		}
		st.schedule()
	}
	inbox := st.inbox
	st.mu.Unlock()
	if inbox != nil {
		inbox.catchUp(x)
	}
}

func (q *Queue) catchUp(x *catchingUp) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for seq := q.head; seq < q.edge(); seq++ {
		if e := q.at(seq); e.m != nil {
			e.m = x.message(e.m)
		}
	}
	if q.side != nil {
		for _, e := range q.side.sent {
			e.m = x.message(e.m)
		}
	}
}

func (s *schedule) catchUp(x *catchingUp, ns *Namespace) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.heap {
		if d.loaded {
			d.loaded, d.due = false, max(1, d.due-x.late)
		}
		d.m = x.message(d.m)
	}
	heap.Init(&s.heap)
	if len(s.heap) > 0 {
		x.r.timers.sooner(ns.delayedAlarm, s.heap[0].due)
	}
}

// retained walks the retained messages of a namespace.
func (x *catchingUp) retained(t *Turn, ns *Namespace, after string) {
	items, next, done := ns.retained.Scan(nil, "#", after, sweepSlice)
	for i := range items {
		if !items[i].isLoaded() {
			continue
		}
		ns.retained.Update(items[i].Key(), func(old packed, had bool) (packed, bool) {
			if had && old.isLoaded() {
				var m Message
				owner := old.unpack(&m)
				m.loaded, m.Expires = false, max(1, m.Expires-x.late)
				ns.expiresLater(t.Now, m.Expires)
				old = pack(&m, owner)
			}
			return old, had
		})
	}
	if !done {
		x.r.timers.soon(func(t *Turn) { x.retained(t, ns, next) })
	}
}

// message is the same message, made older if it was loaded.
func (x *catchingUp) message(m *Message) *Message {
	if !m.loaded {
		return m
	}
	old := x.older[m]
	if old == nil {
		old = m.olderBy(x.late)
		if m.shared {
			x.older[m] = old
		}
	}
	return old
}

// olderBy is the message as it is if it was loaded so much too young.
func (m *Message) olderBy(late Time) *Message {
	x := m.again()
	x.shared, x.record = m.shared, m.record
	x.Expires, x.loaded = max(1, m.Expires-late), false
	return x
}
