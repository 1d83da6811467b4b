package core

import "slices"

// wakeOther is wakeOne for something that its owner gave back: another one
// that is hungry comes first.
func (q *Queue) wakeOther(e *entry) *Consumer {
	for i, c := range q.armed {
		if c != e.owner && !c.skips(e) {
			copy(q.armed[1:i+1], q.armed[:i])
			q.armed[0] = c
			break
		}
	}
	return q.wakeOne(e)
}

// wakeOne picks the hungry consumer that has slept longest among those that
// may take e. The caller notifies it after unlocking.
func (q *Queue) wakeOne(e *entry) *Consumer {
	best := -1
	for i, c := range q.armed {
		if (e != nil && c.skips(e)) || q.yields(c) {
			continue
		}
		if best < 0 || c.opts.Priority > q.armed[best].opts.Priority {
			best = i
		}
		if !q.ranked {
			break
		}
	}
	if best < 0 {
		return nil
	}
	c := q.armed[best]
	q.armed = slices.Delete(q.armed, best, best+1)
	c.isArmed = false
	if !c.isOwed {
		c.isOwed = true
		q.owed++
	}
	return c
}

// wakeNext picks a consumer for the first thing that waits and that somebody
// hungry may take, if any.
func (q *Queue) wakeNext() *Consumer {
	if len(q.armed) == 0 {
		return nil
	}
	for _, seq := range q.returned {
		if c := q.wakeOne(q.at(seq)); c != nil || !q.picky() {
			return c
		}
	}
	if x := q.side; x != nil && (len(x.back) > 0 || len(x.lanes) > 0) {
		return q.wakeOne(nil)
	}
	edge := q.edge()
	for q.next < edge && q.at(q.next).state != waiting {
		q.next++
	}
	if q.shelf.due(q.next) {
		return q.wakeOne(nil)
	}
	for seq := q.next; seq < edge; seq++ {
		if e := q.at(seq); e.state == waiting {
			if c := q.wakeOne(e); c != nil || !q.picky() {
				return c
			}
		}
	}
	if q.paged != nil && edge < q.tail && q.room() > 0 {
		q.ask() // they are woken when it is there
	}
	return nil
}

// picky tells that one entry may be for others than the next.
func (q *Queue) picky() bool {
	return q.kind != sessionQueue && slices.ContainsFunc(q.consumers, func(c *Consumer) bool { return c.opts.NoLocal || !c.readsAll() })
}

// yields tells that the consumer's turn has not come: another is the active
// one, or one of higher priority is about to take.
func (q *Queue) yields(c *Consumer) bool {
	switch {
	case c.quiet:
		return false
	case q.spec.SingleActive && q.active() != c:
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

// active is the one consumer that takes from a single-active queue: of those
// that are connected, the one that has been there longest.
func (q *Queue) active() *Consumer {
	for _, c := range q.consumers {
		if c.session != nil {
			return c
		}
	}
	return nil
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
