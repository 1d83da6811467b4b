package core

// change says that something which several turns may change has changed. Its
// record is written when the turn is committed, from what is true then: so the
// order in which turns are submitted does not matter, and many changes of one
// thing are one record.
type change struct {
	kind changeKind
	ns   *Namespace
	st   *session
	q    *Queue
	seq  uint64
	text string // the filter, the topic or the key
}

type changeKind uint8

const (
	sessionChange      changeKind = iota // st
	subscriptionChange                   // st, text
	queueChange                          // q
	bindingChange                        // q, text
	entryChange                          // q, seq: of an entry that is stored
	retainedChange                       // ns, text
	noteChange                           // text
	segmentChange                        // q, seq: the first of the segment
)

// changed makes the turn's work write what c names. What a session's queue may
// send is worked out with its record, so that is asked for although it is not
// written.
func (t *Turn) changed(c change) {
	if t.router.forgets && c.kind != sessionChange {
		return
	}
	w := t.pendingWork()
	if n := len(w.changes); n > 0 && w.changes[n-1] == c {
		return
	}
	w.changes = append(w.changes, c)
}

// leaves notes the end of an attachment in the turn.
func (t *Turn) leaves(st *session) {
	w := t.pendingWork()
	w.left = append(w.left, st)
}

// write adds the record to a batch. below is what a session's queue may send
// once it is stored. Under no lock.
func (c *change) write(r *Router, b *Batch) (below uint64) {
	switch c.kind {
	case sessionChange:
		return c.writeSession(b)
	case subscriptionChange:
		c.writeSubscription(b)
	case queueChange, bindingChange:
		c.writeQueue(b)
	case entryChange:
		c.q.mu.Lock()
		if e := c.q.entry(c.seq); e != nil && e.stored {
			b.entry(c.q, c.seq, e)
		}
		c.q.mu.Unlock()
	case retainedChange:
		if p, ok := c.ns.retained.Get(c.text); ok {
			b.Set(retainedKey(c.ns.name, c.text), p.record(&r.ages))
		} else {
			b.Delete(retainedKey(c.ns.name, c.text))
		}
	case segmentChange:
		c.writeSegment(b)
	case noteChange:
		r.notes.write(b, c.text)
	}
	return 0
}

func (c *change) writeSession(b *Batch) (below uint64) {
	st := c.st
	st.mu.Lock()
	defer st.mu.Unlock()
	forgets := st.ns.r.forgets
	switch {
	case st.ended && forgets:
		return 0
	case st.ended:
		b.noSession(st.id)
		return 0
	}
	if below = st.inbox.sentBelow(st.current != nil); !forgets {
		b.session(st, below)
	}
	return below
}

func (c *change) writeSubscription(b *Batch) {
	st := c.st
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.ended {
		return // its record takes them all away
	}
	key := keyText(keySubscription, st.id, c.text)
	if own := st.subs.get(c.text); own != nil {
		b.Set(key, appendSubscription(nil, own.sub))
	} else if member := st.shared()[c.text]; member != nil {
		member.queue.mu.Lock()
		o := member.opts
		member.queue.mu.Unlock()
		b.Set(key, appendSubscription(nil, Subscription{Filter: c.text, QoS: o.QoS, ID: o.ID}))
	} else {
		b.Delete(key)
	}
}

func (c *change) writeQueue(b *Batch) {
	q := c.q
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.gone:
		b.noQueue(q.id)
	case c.kind == queueChange:
		b.queue(q)
	default:
		key := keyText(keyBinding, q.id, c.text)
		if have := q.bindings.get(c.text); have != nil {
			b.Set(key, appendSubscription(nil, have.sub))
		} else {
			b.Delete(key)
		}
	}
}

func (c *change) writeSegment(b *Batch) {
	q := c.q
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.gone || q.paged == nil {
		return
	}
	for _, s := range q.paged.segs {
		if s.start == c.seq && s.recorded && !s.begun {
			b.Set(key2(keySegment, q.id, s.start), appendSegment(nil, s))
		}
	}
}
