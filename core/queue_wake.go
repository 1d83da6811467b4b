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
// may take e. Those that have had their share are left alone while others are
// on their way; the last of these wakes them. The caller notifies it after unlocking.
func (q *Queue) wakeOne(e *entry) *Consumer {
	if q.owed > 0 && int(q.sated) == len(q.armed) {
		return nil
	}
	best := -1
	for i, c := range q.armed {
		if (e != nil && c.skips(e)) || q.yields(c) || c.isSated && q.owed > 0 {
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
	q.sate(c, false)
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
	switch {
	case q.paged == nil || edge == q.tail:
	case q.room() > 0:
		q.ask() // they are woken when it is there
	case q.next < edge: // it is for nobody here: one of them passes it, and asks
		return q.wakeOne(nil)
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
// own, a fair part where others were woken too. Who comes later, because its
// loop is slower, finds what was spared for it; of what came since, those who
// are sated have their part as well.
func (q *Queue) share(c *Consumer) int {
	n, owed := q.waitingCount(), int(q.owed)
	switch {
	case len(q.consumers) < 2:
		return 1 << 30
	case q.ordered():
		return portion(n, owed+1, true)
	case c.isShort && owed > 0: // goes on with what it has begun
		return min(n, int(c.left))
	}
	last := owed == 0 // nobody comes: nothing may be left over
	spared := min(n, int(q.spared))
	mine := portion(spared, owed+1, last) + portion(n-spared, owed+int(q.sated)+1, last)
	q.spared = uint32(mine * owed)
	return mine
}

// sate notes whether c has had its share: it is not woken again while others
// are on their way.
func (q *Queue) sate(c *Consumer, sated bool) {
	switch sated = sated && !q.ordered(); {
	case sated && !c.isSated:
		q.sated++
	case !sated && c.isSated:
		q.sated--
	}
	c.isSated = sated
}

// portion divides n, with the rest if it is asked for.
func portion(n, by int, rest bool) int {
	if rest {
		n += by - 1
	}
	return n / by
}

// ordered tells that some consumers come before others whatever they had.
func (q *Queue) ordered() bool { return q.ranked || q.spec.SingleActive }

func (q *Queue) arm(c *Consumer) {
	if !c.isArmed {
		c.isArmed = true
		q.armed = append(q.armed, c)
	}
}

func (q *Queue) disarm(c *Consumer) {
	q.sate(c, false)
	if c.isArmed {
		c.isArmed = false
		q.armed = slices.DeleteFunc(q.armed, func(x *Consumer) bool { return x == c })
	}
	if c.isOwed {
		c.isOwed = false
		q.owed--
	}
}
