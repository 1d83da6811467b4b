package core

// paged is what a durable queue has beyond its window: nothing of a message
// that is in the store is kept, but its size (segment.go). From the head on, a
// queue holds
//
//	head … edge     the ring: what is in flight, and a window of what waits
//	edge … freshAt  what is in the store only
//	freshAt … tail  what was put in last: from where on not everything is stored
//
// A queue without it has all of its entries in the ring.
type paged struct {
	edge    uint64
	segs    []*segment
	freshAt uint64
	fresh   []entry           // a ring as the queue's
	quiet   map[uint64]*entry // below freshAt, without a record: they stay in memory
	count   int               // entries from edge on
	asked   bool              // the pager has it on its list
	flown   bool              // of a session: what is below dup was in flight when the client left: it is not dropped
	pace    uint16            // how many are read at once, twice as many each time; 0: a window
	expired uint64            // what is below is over its TTL
	cleared uint64            // what is below was deleted as a range
	dup     uint64            // what is beyond the edge and below may have been sent: before a start, or before the last consumer left
}

// burst is how many windows may wait while a consumer has been woken and its
// connection's turn has not come: it keeps up, and takes them from memory.
const burst = 16

// firstPace is how many entries are read first when somebody takes again from a
// queue that rested: who comes may want no more than one, and go.
func (q *Queue) firstPace() uint16 { return 2 * uint16(q.ns.r.paging.rest) }

// paging are the constants of reading back, which tests make small.
type paging struct {
	burst int
	span  uint64 // segmentSpan
	slice int    // clearSlice
	every uint64 // clearEvery
	rest  int    // restMessages
}

// edge is where the ring ends.
func (q *Queue) edge() uint64 {
	if q.paged != nil {
		return q.paged.edge
	}
	return q.tail
}

// pages tells that a new entry has its place beyond the window.
func (q *Queue) pages(m *Message, qos uint8) bool {
	if q.paged != nil {
		return true
	}
	if qos == 0 || q.ns.r.volatile {
		return false
	}
	l := q.ns.r.limits()
	messages, bytes, waiting := l.WindowMessages, l.WindowBytes, q.waitingCount()-q.shelf.len()
	switch {
	case q.owed > 0:
		messages *= q.ns.r.paging.burst
	case waiting < q.ns.r.paging.rest && q.bytes+int64(m.Size()) <= restBytes: // they may stay anyway
	case q.rests() && (m.record == nil || !m.record.wide):
		messages, bytes = min(messages, q.ns.r.paging.rest), min(bytes, restBytes)
	}
	return waiting >= messages || waiting > 0 && q.bytes+int64(m.Size()) > bytes && q.waitingBytes()+int64(m.Size()) > bytes
}

// waitingBytes sums up what waits in the ring.
func (q *Queue) waitingBytes() (n int64) {
	for seq := q.next; seq < q.edge(); seq++ {
		if e := q.at(seq); e.state == waiting {
			n += int64(e.m.Size())
		}
	}
	for _, seq := range q.returned {
		n += int64(q.at(seq).m.Size())
	}
	return n
}

// inMemory is how many entries wait in the ring.
func (q *Queue) inMemory() int {
	n := q.waitingCount() - q.shelf.len()
	if q.paged != nil {
		n -= q.paged.count
	}
	return n
}

// page is the place of the entry at the tail, beyond the window.
func (q *Queue) page() *entry {
	p := q.paged
	if p == nil {
		p = &paged{edge: q.tail, freshAt: q.tail, cleared: q.head}
		if q.paged = p; q.rests() {
			p.pace = q.firstPace()
		}
	}
	if q.tail-p.freshAt == uint64(len(p.fresh)) {
		p.grow(q.tail)
	}
	p.count++
	return p.slot(q.tail)
}

func (p *paged) slot(seq uint64) *entry { return &p.fresh[seq&uint64(len(p.fresh)-1)] }

func (p *paged) grow(tail uint64) {
	ring := make([]entry, max(smallRing, 2*len(p.fresh)))
	for seq := p.freshAt; seq < tail; seq++ {
		ring[seq&uint64(len(ring)-1)] = *p.slot(seq)
	}
	p.fresh = ring
}

// entry finds an entry that is in memory.
func (p *paged) entry(seq uint64) *entry {
	if seq >= p.freshAt {
		return p.slot(seq)
	}
	return p.quiet[seq]
}

// log notes n sequence numbers, of which nothing else is kept from here on.
func (p *paged) log(t *Turn, q *Queue, size, n, last uint64, refers bool) {
	var s *segment
	if k := len(p.segs); k > 0 && !p.segs[k-1].recorded && p.segs[k-1].end-p.segs[k-1].start < q.ns.r.paging.span && p.segs[k-1].start >= p.kept() && p.segs[k-1].tries == 0 {
		s = p.segs[k-1]
	} else {
		s = newSegment(p.freshAt)
		p.segs = append(p.segs, s)
	}
	s.add(size, n)
	s.last = max(s.last, last)
	s.refers = s.refers || refers
	p.freshAt += n
	if s.end-s.start >= q.ns.r.paging.span {
		s.seal()
		if !s.begun && s.count > 0 {
			s.recorded = true
			t.changed(change{kind: segmentChange, q: q, seq: s.start})
		}
	}
}

// front is the first segment that has something left; edge is below freshAt.
func (p *paged) front() *segment {
	for p.segs[0].first == p.segs[0].end {
		p.segs[0] = nil
		p.segs = p.segs[1:]
	}
	return p.segs[0]
}

// begin says that what the record of a segment tells is over.
func (q *Queue) begin(t *Turn, s *segment) {
	if s.recorded && !s.begun {
		t.delete(key2(keySegment, q.id, s.start))
	}
	s.begun = true
}

// trim lets go of what is stored, in order.
func (q *Queue) trim(t *Turn) {
	p := q.paged
	for p.freshAt < q.tail {
		e := p.slot(p.freshAt)
		switch {
		case e.state == settled:
			p.log(t, q, 0, 1, 0, false)
		case !e.logged:
			p.keepQuiet(p.freshAt, e)
			p.log(t, q, 0, 1, 0, false)
		case !e.stored:
			return
		default:
			m := e.m
			last := m.From
			if m.record != nil {
				last = max(last, m.record.id)
				m.record.goesCold()
			}
			p.log(t, q, uint64(m.Size()), 1, last, m.record != nil)
		}
		*e = entry{}
	}
	if n := len(p.fresh); n > keptFresh || n > smallRing && q.rests() {
		p.fresh = nil
	}
}

// keepQuiet keeps an entry that has no record.
func (p *paged) keepQuiet(seq uint64, e *entry) {
	if p.quiet == nil {
		p.quiet = map[uint64]*entry{}
	}
	kept := *e
	p.quiet[seq] = &kept
}

// keptFresh is the size of the ring of new entries that is kept when it is empty.
const keptFresh = 64

// fill moves what is still in memory into the ring, or asks the pager for what
// is not; true when something came that can be taken. q.mu is held.
func (q *Queue) fill(t *Turn) (came bool) {
	p := q.paged
	if p == nil || q.room() <= 0 {
		return false
	}
	if p.edge < p.freshAt {
		q.ask()
		return false
	}
	p.segs = nil // nothing of them is left
	for q.paged == p && p.edge == p.freshAt && p.freshAt < q.tail && q.room() > 0 {
		e := p.slot(p.freshAt)
		p.freshAt++
		if e.state == settled {
			q.pass()
		} else {
			p.count--
			*q.extend() = *e
			came = true
		}
		*e = entry{}
		q.unpage(t)
	}
	return came
}

// ask puts the queue on the pager's list.
func (q *Queue) ask() {
	if !q.paged.asked {
		q.paged.asked = true
		q.ns.r.pager.want(q)
	}
}

// room is how many more entries may come into the ring.
func (q *Queue) room() int {
	window := q.ns.r.limits().WindowMessages
	edge := q.edge()
	if messages, _ := q.limits(); edge-q.head >= uint64(messages)+maxPinned {
		return 0
	}
	n := window - q.inMemory()
	if n <= 0 && q.picky() { // what waits may be for others
		n = window - int(edge-q.next)
	}
	return n
}

// ahead asks for more before the consumer has come to the end of the window.
func (q *Queue) ahead(t *Turn) {
	if int(q.edge()-q.next) < q.ns.r.limits().WindowMessages/2 {
		q.fill(t)
	}
}

// drawn follows the removal of an entry of the ring: whoever waits for more may
// have some now.
func (q *Queue) drawn(t *Turn) {
	if q.head == q.paged.edge {
		q.ring = nil
	}
	q.unpage(t)
	if q.paged != nil && len(q.armed) > 0 && q.paged.edge < q.tail && q.room() > 0 {
		q.ask()
	}
}

// extend is the place of the entry at the edge, in the ring.
func (q *Queue) extend() *entry {
	p := q.paged
	if p.edge-q.head == uint64(len(q.ring)) {
		q.grow(nil)
	}
	p.edge++
	return q.at(p.edge - 1)
}

// pass moves the edge over a hole.
func (q *Queue) pass() {
	if p := q.paged; q.head != p.edge {
		*q.extend() = entry{state: settled}
	} else {
		p.edge++
		q.head, q.next = p.edge, p.edge
	}
}

// unpage ends the paging when everything is in the ring, or nothing is left.
func (q *Queue) unpage(t *Turn) {
	p := q.paged
	if p == nil {
		return
	}
	for q.head == p.edge && p.edge < p.freshAt && len(p.quiet) == 0 && p.front().count == 0 { // nothing but a hole
		p.edge = p.front().end
		p.segs = p.segs[1:]
		q.head, q.next = p.edge, p.edge
	}
	if p.count > 0 || p.edge != q.tail && q.head != p.edge {
		return
	}
	for _, s := range p.segs {
		q.begin(t, s)
	}
	if q.head == p.edge {
		q.head, q.next = q.tail, q.tail
		q.ring = nil
		q.emptied(t)
	}
	q.paged = nil
	q.ns.r.pager.clear(clearing{id: q.id, from: p.cleared, to: q.head, drained: true})
}
