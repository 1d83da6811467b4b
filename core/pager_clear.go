package core

import "encoding/binary"

// clearing is a range of entries that are to be removed from the store.
type clearing struct {
	id       uint64 // the queue's
	from, to uint64
	drained  bool      // settled one by one: the range frees the disk
	q        *Queue    // whose dead letters they are; nil: nobody's
	cause    DropCause // of dead letters
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
		if last := &list[n-1]; last.id == c.id && last.to == c.from && last.drained == c.drained && last.q == c.q && last.cause == c.cause {
			last.to = c.to
			return list
		}
	}
	return append(list, c)
}

// clears makes the pager remove a range once the turn is stored.
func (t *Turn) clears(c clearing) {
	w := t.pendingWork()
	w.clears = addClearing(w.clears, c)
}

// remove takes a slice of a range from the store.
func (x *pager) remove(t *Turn, c clearing) error {
	through, n := c.to, 0
	for rec, err := range x.r.store.Scan(key2(keyEntry, c.id, c.from), key2(keyEntry, c.id, c.to)) {
		if err != nil {
			return err
		}
		seq := binary.BigEndian.Uint64(rec.Key[9:])
		if c.drained || n == x.r.paging.slice {
			through = seq
			break
		}
		n++
		e, err := (&reader{b: rec.Value}).entry(seq)
		if err != nil {
			x.r.log.Error("store.damaged", "error", damaged(rec.Key, err))
			continue
		}
		if err := x.part(t, &c, &e); err != nil {
			return err
		}
	}
	if through > c.from {
		t.pendingWork().batch.DeleteRange(key2(keyEntry, c.id, c.from), key2(keyEntry, c.id, through))
	}
	if c.drained || through == c.to {
		return nil
	}
	if !x.committed(t) {
		return nil
	}
	c.from = through
	x.mu.Lock()
	x.clears = append(x.clears, c)
	x.mu.Unlock()
	return nil
}

// committed waits for what the turn has done: clearing is not faster than the
// store.
func (x *pager) committed(t *Turn) bool {
	done := make(chan struct{})
	t.bury()
	t.pendingWork().done = done
	t.End()
	select {
	case <-done:
		return true
	case <-x.end:
		return false
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
