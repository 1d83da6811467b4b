package core

import (
	"encoding/binary"
	"slices"
)

// clearing is a range of entries that are to be removed from the store. Unless
// it was drained, a record says so from the change on that took the entries off
// the queue: what a stop or a crash leaves of it, the next start goes on with.
type clearing struct {
	id       uint64 // the queue's
	from, to uint64
	drained  bool      // settled one by one: the range frees the disk
	q        *Queue    // whose dead letters they are; nil: nobody's
	cause    DropCause // of dead letters
	restored bool      // by a start
}

// clearSlice is how many entries one turn removes.
const clearSlice = 1024

// clearEvery is how many drained entries one range covers.
const clearEvery = 1 << 14

func (x *pager) clear(list ...clearing) {
	if len(list) == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range list {
		x.clears = addClearing(x.clears, c)
	}
	x.kick()
}

func addClearing(list []clearing, c clearing) []clearing {
	if c.from >= c.to {
		return list
	}
	if n := len(list); n > 0 {
		last, next := &list[n-1], c
		if next.from, next.to = last.from, last.to; last.to == c.from && *last == next {
			last.to = c.to
			return list
		}
	}
	return append(list, c)
}

// clears makes the pager remove a range once the turn is stored.
func (t *Turn) clears(c clearing) {
	w := t.pendingWork()
	w.batch.clearing(&c)
	w.clears = addClearing(w.clears, c)
}

// clearing adds the record of a range.
func (b *Batch) clearing(c *clearing) {
	v := putBool(putUint(nil, c.to), c.q != nil)
	b.Set(key2(keyClearing, c.id, c.from), append(v, byte(c.cause)))
}

// clearing reads it; buried tells that the messages are dead letters.
func (r *reader) clearing(id, from uint64) (c clearing, buried bool, err error) {
	c = clearing{id: id, from: from, to: r.uint(), restored: true}
	buried = r.bool()
	c.cause = DropCause(r.byte())
	if r.err() != nil || c.to <= from || c.cause > noCause {
		return c, false, errRecord
	}
	return c, buried, nil
}

// remove takes a slice of a range from the store; rest is what is left of it.
func (x *pager) remove(t *Turn, c clearing) (rest clearing, err error) {
	through, n := c.to, 0
	for rec, e := range x.r.store.Scan(key2(keyEntry, c.id, c.from), key2(keyEntry, c.id, c.to)) {
		if e != nil {
			err, through = e, c.from
			break
		}
		seq := binary.BigEndian.Uint64(rec.Key[9:])
		if c.drained || n == x.r.paging.slice {
			through = seq
			break
		}
		n++
		entry, e := (&reader{b: rec.Value, ages: &x.r.ages}).entry(seq)
		if e != nil {
			x.r.log.Error("store.damaged", "error", damaged(rec.Key, e))
			continue
		}
		if err = x.part(t, &c, &entry); err != nil {
			through = seq
			break
		}
	}
	rest = c
	if rest.from = through; c.drained && err == nil { // what is there is deleted one by one
		rest.from = c.to
	}
	if through == c.from {
		return rest, err
	}
	b := &t.pendingWork().batch
	b.deleteRun(keyEntry, c.id, c.from, through)
	if c.drained {
		return rest, err
	}
	b.deleteRun(keyClearing, c.id, c.from, through)
	if through < c.to {
		b.clearing(&rest)
	}
	x.committed(t)
	return rest, err
}

// deleteRun removes the records of a range of numbers.
func (b *Batch) deleteRun(kind byte, id, from, to uint64) {
	if to == from+1 {
		b.Delete(key2(kind, id, from))
		return
	}
	b.DeleteRange(key2(kind, id, from), key2(kind, id, to))
}

// committed waits for what the turn has done: clearing is not faster than the
// store.
func (x *pager) committed(t *Turn) {
	done := make(chan struct{})
	t.bury()
	t.pendingWork().done = done
	t.End()
	select {
	case <-done:
	case <-x.end:
	}
}

// part ends one entry of a range.
func (x *pager) part(t *Turn, c *clearing, e *stored) error {
	if e.refers != 0 && c.q != nil {
		m, err := x.r.sharedMessage(e.refers)
		if err != nil && !isDamage(err) {
			return err
		}
		e.e.m = m
	}
	if c.q != nil && e.e.m != nil {
		c.q.giveUp(t, &e.e, c.cause)
	}
	if e.refers != 0 {
		record := &sharing{id: e.refers}
		record.cold.Store(true)
		record.refs.Store(1)
		w := t.pendingWork()
		w.freed = append(w.freed, freed{record, holder{c.id, e.seq}})
	}
	return nil
}

// waits tells that a range is one of dead letters whose room has not said yet
// that it takes them: a start comes before the rooms. x.mu is held.
func (x *pager) waits(c *clearing) bool {
	return c.restored && c.q != nil && c.q.spec.DeadRoom != "" && !slices.Contains(x.rooms, c.q.spec.DeadRoom)
}

// serves begins the removal of what has waited for a room.
func (x *pager) serves(room string) {
	x.mu.Lock()
	x.rooms = append(x.rooms, room)
	x.clears = append(x.clears, x.waiting...)
	x.waiting = nil
	x.mu.Unlock()
	x.kick()
}
