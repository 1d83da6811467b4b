package core

import "slices"

// A durable queue from which nobody takes costs memory for as long as messages
// wait in it: that of a session that is away, of a group all of whose members
// are, a named one without consumers. So little of them stays in memory: what was
// in flight and what came into the window while there was a consumer is let go of
// again when the last one leaves, and what arrives goes to the store when it is
// stored.

// restMessages and restBytes are what may stay.
const (
	restMessages = 8
	restBytes    = 4 << 10
)

// mostHolders is how many entries may refer to a message that is let go of. One
// that more sessions wait for is one in memory, and is counted there: else the
// store would be asked for its holders at the end of each entry.
const mostHolders = 16

// rests tells that nobody will take from the queue for now.
func (q *Queue) rests() bool {
	return q.durable && !q.gone && !q.polled && !q.attached() && !q.ns.r.volatile
}

// lostOne follows the end of a consumer. last tells that it was the last, and that
// the queue may end with it. q.mu is held.
func (q *Queue) lostOne(t *Turn, last bool) {
	if !last || !q.dies() {
		q.rest(t)
	}
}

// rest lets go of what need not be in memory while nobody takes. q.mu is held.
func (q *Queue) rest(t *Turn) {
	q.restLater = false
	if !q.rests() || q.head == q.edge() {
		return
	}
	from, to, ok := q.restless()
	if !ok {
		return
	}
	p := q.paged
	if p == nil {
		p = &paged{edge: to, freshAt: to, cleared: q.head}
		q.paged = p
		for q.tail-to > uint64(len(p.fresh)) {
			p.grow(to)
		}
		for seq := to; seq < q.tail; seq++ {
			e := q.at(seq)
			if *p.slot(seq) = *e; e.state != settled {
				p.count++
			}
		}
	}
	var segs []*segment
	if sent := min(q.next, to); from < sent {
		p.dup, p.flown = max(p.dup, q.next), q.kind == sessionQueue
		segs = q.letRest(segs, from, sent)
	}
	if unsent := max(q.next, from); unsent < to {
		segs = q.letRest(segs, unsent, to)
	}
	p.segs = append(segs, p.segs...)
	p.edge = from
	p.pace = q.firstPace()
	q.next = min(q.next, from)
	i, _ := slices.BinarySearch(q.returned, from)
	q.returned = append([]uint64(nil), q.returned[:i]...)
	q.keepRing(from)
	q.trim(t)
}

// dropQoS0 gives up what a client that leaves was not sent of QoS 0, unless that is
// to wait for it: nothing was promised, and what comes from now on is dropped, too.
// q.mu is held.
func (q *Queue) dropQoS0(t *Turn) {
	if q.keep {
		return
	}
	for q.shelf.len() > 0 {
		q.giveUp(t, &q.shelf.first().e, DropNoReceiver)
		q.unshelve(t)
	}
	for seq := q.next; seq < q.edge(); seq++ {
		if seq < q.head { // they were holes
			continue
		}
		if e := q.at(seq); e.state == waiting && e.qos == 0 {
			q.giveUp(t, e, DropNoReceiver)
			q.remove(t, seq)
		}
	}
	p := q.paged
	if p == nil {
		return
	}
	for seq, e := range p.quiet {
		if e.qos == 0 {
			q.dropHere(t, seq, e, DropNoReceiver)
		}
	}
	for seq := p.freshAt; q.paged == p && seq < q.tail; seq++ {
		if e := p.entry(seq); e != nil && e.state == waiting && e.qos == 0 {
			q.dropHere(t, seq, e, DropNoReceiver)
		}
	}
}

// restless is from where on entries may be let go of, and to where. What follows
// that is on its way to the store, and none of it was sent.
func (q *Queue) restless() (from, to uint64, ok bool) {
	edge := q.edge()
	to = edge
	n, bytes := 0, int64(0)
	for seq := q.head; seq < edge; seq++ {
		e := q.at(seq)
		late := e.logged && !e.stored
		switch {
		case e.state == settled:
			continue
		case late && q.paged == nil && seq >= q.next && to == edge: // its record follows, and it then
			to = seq
		}
		if e.out || e.state == received || e.tag != 0 || e.m.record != nil && e.m.record.wide || late && seq < to || !e.logged && seq < q.next && q.kind == sessionQueue {
			ok, q.restLater = false, q.restLater || late
			continue
		}
		if e.logged {
			n++
			bytes += int64(e.m.Size())
		}
		if x := &q.ns.r.paging; !ok && (n > x.rest || bytes > restBytes) {
			from, ok = seq, true
		}
	}
	return from, max(from, to), ok
}

// letRest describes a run of the ring's entries, all of which are stored, as
// what is in the store only. Those without a record stay in memory. Of a shared
// queue, which counts deliveries, a segment has those of one count.
func (q *Queue) letRest(segs []*segment, from, to uint64) []*segment {
	p, s := q.paged, (*segment)(nil)
	for seq := from; seq < to; seq++ {
		e := q.at(seq)
		counts := q.kind != sessionQueue && e.logged
		if s == nil || counts && e.attempts != s.tries {
			s = newSegment(seq)
			s.begun = true // no record tells of it
			segs = append(segs, s)
		}
		if counts {
			s.tries = e.attempts
		}
		switch {
		case e.state == settled:
			s.add(0, 1)
			continue
		case !e.logged:
			p.keepQuiet(seq, e)
			s.add(0, 1)
		default:
			m := e.m
			s.add(uint64(m.Size()), 1)
			s.last = max(s.last, m.From)
			if m.record != nil {
				s.last, s.refers = max(s.last, m.record.id), true
				m.record.goesCold()
			}
			q.forget(seq)
		}
		p.count++
	}
	return segs
}

// keepRing makes the ring as large as what it holds up to an end needs it.
func (q *Queue) keepRing(end uint64) {
	var ring []entry
	if n := end - q.head; n > 0 {
		size := 1
		for uint64(size) < n {
			size *= 2
		}
		ring = make([]entry, size)
		for seq := q.head; seq < end; seq++ {
			ring[seq&uint64(size-1)] = *q.at(seq)
		}
	}
	q.ring = ring
}

// kept is the end of what is not dropped.
func (p *paged) kept() uint64 {
	if p.flown {
		return p.dup
	}
	return 0
}

// sentBeyond tells that some of what is beyond the edge was sent before, and is
// completed, not dropped. Of a named queue it is dropped as any.
func (q *Queue) sentBeyond() bool {
	p := q.paged
	return p.edge < p.kept() || p.edge < p.dup && q.kind == groupQueue
}

// dropUnsent gives up the oldest entry beyond the edge that was not sent before.
// It leaves a hole.
func (q *Queue) dropUnsent(t *Turn, cause DropCause) bool {
	p := q.paged
	for i := 0; i < len(p.segs); i++ {
		s := p.segs[i]
		if kept := p.kept(); s.end <= kept || s.tries > 0 {
			continue
		} else if s.first < kept { // one that a start has read knows of no such end
			q.split(t, i, kept)
			continue
		}
		for s.first < s.end {
			seq := s.first
			q.begin(t, s)
			size := s.pop()
			if i = p.hole(i, seq); size > 0 {
				q.lose(t, 1, int64(size))
				q.letGo(t, seq, seq+1, 1, s.refers, cause)
				q.unpage(t)
				return true
			}
			if e := p.quiet[seq]; e != nil {
				q.dropHere(t, seq, e, cause)
				return true
			}
		}
	}
	for seq := p.freshAt; seq < q.tail; seq++ {
		if e := p.slot(seq); e.state != settled {
			q.dropHere(t, seq, e, cause)
			return true
		}
	}
	return false
}

// split cuts a segment at a sequence number in it.
func (q *Queue) split(t *Turn, i int, at uint64) {
	s := q.paged.segs[i]
	q.begin(t, s)
	front := newSegment(s.first)
	front.begun, front.refers, front.last = true, s.refers, s.last
	for s.first < at {
		front.add(s.pop(), 1)
	}
	q.paged.segs = slices.Insert(q.paged.segs, i, front)
}

// passed are the tries of a hole where nothing is left to be dropped: it is not
// looked at again.
const passed = 1<<16 - 1

// hole notes that what was the first of a segment is not there, or stays, before
// it; the segment's place is returned.
func (p *paged) hole(i int, seq uint64) int {
	if i > 0 {
		if s := p.segs[i-1]; s.end == seq && s.tries == passed && s.count == 0 {
			s.add(0, 1)
			return i
		}
	}
	s := newSegment(seq)
	s.begun, s.tries = true, passed
	s.add(0, 1)
	p.segs = append(p.segs[:i], append([]*segment{s}, p.segs[i:]...)...)
	return i + 1
}
