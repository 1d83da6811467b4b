package core

import (
	"sync"
	"sync/atomic"
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
// entries whose absolute index is the sequence number of a delivery, and what
// a durable one has beyond its window in the store (paged.go). Entries
// from head on are kept until they are settled; those below next have been
// taken once; what was given back waits in returned and is served first, so
// that it keeps its place.
type Queue struct {
	mu sync.Mutex

	// Immutable.
	ns   *Namespace
	id   uint64
	own  *session   // session queues
	spec *QueueSpec // never changed; many sessions share one
	kind queueKind
	each bool // copies for overlapping subscriptions
	keep bool // queue QoS 0 while the consumer is away

	// Guarded by mu. What few queues need is behind a pointer that is nil until then.
	durable   bool
	gone      bool    // deleted, or its session has ended: it accepts nothing and nobody any more
	exclusive bool    // an exclusive consumer holds it
	ranked    bool    // a consumer has, or had, a priority
	unseen    bool    // the pager has, or had, something to remove
	restLater bool    // the last consumer left before what is in memory was stored
	ringSize  uint8   // of the last ring, as rings count
	weighed   bool    // its messages are in the namespace's totals
	polled    bool    // more was read for one that takes one message at a time (TakeOne), and has not gone
	apart     uint32  // how many messages of QoS 0 may wait, beside the others; 0: they count with them
	ring      []entry // length 0 or a power of two
	head      uint64
	next      uint64
	tail      uint64
	count     int // entries not settled
	inflight  int32
	sated     int32 // armed ones that have had their share, while others are on their way
	bytes     int64
	returned  []uint64 // ascending, all below next
	latest    uint64   // newest waiting QoS 0 entry of a Latest queue; 0: none
	consumers []*Consumer
	armed     []*Consumer // hungry and asleep, the longest first
	owed      int32       // consumers that were woken and have not taken yet
	spared    uint32      // what others left to them
	side      *side       // retained messages on their way; nil until there were some
	bindings  *filters    // named, group and private queues
	age       *ageing     // of queues with a TTL
	wanted    *wanted     // named queues: what their declarations ask to be kept; nil: nothing
	frees     *frees      // session queues, where there are rules
	given     *given      // session queues: what memberships gave; nil until the first
	sending   *sending    // durable session queues that were attached, or lost something
	paged     *paged      // durable queues: what is beyond the window; nil: nothing
	shelf     *shelf      // session queues: messages of QoS 0 that have a bound of their own; nil: none wait
}

// wanted is what a queue with limits of its own knows of what is in flight, and
// one with an idle expiry of its rest.
type wanted struct {
	out   int64 // bytes in flight
	since Time
	alarm *alarm // nil: it was not idle yet
}

// plainSpec is that of sessions without limits of their own.
var plainSpec QueueSpec

func sessionSpec(l QueueLimits) *QueueSpec {
	if l == (QueueLimits{}) {
		return &plainSpec
	}
	return &QueueSpec{Limits: l}
}

// specs shares the specifications of queues that are made in numbers: those of
// one protocol are mostly alike.
type specs struct{ session, private atomic.Pointer[QueueSpec] }

func (x *specs) ofSession(l QueueLimits) *QueueSpec {
	if p := x.session.Load(); p != nil && p.Limits == l {
		return p
	}
	p := sessionSpec(l)
	x.session.Store(p)
	return p
}

func (x *specs) of(kind queueKind, spec QueueSpec) *QueueSpec {
	if p := x.private.Load(); kind == privateQueue && p != nil && *p == spec {
		return p
	}
	p := new(QueueSpec)
	*p = spec
	if kind == privateQueue {
		x.private.Store(p)
	}
	return p
}

type entryState uint8

const (
	waiting entryState = iota
	taken
	takenOnce // with QoS 2, whatever the subscription becomes
	received  // QoS 2, first half done
	settled
)

type entry struct {
	m        *Message
	ids      *[]uint32
	owner    *Consumer
	tag      uint32
	free     uint32 // the mark of the subscription that it came by
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

// push puts a message at the tail. It reports false when the queue refused
// it; a message that a drop policy sacrifices counts as accepted.
func (q *Queue) push(t *Turn, m *Message, tg *target) bool {
	qos := min(m.QoS, tg.qos) // [MQTT-3.8.4-8] [3: MQTT-3.8.4-6]
	q.mu.Lock()
	if q.gone || !q.admits(t, m, qos) {
		gone := q.gone
		q.mu.Unlock()
		return !gone
	}
	if qos == 0 && t.pressure != 0 && t.Level() >= LevelShed && q.sheds(t) {
		q.mu.Unlock()
		q.ns.r.drop(DropShed)
		return true
	}
	shelved := qos == 0 && q.apart > 0
	if !q.fits(t, m, shelved) {
		q.turnAway(t, m) // nothing that waits made room: the message itself is given up
		q.mu.Unlock()
		return !q.rejects()
	}
	if q.spec.Latest && qos == 0 {
		q.replaceLatest(t)
	}
	if shelved {
		q.shelve(m, tg)
	} else {
		q.append(t, m, qos, tg)
	}
	var woken *Consumer
	if q.paged == nil && !shelved {
		woken = q.wakeOne(q.at(q.tail - 1))
	} else {
		woken = q.wakeNext()
	}
	q.mu.Unlock()
	if woken != nil {
		woken.notify(t)
	}
	return true
}

// fits makes room for a message, where that is the queue's policy. q.mu is held.
func (q *Queue) fits(t *Turn, m *Message, shelved bool) bool {
	if spans := !shelved && q.spans(); spans || q.full(m, shelved) {
		q.countFull(m, shelved)
		if spans || !q.makeRoom(t, m, shelved) {
			return false
		}
	}
	if limit, full := q.ns.crowded(m); full {
		q.ns.over(limit)
		return q.swap(t, m)
	}
	return true
}

// admits tells whether a message may wait here at all.
// [3: MQTT-3.1.2-5]
func (q *Queue) admits(t *Turn, m *Message, qos uint8) bool {
	attached := q.attached()
	switch {
	case m.Expired(t.Now):
		q.giveUp(t, &entry{m: m}, DropExpired)
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

func (q *Queue) waitingCount() int {
	return q.count - int(q.inflight)
}

// info is a snapshot.
func (q *Queue) info() QueueInfo {
	q.mu.Lock()
	defer q.mu.Unlock()
	return QueueInfo{Spec: *q.spec, Waiting: q.waitingCount(), InFlight: int(q.inflight), Consumers: len(q.consumers), Bytes: q.bytes}
}
