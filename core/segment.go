package core

import "encoding/binary"

// segment is what is known of entries that are in the store only: for each
// sequence number in turn the size of its message, 0 where there is none. So
// counts are exact and a hole is a hole without anything being read. Runs of
// one size take two or three octets, however long they are.
type segment struct {
	start  uint64 // names its record; it stays
	first  uint64 // of what is left
	end    uint64
	count  int
	bytes  int64
	last   uint64 // the highest identity that the entries name
	refers bool   // some refer to a message in a record of its own

	recorded bool // it has, or will have, a record
	begun    bool // some of it was read or dropped: what its record says is over

	tries uint16 // deliveries that each had, of a shared queue; a record tells none

	runs *runs  // nil until there is more than one
	size uint64 // of the run that grows, which is not in runs yet
	n    uint64
}

// runs are sizes and how often each is repeated.
type runs struct {
	buf       []byte // pairs of varints: size, repetitions
	at        int    // where what is left begins
	cur, left uint64 // the run that is being taken
}

// segmentSpan is how many entries one record describes: a start reads up to so
// many entries of a queue one by one.
const segmentSpan = 1024

func newSegment(from uint64) *segment { return &segment{start: from, first: from, end: from} }

// add describes the next n sequence numbers.
func (s *segment) add(size, n uint64) {
	s.end += n
	if size > 0 {
		s.count += int(n)
		s.bytes += int64(size * n)
	}
	if s.n > 0 && s.size != size {
		s.seal()
	}
	s.size = size
	s.n += n
}

// seal ends the run that grows.
func (s *segment) seal() {
	if s.n == 0 {
		return
	}
	if s.runs == nil {
		s.runs = new(runs)
	}
	s.runs.buf = binary.AppendUvarint(binary.AppendUvarint(s.runs.buf, s.size), s.n)
	s.n = 0
}

// pop takes the first sequence number; there is one.
func (s *segment) pop() (size uint64) {
	if s.runs == nil || !s.runs.pop(&size) { // only the one that grows is left
		size = s.size
		s.n--
	}
	s.begun = true
	s.first++
	if size > 0 {
		s.count--
		s.bytes -= int64(size)
	}
	return size
}

// pop is false when nothing is left.
func (r *runs) pop(size *uint64) bool {
	for r.left == 0 {
		if r.at == len(r.buf) {
			return false
		}
		var n int
		r.cur, n = binary.Uvarint(r.buf[r.at:])
		r.at += n
		r.left, n = binary.Uvarint(r.buf[r.at:])
		r.at += n
	}
	r.left--
	*size = r.cur
	return true
}

// appendSegment is the stored form of a segment of which nothing was taken.
func appendSegment(b []byte, s *segment) []byte {
	b = putBool(b, s.refers)
	b = putUint(b, s.last)
	return append(b, s.runs.buf...)
}

// segment reads it, and checks it: it is taken apart without a look later.
func (r *reader) segment(start uint64) (*segment, error) {
	s := newSegment(start)
	s.refers, s.last = r.bool(), r.uint()
	for len(r.b) > 0 && !r.bad {
		size, n := r.uint(), r.uint()
		if n == 0 || n > 1<<40 || size > 1<<40 || s.end+n < s.end {
			r.bad = true
			break
		}
		s.add(size, n)
	}
	s.seal()
	if r.err() != nil || s.count == 0 {
		return nil, errRecord
	}
	s.recorded = true
	return s, nil
}
