package core

import "slices"

// limits bound what waits and is in flight together.
func (q *Queue) limits() (messages int, bytes int64) {
	def := q.ns.limits()
	messages, bytes = q.spec.Limits.Messages, q.spec.Limits.Bytes
	if messages == 0 || q.countsReady() {
		messages = max(messages, def.QueueMessages)
	}
	if bytes == 0 || q.countsReady() {
		bytes = max(bytes, def.QueueBytes)
	}
	return messages, bytes
}

// countsReady tells that the queue's own limits are of what waits alone.
func (q *Queue) countsReady() bool {
	return q.kind == namedQueue && (q.spec.Limits.Messages > 0 || q.spec.Limits.Bytes > 0)
}

// boundsReady tells that they hold now. While a consumer has been woken and has
// not come, what waits is as good as delivered; if it leaves some, the oldest of
// that is dropped then (shorten).
func (q *Queue) boundsReady() bool {
	return q.countsReady() && (q.owed == 0 || q.overflow() != DropOldest)
}

// readyBytes sums up what waits in a queue with limits of its own.
func (q *Queue) readyBytes() int64 { return q.bytes - q.wanted.out }

// full tells that one message more would exceed the limits of messages or of
// bytes. shelved tells that it is one of the shelf, which has its own.
func (q *Queue) full(m *Message, shelved bool) bool {
	return q.fullOfMessages(shelved) || q.fullOfBytes(m)
}

func (q *Queue) fullOfMessages(shelved bool) bool {
	if shelved {
		return q.shelf.len() >= int(q.apart)
	}
	own := q.spec.Limits.Messages
	return q.fullOfAll() || own > 0 && q.boundsReady() && q.waitingCount() >= own
}

// fullOfAll tells that so many wait or are in flight as may together.
func (q *Queue) fullOfAll() bool {
	messages, _ := q.limits()
	return q.count-q.shelf.len() >= messages
}

// fullOfBytes lets one message in always.
func (q *Queue) fullOfBytes(m *Message) bool {
	own := q.spec.Limits.Bytes
	return q.fullOfAllBytes(m) || own > 0 && q.boundsReady() && q.waitingCount() > 0 && q.readyBytes()+int64(m.Size()) > own
}

func (q *Queue) fullOfAllBytes(m *Message) bool {
	_, bytes := q.limits()
	return q.count > 0 && q.bytes+int64(m.Size()) > bytes
}

// maxPinned is how far an unsettled delivery may hold the ring open beyond the
// limit of messages: what was settled or dropped behind it takes up places.
const maxPinned = 1 << 16

// spans tells that the ring is held open as far as it may be.
func (q *Queue) spans() bool {
	messages, _ := q.limits()
	return q.edge()-q.head >= uint64(messages)+maxPinned
}

// takes tells that one message more is within limits that were asked for, and that
// the ring need not span more than it may: neither full nor spans.
func (q *Queue) takes(m *Message, messages int, bytes int64) bool {
	return q.edge()-q.head < uint64(messages)+maxPinned && q.count-q.shelf.len() < messages &&
		(q.count == 0 || q.bytes+int64(m.Size()) <= bytes)
}

func (q *Queue) overflow() Overflow {
	if o := q.spec.Limits.Overflow; o != OverflowDefault {
		return o
	}
	if q.kind == namedQueue {
		return RejectNew
	}
	return DropOldest
}

// rejects tells that the queue refuses what it has no room for.
func (q *Queue) rejects() bool {
	o := q.overflow()
	return o == RejectNew || o == RejectDead
}

// turnAway gives up a message that the queue has no room for. q.mu is held.
func (q *Queue) turnAway(t *Turn, m *Message) {
	if q.overflow() == RejectNew {
		q.ns.r.drop(DropQueueFull)
		return
	}
	q.giveUp(t, &entry{m: m.kept()}, DropQueueFull)
}

// refuses tells a publisher beforehand that the queue is full and says no: then
// the message is given up.
func (q *Queue) refuses(t *Turn, m *Message) bool {
	if !q.rejects() {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	switch limit, crowded := q.ns.crowded(m); {
	case q.gone:
		return false
	case q.full(m, false):
		q.countFull(m, false)
		q.turnAway(t, m)
		return true
	case crowded:
		q.ns.over(limit)
		q.ns.r.drop(DropQueueFull)
		return true
	}
	return false
}

// countFull counts what a full queue does not take, unless its limit is one that
// a client made it with. q.mu is held.
func (q *Queue) countFull(m *Message, shelved bool) {
	switch own := &q.spec.Limits; {
	case shelved && q.fullOfMessages(true):
		q.ns.over(LimitQueueQoS0)
	case !shelved && (q.fullOfMessages(false) || q.spans()):
		switch {
		case own.Messages == 0, q.countsReady() && own.Messages < q.count && (q.fullOfAll() || q.spans()):
			q.ns.over(LimitQueueMessages)
		case q.kind == sessionQueue:
			q.ns.over(LimitQueue)
		}
	case own.Bytes == 0, q.countsReady() && own.Bytes < q.bytes && q.fullOfAllBytes(m):
		q.ns.over(LimitQueueBytes)
	}
}

// hasRoom tells whether a queue that refuses when full takes so much more.
func (q *Queue) hasRoom(messages int, bytes int64) bool {
	if !q.rejects() {
		return true
	}
	maxMessages, maxBytes := q.limits()
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.gone || (q.count+messages <= maxMessages && (q.bytes+bytes <= maxBytes || q.count+messages == 1) && q.ns.hasRoom(messages, bytes) && q.hasRoomToWait(messages, bytes))
}

// hasRoomToWait tells whether so much more may wait.
func (q *Queue) hasRoomToWait(messages int, bytes int64) bool {
	own := &q.spec.Limits
	if !q.countsReady() {
		return true
	}
	n := q.waitingCount() + messages
	return (own.Messages == 0 || n <= own.Messages) && (own.Bytes == 0 || q.readyBytes()+bytes <= own.Bytes || n == 1)
}

// makeRoom drops the oldest that waits until the message fits: of its kind, where
// QoS 0 is apart.
func (q *Queue) makeRoom(t *Turn, m *Message, shelved bool) bool {
	if q.overflow() != DropOldest {
		return false
	}
	drop := q.dropOldestOfRing
	if shelved {
		drop = q.dropShelved
	}
	for q.fullOfMessages(shelved) {
		if !drop(t) {
			return false
		}
	}
	for q.fullOfBytes(m) {
		if !q.dropOldest(t) {
			return false
		}
	}
	return true
}

// dropOldest drops the oldest that waits, of QoS 0 first where that is apart;
// false when nothing waits.
func (q *Queue) dropOldest(t *Turn) bool { return q.dropShelved(t) || q.dropOldestOfRing(t) }

func (q *Queue) dropOldestOfRing(t *Turn) bool {
	seq, ok := q.oldestWaiting()
	if !ok {
		return q.paged != nil && !q.spans() && q.dropPaged(t, DropQueueFull)
	}
	q.giveUp(t, q.at(seq), DropQueueFull)
	q.discard(t, seq)
	return true
}

// shorten drops the oldest that waits while more does than the declaration of
// the queue lets: what was in flight has been given back, a consumer has not
// taken all that it was woken for, or there was a start.
// q.mu is held.
func (q *Queue) shorten(t *Turn) {
	for own := &q.spec.Limits; q.overlong(own); {
		if !q.dropOldest(t) {
			return
		}
	}
}

// overlong tells that the oldest that wait are to be dropped. One may wait always.
func (q *Queue) overlong(own *QueueLimits) bool {
	if !q.boundsReady() || q.overflow() != DropOldest {
		return false
	}
	n := q.waitingCount()
	return own.Messages > 0 && n > own.Messages || own.Bytes > 0 && n > 1 && q.readyBytes() > own.Bytes
}

func (q *Queue) oldestWaiting() (uint64, bool) {
	for _, seq := range q.returned {
		if q.kind == namedQueue || q.at(seq).attempts == 0 { // what a client was sent is completed, not dropped, unless others may have it
			return seq, true
		}
	}
	edge := q.edge()
	for q.next < edge && q.at(q.next).state != waiting {
		q.next++ // never looked at again
	}
	return q.next, q.next < edge
}

// discard removes a waiting entry.
func (q *Queue) discard(t *Turn, seq uint64) {
	if i, found := slices.BinarySearch(q.returned, seq); found {
		q.returned = slices.Delete(q.returned, i, i+1)
	}
	q.remove(t, seq)
}

func (q *Queue) replaceLatest(t *Turn) {
	seq := q.latest
	if e := q.entry(seq); e != nil && seq >= q.next && e.state == waiting {
		q.remove(t, seq)
		q.ns.r.drop(DropCoalesced)
	}
	q.latest = q.tail
}
