package core

import (
	"slices"
	"strings"
	"time"
)

// lane is the walk over the retained messages of one new subscription. What
// waits in the ring comes after it, so that nothing published during the walk
// precedes its own older retained value.
//
// A durable session's walk outlives the process: each of its deliveries of QoS
// 1 and 2 is an entry in the store, and so is, in the same change, how far the
// walk has come.
type lane struct {
	sub    Subscription
	ids    *[]uint32
	free   uint32   // the mark of the subscription
	after  string   // last name that was visited
	rev    uint64   // retained writes after this one arrive live
	owner  *Session // the walk starts when owner.Safe() >= hold; nil: at once
	hold   uint64
	logged bool
	again  bool   // the filter was subscribed before: there may be walks of it
	begun  bool   // it has been asked for messages
	behind uint8  // how many logged walks of the same filter follow
	rests  Time   // under pressure: the walk goes on then
	alarm  *alarm // wakes the receiver for it; nil until one was needed
}

// side is what a queue has of retained messages: they come before what waits in
// the ring.
type side struct {
	lanes []*lane
	sent  map[uint64]*entry
	back  []uint64 // of sent, to be served again
	seq   uint64   // of the next, without laneBit
}

// aside is the queue's side, made if it has none. q.mu is held, or nobody else
// sees q.
func (q *Queue) aside() *side {
	if q.side == nil {
		q.side = new(side)
	}
	return q.side
}

// laneSlice bounds how many names one slice of a walk visits.
const laneSlice = 256

// What a walk does under pressure before it rests. [SECURITY O3]
const (
	brakedWalk  = 64 // deliveries
	brakedScans = 16 // of laneSlice names
	laneRest    = 250 * time.Millisecond
)

// rest lets a walk go on later. q.mu is held.
func (l *lane) rest(k *taking, q *Queue) {
	if l.alarm == nil {
		l.alarm = newAlarm(q.resumeWalk)
	}
	l.rests = k.t.Now.After(laneRest)
	q.ns.r.timers.sooner(l.alarm, l.rests)
	k.wait = true
}

// newLane begins a walk for a binding that is already in the index, so that
// whatever is retained from now on comes live; nil when nothing is retained that
// it matches.
func (ns *Namespace) newLane(b *binding) *lane {
	if ns.retained.Nothing(b.sub.Filter) {
		return nil
	}
	logged := b.queue.kind == sessionQueue && b.queue.durable && b.sub.QoS > 0
	return &lane{sub: b.sub, ids: b.ids, free: b.free.Load(), rev: ns.revision.Load(), logged: logged}
}

// mostRepeats bounds the walks of one filter that have not begun.
const mostRepeats = 8

// walkFor starts retained walks on a session's own queue. A filter that was
// subscribed twice before anything was sent is walked twice, as several filters
// of a packet are like so many packets; one whose walk is under way begins it
// again. [MQTT-3.8.4-5] [MQTT-3.8.4-3]
func (q *Queue) walkFor(t *Turn, s *Session, hold uint64, lanes []*lane) {
	q.mu.Lock()
	for _, l := range lanes {
		had := l.again && q.makeWay(l.sub.Filter)
		l.owner, l.hold = s, hold
		q.aside().lanes = append(q.aside().lanes, l)
		switch {
		case had:
			q.noteWalks(t, l.sub.Filter)
		case l.logged:
			t.putWalk(q.own, l)
		}
	}
	woken := q.wakeOne(nil)
	q.mu.Unlock()
	if woken != nil {
		woken.notify(t)
	}
}

// makeWay drops the walks of a filter that are under way, and the last of too
// many that are not. had tells that there was any.
func (q *Queue) makeWay(filter string) (had bool) {
	if q.side == nil {
		return false
	}
	fresh := 0
	q.side.lanes = slices.DeleteFunc(q.side.lanes, func(l *lane) bool {
		if l.sub.Filter != filter {
			return false
		}
		had = true
		if !l.begun {
			fresh++
		}
		return l.begun || fresh == mostRepeats
	})
	return had
}

// noteWalks records the walks of a filter, of which there are several or were
// others.
func (q *Queue) noteWalks(t *Turn, filter string) {
	var first *lane
	n := uint8(0)
	for _, l := range slices.Backward(q.side.lanes) {
		if l.logged && l.sub.Filter == filter {
			l.behind = n
			first, n = l, n+1
		}
	}
	if first == nil {
		t.deleteWalk(q.own, filter)
	} else {
		t.putWalk(q.own, first)
	}
}

// stopWalk ends the retained walks of a filter.
func (q *Queue) stopWalk(t *Turn, filter string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.dropLanes(filter) {
		t.deleteWalk(q.own, filter)
	}
}

// dropLanes tells whether one of those that were dropped has a record.
func (q *Queue) dropLanes(filter string) (logged bool) {
	if q.side == nil {
		return false
	}
	q.side.lanes = slices.DeleteFunc(q.side.lanes, func(l *lane) bool {
		logged = logged || l.sub.Filter == filter && l.logged
		return l.sub.Filter == filter
	})
	return logged
}

// ringShift makes room in the sequence number of a retained delivery for how far
// the ring had been sent, so that it is repeated in its place.
const ringShift = 20

// ringBefore is the first entry of the ring that was not sent before a retained
// delivery.
func ringBefore(seq uint64) uint64 { return seq &^ laneBit >> ringShift }

// nextSeq is the sequence number of the next retained delivery.
func (x *side) nextSeq(q *Queue) uint64 {
	seq := max(x.seq, q.next<<ringShift)
	x.seq = seq + 1
	return seq | laneBit
}

// serveSide repeats the first of the retained deliveries that were not settled
// before, or that were not stored yet, with those that follow it and that
// nothing of the ring was sent between. False when the take ends before.
func (q *Queue) serveSide(k *taking) bool {
	x := q.side
	for first := true; len(x.back) > 0; first = false {
		seq := x.back[0]
		if !first && len(q.returned) > 0 && q.returned[0] < ringBefore(seq) {
			return true
		}
		e := x.sent[seq]
		if e == nil {
			x.back = x.back[1:]
			continue
		}
		if !k.has(q.qosFor(k.c, e)) {
			return false
		}
		if e.qos == 2 && e.logged && !e.stored { // as in the ring
			k.wait = true
			return false
		}
		x.back = x.back[1:]
		if e.state != received && !k.c.mayRead(e) {
			k.withhold(e.m.Topic)
			q.finish(k.t, seq)
			q.ns.r.drop(DropDenied)
			continue
		}
		q.deliverSide(k, seq, e)
	}
	x.back = nil
	return true
}

// serveLanes walks the retained messages of new subscriptions.
func (q *Queue) serveLanes(k *taking) {
	x := q.side
	for len(x.lanes) > 0 && !k.short {
		l := x.lanes[0]
		if l.owner != nil && l.owner.Safe() < l.hold {
			l.owner.state.Or(bitHeld)
			if l.owner.Safe() < l.hold { // the watermark may have moved before held was seen
				k.wait = true
				return
			}
		}
		if k.t.Level() >= LevelBrake && k.t.Now < l.rests {
			k.wait = true
			return
		}
		if !q.walk(k, l) {
			break
		}
		x.lanes[0], x.lanes = nil, x.lanes[1:]
	}
	if len(x.lanes) == 0 {
		x.lanes = nil
	}
	if k.later > 0 { // the commit will notify, whatever else stopped the walk
		k.wait, k.short = true, false
	}
}

// resumeWalk wakes whoever serves the queue now, which may be a later
// attachment than the one whose watermark the walk waited for.
func (q *Queue) resumeWalk(t *Turn) {
	q.mu.Lock()
	consumers := slices.Clone(q.consumers)
	q.mu.Unlock()
	notifyAll(t, consumers)
}

// walk serves one lane; false when it has to be continued later.
func (q *Queue) walk(k *taking, l *lane) bool {
	defer k.t.forgetItems()
	l.begun = true
	logged := false
	braked := k.t.Level() >= LevelBrake
	for scans, began := 0, k.walked; k.has(l.sub.QoS); scans++ {
		if braked && scans >= brakedScans {
			l.rest(k, q)
			break
		}
		items, next, done := q.ns.retained.Scan(k.t.items[:0], l.sub.Filter, l.after, min(laneSlice, max(1, cap(k.out)-len(k.out))))
		k.t.items = items
		k.t.unpacked.expect(items)
		for i := range items {
			m := k.t.unpacked.next(items[i], len(items)-i)
			if m.rev > l.rev || m.Expired(k.t.Now) {
				continue
			}
			if !k.c.mayReadTopic(m.Topic, l.free) {
				k.withhold(m.Topic) // once: the walk goes on behind it
				q.ns.r.drop(DropDenied)
				continue
			}
			qos := min(m.QoS, l.sub.QoS)
			enough := braked && k.walked-began >= brakedWalk
			if enough {
				l.rest(k, q)
			}
			if enough || !k.has(qos) {
				if i > 0 {
					l.after = strings.Clone(items[i-1].Key())
				}
				if logged {
					k.t.putWalk(q.own, l)
				}
				return false
			}
			logged = q.walkTo(k, l, items[i], m, qos, len(items)-i) || logged
		}
		if l.after = next; done {
			switch {
			case !l.logged:
			case l.behind > 0:
				i := slices.IndexFunc(q.side.lanes, func(x *lane) bool { return x != l && x.logged && x.sub.Filter == l.sub.Filter })
				k.t.putWalk(q.own, q.side.lanes[i])
			default:
				k.t.deleteWalk(q.own, l.sub.Filter)
			}
			return true
		}
	}
	if logged {
		k.t.putWalk(q.own, l)
	}
	return false
}

// walkTo makes a delivery of the message m that p was unpacked to last; logged
// tells that it has a record. One of QoS 2 leaves when that is stored. About so
// many follow. [MQTT-4.3.3-1]
func (q *Queue) walkTo(k *taking, l *lane, p packed, m *Message, qos uint8, about int) (logged bool) {
	k.walked++
	k.t.refresh(m)
	x := q.side
	seq := x.nextSeq(q)
	had := entry{m: m, ids: l.ids, free: l.free, qos: qos, retain: true, logged: l.logged && qos > 0}
	if qos := q.qosFor(k.c, &had); !had.logged && !k.c.holds(qos) { // over with the delivery
		k.t.unpacked.keep()
		k.out = append(k.out, Delivery{Message: m, Consumer: k.c, Seq: seq, Attempt: 1, QoS: qos, Retain: true, Stored: true, IDs: idsOf(l.ids)}) // [3: MQTT-3.3.1-8]
		return false
	}
	own := k.t.walked.next(min(about, k.window))
	e := &own.entry
	*e, e.m = had, &own.Message
	p.unpack(e.m)
	if e.logged {
		q.keepSide(seq, e)
		k.t.logEntry(q, seq, e)
	}
	if e.logged && qos == 2 {
		x.back = append(x.back, seq)
		k.window--
		k.later++
	} else {
		q.deliverSide(k, seq, e)
	}
	return e.logged
}

// walked is a retained message that stays in flight.
type walked struct {
	entry
	Message
}

// walkedRoom is room for some that go into flight together. They have it in
// common: each keeps the others alive.
type walkedRoom []walked

const walkedAtOnce = 16

// next is one of about so many.
func (r *walkedRoom) next(about int) *walked {
	if len(*r) == 0 {
		*r = make(walkedRoom, max(1, min(about, walkedAtOnce)))
	}
	x := &(*r)[0]
	*r = (*r)[1:]
	return x
}

func idsOf(ids *[]uint32) []uint32 {
	if ids == nil {
		return nil
	}
	return *ids
}

func (q *Queue) keepSide(seq uint64, e *entry) {
	x := q.aside()
	if x.sent == nil {
		x.sent = map[uint64]*entry{}
	}
	x.sent[seq] = e
}

func (q *Queue) deliverSide(k *taking, seq uint64, e *entry) {
	qos := q.qosFor(k.c, e)
	e.attempts++
	// Because of a SUBSCRIBE: RETAIN is 1. [3: MQTT-3.3.1-8]
	d := Delivery{Message: e.m, Consumer: k.c, Seq: seq, Tag: e.tag, Attempt: e.attempts, QoS: qos, Retain: true, Stored: true, Received: e.state == received, IDs: idsOf(e.ids)}
	k.out = append(k.out, d)
	if !k.c.holds(qos) {
		delete(q.side.sent, seq)
		return
	}
	k.window--
	if e.state == waiting {
		e.state = taken
	}
	q.keepSide(seq, e)
	e.owner, e.out = k.c, true
	q.inflight++
	q.charge(1, 0)
	k.c.inflight++
}
