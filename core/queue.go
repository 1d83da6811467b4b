package core

import (
	"slices"
	"sync"
)

// queueKind says who a queue serves.
type queueKind uint8

const (
	sessionQueue queueKind = iota // the own queue of a session: one consumer
	privateQueue                  // made by Session.Open: dies with its one consumer
	groupQueue                    // $share: many consumers
	namedQueue                    // $queue/NAME
)

// Queue is the only place where a message waits for a receiver: a ring of
// entries whose absolute index is the sequence number of a delivery. Entries
// from head on are kept until they are settled; those below next have been
// taken once; what was given back waits in returned and is served first, so
// that it keeps its place.
type Queue struct {
	// Immutable.
	ns   *Namespace
	id   uint64
	kind queueKind
	spec QueueSpec
	each bool     // copies for overlapping subscriptions
	keep bool     // queue QoS 0 while the consumer is away
	own  *session // session queues

	// Guarded by mu.
	mu        sync.Mutex
	durable   bool
	gone      bool
	leaving   bool    // nobody may join any more: a group without members, a queue that was idle for too long
	ring      []entry // length 0 or a power of two
	head      uint64
	next      uint64
	tail      uint64
	count     int // entries not settled
	inflight  int
	bytes     int64
	returned  []uint64 // ascending, all below next
	latest    uint64   // newest waiting QoS 0 entry of a Latest queue; 0: none
	consumers []*Consumer
	armed     []*Consumer // hungry and asleep, the longest first
	owed      int         // consumers that were woken and have not taken yet
	lanes     []*lane     // retained messages on their way, before what waits in the ring
	side      map[uint64]*entry
	sideBack  []uint64 // side entries to be served again
	sideSeq   uint64
	bindings  map[string]*binding // named, group and private queues
	age       *ageing             // of queues with a TTL
	idleSince Time
	idleTimer Time // the timer that is set; 0: none
	exclusive bool // an exclusive consumer holds it
	ranked    bool // a consumer has, or had, a priority
}

type entryState uint8

const (
	waiting entryState = iota
	taken
	received // QoS 2, first half done
	settled
)

type entry struct {
	m        *Message
	ids      *[]uint32
	owner    *Consumer
	tag      uint32
	attempts uint16
	qos      uint8
	state    entryState
	retain   bool
	out      bool // with its owner at this moment
	stored   bool // its record is in the store
	logged   bool // it has, or will have, a record in the store
}

// laneBit marks the sequence numbers of retained deliveries.
const laneBit = 1 << 63

func (q *Queue) at(seq uint64) *entry { return &q.ring[seq&uint64(len(q.ring)-1)] }

// push puts a message at the tail. It reports false when the queue refused
// it; a message that a drop policy sacrifices counts as accepted.
func (q *Queue) push(t *Turn, m *Message, tg *target) bool {
	qos := min(m.QoS, tg.qos) // [MQTT-3.8.4-8] [3: MQTT-3.8.4-6]
	q.mu.Lock()
	if q.gone || q.leaving || !q.admits(t, m, qos) {
		gone := q.gone || q.leaving
		q.mu.Unlock()
		return !gone
	}
	if q.spans() || q.full(m) && !q.makeRoom(t, m) {
		reject := q.overflow() == RejectNew
		q.mu.Unlock()
		q.ns.r.drop(DropQueueFull)
		return !reject
	}
	if q.spec.Latest && qos == 0 {
		q.replaceLatest(t)
	}
	q.append(t, m, qos, tg)
	woken := q.wakeOne(q.at(q.tail - 1))
	q.mu.Unlock()
	if woken != nil {
		woken.notify(t)
	}
	return true
}

// admits tells whether a message may wait here at all.
// [3: MQTT-3.1.2-5]
func (q *Queue) admits(t *Turn, m *Message, qos uint8) bool {
	attached := q.attached()
	switch {
	case m.Expired(t.Now):
		q.buryLater(&entry{m: m}, DropExpired)
		return false
	case attached || q.kind == namedQueue:
		return true
	case q.kind == groupQueue && !q.durable, qos == 0 && !q.keep:
		q.ns.r.drop(DropNoReceiver)
		return false
	}
	return true
}

// attached tells whether any consumer is connected.
func (q *Queue) attached() bool {
	for _, c := range q.consumers {
		if c.session != nil {
			return true
		}
	}
	return false
}

func (q *Queue) limits() (messages int, bytes int64) {
	def := &q.ns.r.limits
	messages, bytes = q.spec.Limits.Messages, q.spec.Limits.Bytes
	if messages == 0 {
		messages = def.QueueMessages
	}
	if bytes == 0 {
		bytes = def.QueueBytes
	}
	return messages, bytes
}

func (q *Queue) full(m *Message) bool {
	messages, bytes := q.limits()
	return q.count >= messages || (q.count > 0 && q.bytes+int64(m.Size()) > bytes) // one message always fits
}

// maxPinned is how far an unsettled delivery may hold the ring open beyond the
// limit of messages: what was settled or dropped behind it takes up places.
const maxPinned = 1 << 16

// spans tells that the ring is held open as far as it may be.
func (q *Queue) spans() bool {
	messages, _ := q.limits()
	return q.tail-q.head >= uint64(messages)+maxPinned
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

// refuses tells a publisher beforehand that the queue is full and says no.
func (q *Queue) refuses(m *Message) bool {
	if q.overflow() != RejectNew {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.gone && q.full(m)
}

// hasRoom tells whether a queue that refuses when full takes so much more.
func (q *Queue) hasRoom(messages int, bytes int64) bool {
	if q.overflow() != RejectNew {
		return true
	}
	maxMessages, maxBytes := q.limits()
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.gone || (q.count+messages <= maxMessages && (q.bytes+bytes <= maxBytes || q.count+messages == 1))
}

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

// makeRoom drops the oldest that waits until the message fits.
func (q *Queue) makeRoom(t *Turn, m *Message) bool {
	if q.overflow() != DropOldest {
		return false
	}
	for q.full(m) {
		seq, ok := q.oldestWaiting()
		if !ok {
			return false
		}
		q.buryLater(q.at(seq), DropQueueFull)
		q.discard(t, seq)
	}
	return true
}

func (q *Queue) oldestWaiting() (uint64, bool) {
	for _, seq := range q.returned {
		if q.at(seq).attempts == 0 { // what was sent is completed, not dropped
			return seq, true
		}
	}
	for q.next < q.tail && q.at(q.next).state != waiting {
		q.next++ // never looked at again
	}
	return q.next, q.next < q.tail
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
	if seq >= q.head && seq >= q.next && seq < q.tail && q.at(seq).state == waiting {
		q.remove(t, seq)
		q.ns.r.drop(DropCoalesced)
	}
	q.latest = q.tail
}

// [MQTT-4.6.0-5] [MQTT-4.6.0-6] [3: MQTT-4.6.0-5] [3: MQTT-4.6.0-6]
func (q *Queue) append(t *Turn, m *Message, qos uint8, tg *target) {
	if q.tail-q.head == uint64(len(q.ring)) {
		q.grow(t)
	}
	seq := q.tail
	q.tail++
	q.count++
	q.bytes += int64(m.Size())
	e := q.at(seq)
	*e = entry{m: m, ids: tg.ids, qos: qos, retain: tg.rap && m.Retain} // [MQTT-3.3.1-12] [MQTT-3.3.1-13] [3: MQTT-3.3.1-9]
	q.limitAge(t, seq)
	if q.durable && qos > 0 {
		e.logged = true
		if m.stored != 0 {
			m.refs.Add(1)
		}
		t.logEntry(q, seq, e)
	}
}

// smallRing is the size of the rings that turns keep for queues which had
// been empty.
const smallRing = 8

func (q *Queue) grow(t *Turn) {
	if len(q.ring) == 0 {
		q.ring = t.smallRing()
		return
	}
	ring := make([]entry, 2*len(q.ring))
	for seq := q.head; seq < q.tail; seq++ {
		ring[seq&uint64(len(ring)-1)] = *q.at(seq)
	}
	q.ring = ring
}

// remove ends an entry for good: its record goes, and the head moves over
// what is settled.
func (q *Queue) remove(t *Turn, seq uint64) {
	e := q.at(seq)
	q.count--
	q.bytes -= int64(e.m.Size())
	if e.stored {
		t.deleteEntry(q, seq, e.m)
	}
	if e.out {
		q.inflight--
		e.owner.inflight--
	}
	*e = entry{state: settled}
	if q.age != nil {
		delete(q.age.late, seq)
	}
	for q.head < q.tail && q.at(q.head).state == settled {
		q.head++
	}
	if q.next < q.head {
		q.next = q.head
	}
	if q.head == q.tail {
		t.giveRing(q.ring)
		q.ring = nil
		q.touch(t)
	}
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

func (q *Queue) waitingCount() int {
	return q.count - q.inflight
}

// touch notes that the queue became empty, for its idle expiry. q.mu is held.
func (q *Queue) touch(t *Turn) {
	if q.spec.IdleExpiry > 0 && q.idle() {
		q.idleSince = t.Now
		q.watchIdle(q.idleSince.After(q.spec.IdleExpiry))
	}
}

func (q *Queue) idle() bool { return q.count == 0 && len(q.consumers) == 0 && !q.gone }

// watchIdle sets the queue's one timer. q.mu is held.
func (q *Queue) watchIdle(at Time) {
	if q.idleTimer == 0 {
		q.idleTimer = at
		q.ns.r.timers.at(at, q.expireIdle)
	}
}

func (q *Queue) expireIdle(t *Turn) {
	q.mu.Lock()
	q.idleTimer = 0
	idle := q.idle()
	due := q.idleSince.After(q.spec.IdleExpiry)
	if idle && t.Now < due {
		q.watchIdle(due)
		idle = false
	}
	q.leaving = idle // from here on nobody joins it, and nothing is put into it
	q.mu.Unlock()
	if idle {
		q.ns.deleteQueue(t, q)
	}
}

// info is a snapshot.
func (q *Queue) info() QueueInfo {
	q.mu.Lock()
	defer q.mu.Unlock()
	return QueueInfo{Spec: q.spec, Waiting: q.waitingCount(), InFlight: q.inflight, Consumers: len(q.consumers), Bytes: q.bytes}
}
