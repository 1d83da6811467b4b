package core

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// segment reads what a stretch of a queue's entries sums up to.
func (l *loading) segment(key, value []byte) error {
	id, rest, err := l.id(key)
	if err != nil || len(rest) != 8 {
		return errRecord
	}
	if l.queues.get(id) == nil {
		l.orphan(keySegment, key, "")
		return nil
	}
	s, err := (&reader{b: value, ages: &l.r.ages}).segment(binary.BigEndian.Uint64(rest))
	if err != nil {
		return err
	}
	l.last = max(l.last, s.last)
	l.segments[id] = append(l.segments[id], s)
	return nil
}

// entries reads the entries of all queues, but for those that segments tell
// of: so a start takes as long for a queue of a thousand messages as for one of
// millions.
func (l *loading) entries() error {
	from, many := []byte{keyEntry}, false
	for from != nil {
		scan, next, read := l.r.store.Scan, []byte(nil), 0
		if many {
			scan = l.ahead
		}
		for rec, err := range scan(from, []byte{keyEntry + 1}) {
			if err != nil {
				return readError(err)
			}
			if next, err = l.entry(rec.Key[1:], rec.Value); err != nil {
				return damaged(rec.Key, err)
			}
			if read++; next == nil && read == entriesAhead && !many {
				next = append(slices.Clone(rec.Key), 0)
			}
			if next != nil {
				break
			}
		}
		from, many = next, read >= entriesAhead
	}
	for id, segs := range l.segments {
		for _, s := range segs {
			l.lost(id, s)
		}
	}
	return nil
}

// entriesAhead is after how many entries the next ones are read ahead. Of a long
// queue, one that leads far beyond comes sooner.
const entriesAhead = 64

// lost removes a segment of which no entry is there.
func (l *loading) lost(id uint64, s *segment) {
	k := key2(keySegment, id, s.start)
	l.orphan(keySegment, k[1:], "")
}

// entry reads one. next is where to go on, nil to go on with the next one.
func (l *loading) entry(key, value []byte) (next []byte, err error) {
	id, rest, err := l.id(key)
	if err != nil || len(rest) != 8 {
		return nil, errRecord
	}
	seq := binary.BigEndian.Uint64(rest)
	if to := l.cleared(id, seq); to > seq {
		return key2(keyEntry, id, to), nil
	}
	q := l.queues.get(id)
	if q == nil {
		l.orphans.add(keyEntry, "a queue that is not there")
		l.r.pager.clear(clearing{id: id, to: math.MaxUint64})
		return key1(keyEntry, id+1), nil
	}
	if s := l.reached(id, seq); s != nil {
		l.skipped.end(q)
		q.restoreSegment(l.t, s)
		return key2(keyEntry, id, s.end), nil
	}
	read := (*reader).entry
	if l.unread(q, seq) {
		read = (*reader).entrySize
	}
	x, err := read(&reader{b: value, ages: &l.r.ages}, seq)
	if err != nil {
		return nil, err
	}
	l.last = max(l.last, x.refers, x.from)
	if x.e.state == received && q.kind != sessionQueue { // its receiver has it, and is gone
		l.r.pager.clear(clearing{id: id, from: seq, to: seq + 1})
		return nil, nil
	}
	if x.refers != 0 && l.skipped.of(q) {
		if err := l.unskip(); err != nil {
			return nil, err
		}
	}
	if l.pages(q, &x) {
		return nil, l.page(q, key, value, &x)
	}
	return nil, l.ring(q, key, value, &x)
}

// clearing reads a range of entries that were given up: the pager goes on with it.
func (l *loading) clearing(key, value []byte) error {
	id, rest, err := l.id(key)
	if err != nil || len(rest) != 8 {
		return errRecord
	}
	c, buried, err := (&reader{b: value}).clearing(id, binary.BigEndian.Uint64(rest))
	if err != nil {
		return err
	}
	q := l.queues.get(id)
	if q != nil {
		q.unseen = true
	}
	if buried {
		c.q = q // there is nobody to get the dead letters of one that is gone
	}
	l.clears[id] = append(l.clears[id], c)
	l.r.pager.clear(c)
	return nil
}

// cleared is the end of the range that an entry was given up with, 0 if none.
func (l *loading) cleared(id, seq uint64) (to uint64) {
	for _, c := range l.clears[id] {
		if c.from <= seq && seq < c.to {
			to = max(to, c.to)
		}
	}
	return to
}

// skipCleared makes a queue's numbers go on behind those that were given up.
func (l *loading) skipCleared(q *Queue) {
	for _, c := range l.clears[q.id] {
		switch {
		case c.to <= q.tail:
		case q.head == q.tail:
			q.head, q.next, q.tail = c.to, c.to, c.to
		default:
			q.beyond(l.t, c.to)
			q.tail = c.to
		}
	}
}

// ring puts an entry into the queue's ring.
func (l *loading) ring(q *Queue, key, value []byte, x *stored) (err error) {
	if x.refers != 0 {
		x.e.m, err = l.message(x.refers)
	} else if x.e.m == nil { // it was not to be read
		*x, err = (&reader{b: value, ages: &l.r.ages}).entry(x.seq)
	}
	switch {
	case err != nil:
		return err
	case x.e.m == nil: // every copy was settled, and this deletion was on its way
		l.orphan(keyEntry, key, q.spec.Name)
		return nil
	case x.seq&laneBit != 0:
		q.restoreSide(x.seq, x.e)
		return nil
	}
	l.last = max(l.last, x.e.m.From)
	if origin := l.origin(x.origin); origin != nil { // else it was deleted since
		q.givenBy(x.seq, origin)
	}
	q.restore(l.t, x.seq, x.e)
	return nil
}

// origin is the queue that gave an entry; nil for none, and when it is not there.
func (l *loading) origin(id uint64) *Queue {
	if id == 0 {
		return nil
	}
	return l.queues.get(id)
}

// page notes an entry that has its place beyond the window.
func (l *loading) page(q *Queue, key, value []byte, x *stored) error {
	if x.size == 0 { // an earlier release did not say
		m, err := l.r.sharedMessage(x.refers)
		if err != nil {
			return err
		}
		if m == nil {
			l.orphan(keyEntry, key, q.spec.Name)
			return nil
		}
		x.size = m.Size()
	}
	if q.paged == nil && l.lazy(q, x) {
		l.skipped.begin(q)
	}
	if l.skipped.of(q) {
		if q.count > 0 && l.beyondWindow(q, x) {
			l.skipped.end(q)
		} else {
			l.skipped.add(key, value)
		}
	}
	q.restorePaged(l.t, x.seq, x)
	return nil
}

// unread tells that the message of an entry will hardly be needed.
func (l *loading) unread(q *Queue, seq uint64) bool {
	return seq&laneBit == 0 && (q.paged != nil || l.mayWait(q, seq))
}

// mayWait tells that an entry need not be in memory: nobody takes from any queue
// during a start, and it is read when somebody does. What a session may have been
// sent comes into the ring: it is to be completed.
func (l *loading) mayWait(q *Queue, seq uint64) bool {
	return !l.r.volatile && (q.kind != sessionQueue || q.sending != nil && seq >= q.sending.asked)
}

// lazy tells that the queue stays unread from this entry on. A message that
// others refer to as well is read once for all of them.
func (l *loading) lazy(q *Queue, x *stored) bool {
	return x.origin == 0 && x.refers == 0 && l.mayWait(q, x.seq)
}

// pages tells that an entry has its place beyond the window.
func (l *loading) pages(q *Queue, x *stored) bool {
	switch {
	case x.seq&laneBit != 0:
		return false
	case q.paged != nil, l.lazy(q, x):
		return true
	case x.size == 0, q.sending != nil && x.seq < q.sending.asked, l.r.volatile:
		return false
	}
	return l.beyondWindow(q, x)
}

func (l *loading) beyondWindow(q *Queue, x *stored) bool {
	limits := l.r.limits()
	return q.count >= limits.WindowMessages || q.count > 0 && q.bytes+int64(x.size) > limits.WindowBytes
}

// reached takes the segment that a queue's entry belongs to, nil if none.
func (l *loading) reached(id, seq uint64) *segment {
	for len(l.segments[id]) > 0 {
		s := l.segments[id][0]
		if seq < s.start {
			return nil
		}
		if l.segments[id] = l.segments[id][1:]; len(l.segments[id]) == 0 {
			delete(l.segments, id)
		}
		if seq < s.end {
			return s
		}
		l.lost(id, s)
	}
	return nil
}

// beyond begins what is beyond the window, up to a sequence number.
func (q *Queue) beyond(t *Turn, seq uint64) *paged {
	if q.paged == nil {
		if q.head == q.tail {
			q.head, q.next, q.tail = seq, seq, seq
		}
		q.paged = &paged{edge: q.tail, freshAt: q.tail, cleared: q.head, pace: q.firstPace()}
	}
	if p := q.paged; p.freshAt < seq {
		p.log(t, q, 0, seq-p.freshAt, 0, false)
	}
	return q.paged
}

func (q *Queue) restorePaged(t *Turn, seq uint64, x *stored) {
	p := q.beyond(t, seq)
	p.count++
	q.charge(1, int64(x.size))
	q.tail = seq + 1
	p.log(t, q, uint64(x.size), 1, max(x.refers, x.from), x.refers != 0)
}

func (q *Queue) restoreSegment(t *Turn, s *segment) {
	p := q.beyond(t, s.start)
	p.count += s.count
	q.charge(s.count, s.bytes)
	q.tail = s.end
	p.segs = append(p.segs, s)
	p.freshAt = s.end
}

func readError(err error) error { return errors.Join(errors.New("the store cannot be read"), err) }
