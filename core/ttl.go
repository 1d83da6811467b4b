package core

import "slices"

// ageing is what a queue with a TTL knows of its entries' time.
type ageing struct {
	deadlines []deadline          // in the order of entries, which is that of time; each holds for the entries up to the next
	late      map[uint64]struct{} // in flight past their deadline: gone if given back
	alarm     *alarm
}

type deadline struct {
	seq uint64
	at  Time
}

// limitAge notes a new entry. q.mu is held.
func (q *Queue) limitAge(t *Turn, seq uint64) {
	if q.spec.TTL <= 0 {
		return
	}
	if q.age == nil {
		q.age = &ageing{late: map[uint64]struct{}{}, alarm: newAlarm(q.ageDue)}
	}
	at := t.Now.After(q.spec.TTL)
	if n := len(q.age.deadlines); n > 0 && q.age.deadlines[n-1].at == at {
		return
	}
	q.age.deadlines = append(q.age.deadlines, deadline{seq, at})
	if len(q.age.deadlines) == 1 { // else the alarm is set
		q.watchAge()
	}
}

func (q *Queue) watchAge() {
	if a := q.age; len(a.deadlines) > 0 {
		q.ns.r.timers.sooner(a.alarm, a.deadlines[0].at)
	}
}

// ageDue is the timer's end.
func (q *Queue) ageDue(t *Turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.expireOld(t)
	q.watchAge()
}

// expireOld drops what has waited for the queue's TTL. q.mu is held.
func (q *Queue) expireOld(t *Turn) {
	a := q.age
	if a == nil {
		return
	}
	n := 0
	for ; n < len(a.deadlines) && t.Now >= a.deadlines[n].at; n++ {
		end := q.tail
		if n+1 < len(a.deadlines) {
			end = a.deadlines[n+1].seq
		}
		for seq := max(a.deadlines[n].seq, q.head); seq < min(end, q.edge()); seq++ {
			q.expireEntry(t, seq)
		}
		if q.paged != nil && end > q.paged.edge {
			q.paged.expired = end
		}
	}
	a.deadlines = slices.Delete(a.deadlines, 0, n)
	if q.paged != nil && q.paged.expired > q.paged.edge {
		q.dropStored(t, q.paged.expired, DropExpired)
	}
}

func (q *Queue) expireEntry(t *Turn, seq uint64) {
	if seq < q.head || seq >= q.tail {
		return
	}
	e := q.at(seq)
	switch {
	case e.state == settled, e.state == received:
	case e.out:
		q.age.late[seq] = struct{}{}
	default:
		if i, ok := slices.BinarySearch(q.returned, seq); ok {
			q.returned = slices.Delete(q.returned, i, i+1)
		}
		q.giveUp(t, e, DropExpired)
		q.remove(t, seq)
	}
}

// isLate tells that an entry which is given back has no time left.
func (q *Queue) isLate(seq uint64) bool {
	if q.age == nil {
		return false
	}
	_, late := q.age.late[seq]
	return late
}
