package core

func (q *Queue) at(seq uint64) *entry { return &q.ring[seq&uint64(len(q.ring)-1)] }

// [MQTT-4.6.0-5] [MQTT-4.6.0-6] [3: MQTT-4.6.0-5] [3: MQTT-4.6.0-6]
func (q *Queue) append(t *Turn, m *Message, qos uint8, tg *target) {
	var e *entry
	seq := q.tail
	if q.durable && q.pages(m, qos) {
		e = q.page()
	} else {
		if seq-q.head == uint64(len(q.ring)) {
			q.grow(t)
		}
		e = q.at(seq)
	}
	q.tail++
	q.charge(1, int64(m.Size()))
	*e = entry{m: m, ids: tg.ids, free: tg.free, qos: qos, retain: tg.rap && m.Retain} // [MQTT-3.3.1-12] [MQTT-3.3.1-13] [3: MQTT-3.3.1-9]
	q.limitAge(t, seq)
	if q.durable && qos > 0 {
		e.logged = true
		t.refer(q, seq, m)
		t.logEntry(q, seq, e)
	} else if q.paged != nil {
		q.trim(t)
	}
}

func (q *Queue) grow(t *Turn) {
	if len(q.ring) == 0 {
		if t == nil {
			q.ring = make([]entry, smallRing)
		} else {
			q.ring = t.rings.begin(q.ringSize)
		}
		return
	}
	var ring []entry
	if t == nil || len(q.ring) < smallRing {
		ring = make([]entry, 2*len(q.ring))
	} else {
		ring = t.rings.take(2 * len(q.ring))
	}
	for seq := q.head; seq < q.edge(); seq++ {
		ring[seq&uint64(len(ring)-1)] = *q.at(seq)
	}
	if t != nil {
		clear(q.ring)
		t.rings.give(q.ring)
	}
	q.ring = ring
}

// remove ends an entry for good: its record goes, and the head moves over
// what is settled.
func (q *Queue) remove(t *Turn, seq uint64) {
	if seq == shelfSeq {
		q.unshelve(t)
		return
	}
	q.losesUnsent()
	edge := q.tail
	if q.paged != nil {
		if edge = q.paged.edge; seq >= edge {
			q.removePaged(t, seq)
			return
		}
	}
	e := q.at(seq)
	q.charge(-1, -int64(e.m.Size()))
	if e.stored {
		t.deleteEntry(q, seq, e.m)
	}
	if e.out {
		q.inflight--
		e.owner.inflight--
		q.lands(e)
	}
	*e = entry{state: settled}
	q.forget(seq)
	for q.head < edge && q.at(q.head).state == settled {
		q.head++
	}
	if q.next < q.head {
		q.next = q.head
	}
	switch {
	case q.paged != nil:
		q.drawn(t)
	case q.head == q.tail:
		if n := len(q.ring); n >= smallRing {
			q.ringSize = uint8(sizeOf(n))
			t.rings.give(q.ring)
		}
		q.ring = nil
		q.emptied(t)
	}
}

// forget takes an entry out of what the queue knows of some.
func (q *Queue) forget(seq uint64) {
	if q.age != nil {
		delete(q.age.late, seq)
	}
	if q.given != nil {
		delete(q.given.from, seq)
	}
}
