package core

import "math"

// removePaged is remove for an entry beyond the edge that is in memory.
func (q *Queue) removePaged(t *Turn, seq uint64) {
	p := q.paged
	e := p.entry(seq)
	p.count--
	q.charge(-1, -int64(e.m.Size()))
	if e.stored {
		t.deleteEntry(q, seq, e.m)
	}
	q.forget(seq)
	if seq < p.freshAt {
		delete(p.quiet, seq)
	} else {
		*e = entry{state: settled}
		q.trim(t)
	}
	q.unpage(t)
}

// dropPaged gives up the oldest entry beyond the edge.
func (q *Queue) dropPaged(t *Turn, cause DropCause) bool {
	for p := q.paged; p != nil && p.edge < q.tail; p = q.paged {
		if q.sentBeyond() {
			q.losesUnsent()
			return q.dropUnsent(t, cause)
		}
		seq := p.edge
		if e := p.entry(seq); e != nil && e.state != settled {
			q.giveUp(t, e, cause)
			q.removePaged(t, seq)
			return true
		}
		if seq == p.freshAt { // it was settled
			q.trim(t)
			continue
		}
		q.losesUnsent()
		s := p.front()
		q.begin(t, s)
		size := s.pop()
		q.pass()
		if size == 0 {
			q.unpage(t)
			continue
		}
		q.lose(t, 1, int64(size))
		q.letGo(t, seq, seq+1, 1, s.refers, cause)
		q.unpage(t)
		return true
	}
	return false
}

// lose takes entries that were not read off the counts.
func (q *Queue) lose(t *Turn, n int, bytes int64) {
	q.charge(-n, -bytes)
	q.paged.count -= n
}

// noCause is for messages that are not given up but removed on demand.
const noCause = dropCauses

// letGo removes the records of n entries that nobody reads. Where somebody has
// to look at them first, the pager does it.
func (q *Queue) letGo(t *Turn, from, to uint64, n int, refers bool, cause DropCause) {
	buried := cause != noCause && q.buries(cause)
	if cause != noCause && !buried {
		q.ns.r.dropped[cause].Add(uint64(n))
	}
	switch {
	case refers || buried:
		c := clearing{id: q.id, from: from, to: to}
		if buried {
			c.q, c.cause = q, cause
		}
		q.unseen = true
		t.clears(c)
	case to == from+1:
		t.delete(key2(keyEntry, q.id, from))
	default:
		t.pendingWork().batch.DeleteRange(key2(keyEntry, q.id, from), key2(keyEntry, q.id, to))
	}
}

// dropStored gives up, or with noCause removes, everything beyond the edge that
// is below a sequence number. Nothing is read; holes are left.
func (q *Queue) dropStored(t *Turn, below uint64, cause DropCause) (dropped int) {
	p := q.paged
	if p == nil || p.edge >= below {
		return 0
	}
	q.losesUnsent()
	before := p.count
	for seq, e := range p.quiet {
		if seq < below {
			q.dropHere(t, seq, e, cause)
		}
	}
	for seq := p.freshAt; q.paged == p && seq < below; seq++ {
		if e := p.entry(seq); e != nil && e.state != settled {
			q.dropHere(t, seq, e, cause)
		}
	}
	if q.paged != p {
		return before
	}
	var left []*segment
	for _, s := range p.segs {
		if s.first < min(below, s.end) {
			left = append(left, q.dropSegment(t, s, below, cause))
		}
		if s.first < s.end {
			left = append(left, s)
		}
	}
	p.segs = left
	dropped = before - p.count
	q.unpage(t)
	return dropped
}

// dropHere is for an entry that is in memory.
func (q *Queue) dropHere(t *Turn, seq uint64, e *entry, cause DropCause) {
	if cause != noCause {
		q.giveUp(t, e, cause)
	}
	q.removePaged(t, seq)
}

// dropSegment takes what is below a sequence number off a segment, and returns
// the hole that it leaves.
func (q *Queue) dropSegment(t *Turn, s *segment, below uint64, cause DropCause) *segment {
	q.begin(t, s)
	from, count, bytes := s.first, s.count, s.bytes
	if s.end <= below {
		s.first, s.count, s.bytes = s.end, 0, 0
	}
	for s.first < below && s.first < s.end {
		s.pop()
	}
	if n := count - s.count; n > 0 {
		q.lose(t, n, bytes-s.bytes)
		q.letGo(t, from, s.first, n, s.refers, cause)
	}
	hole := newSegment(from)
	hole.add(0, s.first-from)
	hole.begun = true
	return hole
}

// emptyPaged removes the records of a queue that ends. Where messages are
// referred to, the pager looks which.
func (q *Queue) emptyPaged(t *Turn, late unwritten) {
	p := q.paged
	q.paged = nil
	refers := false
	for _, s := range p.segs {
		refers = refers || s.refers && s.count > 0
	}
	for seq := p.freshAt; seq < q.tail; seq++ {
		late.ends(t, q, seq, p.slot(seq))
	}
	b := &t.pendingWork().batch
	b.DeleteRange(key1(keySegment, q.id), key1(keySegment, q.id+1))
	if !refers || q.unseen {
		t.deleteEntries(q, late)
		return
	}
	t.deleteBut(q.id, 0, p.edge, late)
	t.deleteBut(q.id, p.freshAt, math.MaxUint64, late)
	t.clears(clearing{id: q.id, from: p.edge, to: p.freshAt})
}
