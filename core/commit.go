package core

import "sync"

// work is what one turn submits.
type work struct {
	batch   Batch
	sync    bool // somebody waits for it to be durable
	marks   []mark
	entries []entryRef
	changes []change   // records that are written as things are at the commit
	freed   []freed    // references that end with the work
	left    []*session // whose attachments ended
	delayed []*delayed
	clears  []clearing    // what the pager removes once the work is stored: not before what it makes room for
	done    chan struct{} // closed when it has been written, or could not be; nil: nobody waits
}

// mark is a span of one session's sequence that becomes safe with the work.
type mark struct {
	s        *Session
	from, to uint64
}

// entryRef is a queue entry whose record is in the work.
type entryRef struct {
	q   *Queue
	m   *Message
	seq uint64
}

var workPool = sync.Pool{New: func() any { return new(work) }}

func (t *Turn) pendingWork() *work {
	if t.work == nil {
		t.work = workPool.Get().(*work)
	}
	return t.work
}

// mark makes the turn's work move the watermark of s to seq.
func (t *Turn) mark(s *Session, seq uint64, durable bool) {
	w := t.pendingWork()
	w.sync = w.sync || durable
	if n := len(w.marks); n > 0 && w.marks[n-1].s == s {
		w.marks[n-1].to = seq
		return
	}
	w.marks = append(w.marks, mark{s, seq, seq})
}

// sync makes the turn's work durable although nobody waits for it.
func (t *Turn) sync() { t.pendingWork().sync = true }

// committer is the one goroutine that writes to the store: it gathers what
// all turns have submitted, writes it as one change, syncs once, then raises
// the watermarks.
type committer struct {
	r    *Router
	wake chan struct{}
	end  chan struct{}
	done chan struct{}

	mu      sync.Mutex
	waiting []*work
	crowd   crowd // Guarded by mu: of the last of waiting, when there are many

	// Owned by the goroutine.
	states  Batch               // the records of changes
	written map[change]struct{} // of the group at hand
	senders []sender
	holders []holder // scratch of held
	unasked []uint64 // messages of which the store could not be asked whether anything refers to them
}

// sender is a queue that may send more once the group is stored.
type sender struct {
	q     *Queue
	below uint64
}

func newCommitter(r *Router) *committer {
	return &committer{r: r, written: map[change]struct{}{}, wake: make(chan struct{}, 1), end: make(chan struct{}), done: make(chan struct{})}
}

func (c *committer) submit(w *work) {
	c.mu.Lock()
	if len(c.waiting) >= crowded {
		c.crowd.join(c.r, c.waiting[len(c.waiting)-1], w)
		c.mu.Unlock()
		w.recycle()
		return
	}
	c.waiting = append(c.waiting, w)
	first := len(c.waiting) == 1
	c.mu.Unlock()
	if first {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

func (c *committer) start() { go c.run() }

func (c *committer) stop() {
	close(c.end)
	<-c.done
}

func (c *committer) run() {
	defer close(c.done)
	t := c.r.NewTurn(nil)
	var batch, spare []*work
	for {
		c.mu.Lock()
		batch, c.waiting = c.waiting, spare[:0]
		c.crowd = crowd{}
		c.mu.Unlock()
		if len(batch) > 0 {
			t.Begin()
			c.write(t, batch)
			t.End()
			clear(batch)
			spare = batch
			continue
		}
		spare = batch
		select {
		case <-c.wake:
		case <-c.end:
			c.mu.Lock()
			rest := len(c.waiting)
			c.mu.Unlock()
			if rest == 0 {
				return
			}
		}
	}
}

// write makes one group of work durable and tells everybody.
func (c *committer) write(t *Turn, group []*work) {
	sync := false
	batches := make([]*Batch, 0, len(group)+1)
	for _, w := range group {
		sync = sync || w.sync
		if w.batch.Len() > 0 {
			batches = append(batches, &w.batch)
		}
	}
	c.gather(group)
	if c.states.Len() > 0 {
		batches = append(batches, &c.states)
	}
	var err error
	if c.r.failed.Load() {
		err = ErrStoreClosed
	} else if len(batches) > 0 {
		if err = c.r.store.Write(batches, sync); err != nil {
			c.r.failed.Store(true)
			c.r.log.Error("store.failed", "error", err)
		}
	}
	if c.states.Reset(); cap(c.states.buf) > 1<<20 {
		c.states = Batch{}
	}
	for _, w := range group {
		if err == nil {
			c.stored(t, w.entries)
		} else {
			c.lost(t, w.entries)
		}
		settleDelayed(w.delayed, err)
		if err == nil {
			c.r.pager.clear(w.clears...)
		}
		for _, m := range w.marks {
			m.s.settleMark(t, m.from, m.to, err)
		}
		for _, st := range w.left {
			st.settled(t)
		}
		for i := range w.changes {
			if w.changes[i].kind == noteChange {
				c.r.notes.done(w.changes[i].text)
			}
		}
		if w.done != nil {
			close(w.done)
		}
		w.recycle()
	}
	for _, x := range c.senders {
		x.q.maySend(t, x.below)
	}
	clear(c.senders)
	c.senders = c.senders[:0]
}

// gather writes what has changed as it is now, each thing once, and the ends
// of messages that nothing refers to any more: after the records of the turns,
// in the same change.
func (c *committer) gather(group []*work) {
	for _, w := range group {
		for _, x := range w.changes {
			if _, done := c.written[x]; done {
				continue
			}
			c.written[x] = struct{}{}
			if below := x.write(c.r, &c.states); below > 0 {
				c.senders = append(c.senders, sender{x.st.inbox, below})
			}
		}
	}
	c.release(group)
	if len(c.written) > 4096 {
		c.written = map[change]struct{}{}
	}
	clear(c.written)
}

// recycle empties the work for the next turn.
func (w *work) recycle() {
	clear(w.marks)
	clear(w.entries)
	clear(w.changes)
	clear(w.freed)
	clear(w.left)
	clear(w.delayed)
	clear(w.clears)
	w.batch.Reset()
	*w = work{
		batch: w.batch, marks: w.marks[:0], entries: w.entries[:0],
		changes: w.changes[:0], freed: w.freed[:0], left: w.left[:0], delayed: w.delayed[:0], clears: w.clears[:0],
	}
	if cap(w.batch.buf) <= 1<<20 {
		workPool.Put(w)
	}
}

// settleDelayed lets delayed messages wait for their time. Those that ask for
// durability and did not get it are refused to their publishers.
func settleDelayed(list []*delayed, err error) {
	for _, d := range list {
		if err != nil && d.m.QoS > 0 {
			d.ns.delayed.release(d.m)
			continue
		}
		d.wait()
	}
}

// lost ends the entries that cannot leave without their record. Their
// publishers are not acknowledged, and what waits behind them goes on.
func (c *committer) lost(t *Turn, refs []entryRef) {
	for _, ref := range refs {
		q := ref.q
		q.mu.Lock()
		e := q.entry(ref.seq)
		if e != nil && q.paged != nil && ref.seq&laneBit == 0 && ref.seq >= q.paged.edge && e.state == waiting {
			e.logged = false // it stays in memory, without a record
		}
		if e != nil && e.state == waiting && e.qos == 2 {
			if ref.seq&laneBit == 0 {
				q.discard(t, ref.seq)
			} else {
				q.finish(t, ref.seq)
			}
		}
		if q.paged != nil {
			q.trim(t)
		}
		woken := q.wakeNext()
		var waited []*Consumer
		if q.given != nil {
			waited = q.given.released(q)
		}
		q.mu.Unlock()
		if woken != nil {
			woken.notify(t)
		}
		notifyAll(t, waited)
	}
}

// stored notes which entries are in the store. One that was settled before
// its record was written is deleted now.
func (c *committer) stored(t *Turn, refs []entryRef) {
	for i := 0; i < len(refs); {
		q := refs[i].q
		held := false // something may have waited for it
		q.mu.Lock()
		for ; i < len(refs) && refs[i].q == q; i++ {
			seq := refs[i].seq
			held = held || refs[i].m.QoS == 2
			e := q.entry(seq)
			switch {
			case q.gone || e == nil || e.state == settled:
				t.deleteEntry(q, seq, refs[i].m)
			default:
				e.stored = true
				if e.tag != 0 || e.state == received { // since its first record
					t.changed(change{kind: entryChange, q: q, seq: seq})
				}
			}
		}
		var woken *Consumer
		if q.paged != nil && !q.gone {
			if len(q.consumers) > 0 && q.paged.edge == q.paged.freshAt && !q.rests() {
				held = q.fill(t) || held // before it is let go of
			}
			if q.paged != nil {
				q.trim(t)
			}
		}
		if q.restLater {
			q.rest(t)
		}
		if held {
			woken = q.wakeNext()
		}
		q.mu.Unlock()
		if woken != nil {
			woken.notify(t)
		}
	}
}
