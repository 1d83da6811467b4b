package core

import (
	"encoding/binary"
	"slices"
)

// skipped are the entries of the queue at hand that were left unread, as long as
// they are no more than a window. They are read after all when one follows that
// refers to a message of several queues: such a one is to be counted while it is
// in memory, so that the store is not asked for its holders at the end of each
// entry.
type skipped struct {
	q    *Queue // nil: none
	list []skip
	buf  []byte // their records
}

// skip is one by its ends in the buffer.
type skip struct{ key, value int }

func (x *skipped) of(q *Queue) bool { return x.q == q }

func (x *skipped) begin(q *Queue) { x.q, x.list, x.buf = q, x.list[:0], x.buf[:0] }

func (x *skipped) end(q *Queue) {
	if x.q == q {
		x.q = nil
	}
}

func (x *skipped) add(key, value []byte) {
	x.buf = append(x.buf, key...)
	n := len(x.buf)
	x.buf = append(x.buf, value...)
	x.list = append(x.list, skip{n, len(x.buf)})
}

// unskip takes the queue at hand back to where it was before the first of them,
// and puts them into its ring.
func (l *loading) unskip() error {
	x := &l.skipped
	q := x.q
	x.q = nil
	for _, s := range q.paged.segs {
		q.charge(-s.count, -s.bytes)
	}
	if q.tail = q.paged.edge; q.count == 0 {
		q.head, q.next = q.tail, q.tail
	}
	q.paged = nil
	at := 0
	for _, ends := range x.list {
		key, value := x.buf[at:ends.key], x.buf[ends.key:ends.value]
		at = ends.value
		_, seq, err := l.id(key)
		if err != nil {
			return err
		}
		if err := l.ring(q, key, value, &stored{seq: binary.BigEndian.Uint64(seq)}); err != nil {
			return damaged(slices.Concat([]byte{keyEntry}, key), err)
		}
	}
	return nil
}
