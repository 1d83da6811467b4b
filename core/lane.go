package core

import "slices"

// lane is the walk over the retained messages of one new subscription. What
// waits in the ring comes after it, so that nothing published during the walk
// precedes its own older retained value.
type lane struct {
	sub   Subscription
	ids   *[]uint32
	after string   // last name that was visited
	rev   uint64   // retained writes after this one arrive live
	owner *Session // the walk starts when owner.Safe() >= hold
	hold  uint64
}

// laneSlice bounds how many names one slice of a walk visits.
const laneSlice = 256

// serveSide repeats retained deliveries that were not settled before.
func (q *Queue) serveSide(k *taking) {
	for len(q.sideBack) > 0 {
		seq := q.sideBack[0]
		e := q.side[seq]
		if e == nil {
			q.sideBack = q.sideBack[1:]
			continue
		}
		if !k.has(q.qosFor(k.c, e)) {
			return
		}
		q.sideBack = q.sideBack[1:]
		q.deliverSide(k, seq, e)
	}
	q.sideBack = nil
}

// serveLanes walks the retained messages of new subscriptions.
func (q *Queue) serveLanes(k *taking) {
	for len(q.lanes) > 0 && !k.short {
		l := q.lanes[0]
		if l.owner.Safe() < l.hold {
			l.owner.held.Store(true)
			if l.owner.Safe() < l.hold { // the watermark may have moved before held was seen
				k.wait = true
				return
			}
		}
		if !q.walk(k, l) {
			return
		}
		q.lanes = slices.Delete(q.lanes, 0, 1)
	}
	if len(q.lanes) == 0 {
		q.lanes = nil
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
	r := q.ns.r
	for {
		if !k.has(l.sub.QoS) {
			return false
		}
		items, next, done := q.ns.retained.Scan(nil, l.sub.Filter, l.after, min(laneSlice, max(1, cap(k.out)-len(k.out))))
		for i := range items {
			m := items[i].Value
			if m.rev > l.rev || m.Expired(k.t.Now) || !r.allows(k.c.member.principal.Load(), ActionDeliver, m.Topic) {
				continue
			}
			qos := min(m.QoS, l.sub.QoS)
			if !k.has(qos) {
				return false
			}
			l.after = items[i].Name
			seq := q.sideSeq | laneBit
			q.sideSeq++
			e := &entry{m: m, ids: l.ids, qos: qos, retain: true}
			q.deliverSide(k, seq, e)
		}
		l.after = next
		if done {
			return true
		}
	}
}

func (q *Queue) deliverSide(k *taking, seq uint64, e *entry) {
	qos := q.qosFor(k.c, e)
	e.attempts++
	// Because of a SUBSCRIBE: RETAIN is 1. [3: MQTT-3.3.1-8]
	d := Delivery{Message: e.m, Consumer: k.c, Seq: seq, Tag: e.tag, Attempt: e.attempts, QoS: qos, Retain: true, Stored: true, Received: e.state == received}
	if e.ids != nil {
		d.IDs = *e.ids
	}
	k.out = append(k.out, d)
	if !k.c.holds(qos) {
		delete(q.side, seq)
		return
	}
	k.window--
	if e.state == waiting {
		e.state = taken
	}
	if q.side == nil {
		q.side = map[uint64]*entry{}
	}
	q.side[seq] = e
	e.owner, e.out = k.c, true
	q.inflight++
	q.count++
	k.c.inflight++
}
