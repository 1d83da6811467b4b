package core

import (
	"encoding/binary"
	"errors"
	"sync"
	"time"
)

// pager is the one goroutine that reads queues back from the store, a window
// of one queue at a time, and removes what nobody reads any more. No loop waits
// for it: it wakes the consumers of a queue when its next entries are there.
type pager struct {
	r     *Router
	wake  chan struct{}
	end   chan struct{}
	done  chan struct{}
	retry *alarm

	mu      sync.Mutex
	wanted  []*Queue
	clears  []clearing
	waiting []clearing             // for their rooms
	getters map[*Queue][]*Consumer // that wait for a read
	rooms   []string               // that take dead letters
}

// retryAfter is when the store is read again after it could not be.
const retryAfter = time.Second

func newPager(r *Router) *pager {
	x := &pager{r: r, wake: make(chan struct{}, 1), end: make(chan struct{}), done: make(chan struct{})}
	x.retry = newAlarm(func(*Turn) { x.kick() })
	return x
}

func (x *pager) kick() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// want asks for more of a queue. q.mu is held.
func (x *pager) want(q *Queue) {
	x.mu.Lock()
	x.wanted = append(x.wanted, q)
	x.mu.Unlock()
	x.kick()
}

// next takes what is to be done: reading goes first, since somebody waits.
func (x *pager) next() (q *Queue, c clearing, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.clears) > 0 && x.waits(&x.clears[0]) {
		x.waiting = append(x.waiting, x.clears[0])
		x.clears = x.clears[1:]
	}
	switch {
	case len(x.wanted) > 0:
		q = x.wanted[0]
		x.wanted[0] = nil
		if x.wanted = x.wanted[1:]; len(x.wanted) == 0 {
			x.wanted = nil
		}
	case len(x.clears) > 0:
		c = x.clears[0]
		if x.clears = x.clears[1:]; len(x.clears) == 0 {
			x.clears = nil
		}
	default:
		return nil, c, false
	}
	return q, c, true
}

func (x *pager) start() { go x.run() }

func (x *pager) stop() {
	close(x.end)
	<-x.done
}

func (x *pager) run() {
	defer close(x.done)
	t := x.r.NewTurn(nil)
	for {
		select {
		case <-x.end:
			return
		default:
		}
		q, c, ok := x.next()
		if !ok {
			select {
			case <-x.wake:
			case <-x.end:
				return
			}
			continue
		}
		t.Begin()
		var err error
		if q != nil {
			if err = x.load(t, q); err != nil {
				x.mu.Lock()
				x.wanted = append(x.wanted, q)
				x.mu.Unlock()
			} else {
				notifyAll(t, x.got(q))
			}
		} else if c, err = x.remove(t, c); c.from < c.to {
			x.mu.Lock()
			x.clears = append(x.clears, c)
			x.mu.Unlock()
		}
		t.End()
		if err != nil && !x.rests(err) {
			return
		}
	}
}

// rests waits before the store is asked again; false at the end.
func (x *pager) rests(err error) bool {
	if !errors.Is(err, ErrStoreClosed) {
		x.r.log.Error("store.read", "error", err)
	}
	x.r.timers.sooner(x.retry, x.r.clock.Now().After(retryAfter))
	select {
	case <-x.wake:
		return true
	case <-x.end:
		return false
	}
}

// load reads the next entries of a queue into its ring.
func (x *pager) load(t *Turn, q *Queue) error {
	q.mu.Lock()
	p := q.paged
	if q.gone || p == nil {
		q.mu.Unlock()
		return nil
	}
	n := q.room()
	if q.rests() { // its client left meanwhile
		n = 0
	}
	if n <= 0 || p.edge == p.freshAt {
		x.loaded(t, q)
		return nil
	}
	bytes := q.ns.r.limits().WindowBytes - q.waitingBytes()
	if bytes <= 0 && q.next < p.edge {
		p.asked = false
		q.mu.Unlock()
		return nil
	}
	n = p.step(n)
	from, to := p.edge, q.reach(t, n)
	q.mu.Unlock()
	t.End() // what the records of segments say is over before an entry is settled
	t.Begin()
	list, through, err := x.read(q.id, from, to, n, bytes)
	if err != nil {
		return err
	}
	origins := q.ns.origins(list)
	q.mu.Lock()
	if q.gone || q.paged != p {
		q.mu.Unlock()
		return nil
	}
	if q.rests() {
		x.loaded(t, q)
		return nil
	}
	missing := q.install(t, list, through, origins)
	x.loaded(t, q)
	if missing > 0 {
		x.r.missing.Add(uint64(missing))
		x.r.log.Warn("store.orphans", "kind", recordKinds[keyEntry], "count", missing, "first", q.spec.Name,
			"note", "these records were counted and are not in the store")
	}
	return nil
}

// loaded ends a load: it fills up from memory, and wakes who waits. q.mu is
// held, and given up.
func (x *pager) loaded(t *Turn, q *Queue) {
	if p := q.paged; p != nil {
		p.asked = false
		if p.edge == p.freshAt && !q.rests() {
			q.fill(t)
		}
	}
	if p := q.paged; p != nil && q.head-p.cleared >= x.r.paging.every {
		x.clear(clearing{id: q.id, from: p.cleared, to: q.head, drained: true})
		p.cleared = q.head
	}
	q.expireOld(t)
	woken := q.wakeNext()
	q.mu.Unlock()
	if woken != nil {
		woken.notify(t)
	}
}

// step is how many of n entries are read now.
func (p *paged) step(n int) int {
	if p.pace == 0 {
		return n
	}
	few := min(n, int(p.pace))
	if p.pace *= 2; int(p.pace) > n {
		p.pace = 0
	}
	return few
}

// reach is how far a read of n entries goes at most; it begins the segments on
// the way. q.mu is held.
func (q *Queue) reach(t *Turn, n int) uint64 {
	p := q.paged
	for _, s := range p.segs {
		if s.first == s.end {
			continue
		}
		q.begin(t, s)
		if n -= s.count; n <= 0 {
			return s.end
		}
	}
	return p.freshAt
}

// read takes entries from the store, one message at least if there is one.
// through is how far they go.
func (x *pager) read(id, from, to uint64, n int, bytes int64) (list []stored, through uint64, err error) {
	for rec, err := range x.r.store.Scan(key2(keyEntry, id, from), key2(keyEntry, id, to)) {
		if err != nil {
			return nil, 0, err
		}
		e, err := (&reader{b: rec.Value, ages: &x.r.ages}).entry(binary.BigEndian.Uint64(rec.Key[9:]))
		if err != nil { // it cannot be delivered, and is kept from nothing else
			x.r.log.Error("store.damaged", "error", damaged(rec.Key, err))
			continue
		}
		if len(list) > 0 && (len(list) >= n || bytes < int64(e.size)) {
			return list, list[len(list)-1].seq + 1, x.messages(list)
		}
		bytes -= int64(e.size)
		list = append(list, e)
	}
	return list, to, x.messages(list)
}

// messages reads what the entries refer to.
func (x *pager) messages(list []stored) (err error) {
	for i := range list {
		if e := &list[i]; e.refers != 0 {
			if e.e.m, err = x.r.sharedMessage(e.refers); err != nil {
				if !isDamage(err) {
					return err
				}
				x.r.log.Error("store.damaged", "error", err)
			}
			if e.e.m != nil {
				e.e.m.record.refs.Store(1)
			}
		}
	}
	return nil
}

// origins finds the queues that gave entries.
func (ns *Namespace) origins(list []stored) map[uint64]*Queue {
	var found map[uint64]*Queue
	for i := range list {
		if id := list[i].origin; id != 0 && found[id] == nil {
			if found == nil {
				found = map[uint64]*Queue{}
			}
			found[id] = ns.queueOf(id)
		}
	}
	return found
}

// queueOf finds a shared queue by its identity; nil when it was deleted.
func (ns *Namespace) queueOf(id uint64) *Queue {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for _, q := range ns.queues {
		if q.id == id {
			return q
		}
	}
	for _, q := range ns.groups {
		if q.id == id {
			return q
		}
	}
	return nil
}

// install puts what was read into the ring, as far as it has not been dropped
// meanwhile. What should be there and is not was lost with the disk, or by a
// crash that came between two turns: it is counted no more.
func (q *Queue) install(t *Turn, list []stored, through uint64, origins map[uint64]*Queue) (missing int) {
	p := q.paged
	messages, _ := q.limits()
	for q.paged == p && p.edge < min(through, p.freshAt) && p.edge-q.head < uint64(messages)+maxPinned {
		seq := p.edge
		for len(list) > 0 && list[0].seq < seq {
			list = list[1:]
		}
		s := p.front()
		size := s.pop()
		if e := p.quiet[seq]; e != nil {
			delete(p.quiet, seq)
			p.count--
			*q.extend() = *e
			if seq < p.dup {
				q.comesBack(seq)
			}
			continue
		}
		switch {
		case size == 0:
			q.pass()
		case len(list) == 0 || list[0].seq != seq || list[0].e.m == nil:
			q.pass()
			q.lose(t, 1, int64(size))
			missing++
			if len(list) > 0 && list[0].seq == seq { // it refers to a message that is not there
				t.delete(key2(keyEntry, q.id, seq))
			}
		case list[0].e.state == received && q.kind != sessionQueue: // its receiver has it, and is gone
			q.pass()
			q.lose(t, 1, int64(size))
			t.deleteEntry(q, seq, list[0].e.m)
		default:
			q.arrive(t, &list[0], size, s.tries, origins)
		}
	}
	if q.paged == p {
		q.unpage(t)
	}
	return missing
}

// comesBack notes of the entry before the edge that it was taken, or looked at,
// before.
func (q *Queue) comesBack(seq uint64) {
	q.returned = append(q.returned, seq)
	q.next = q.paged.edge
}

// arrive puts one entry at the edge. tries are its deliveries, where they are
// counted.
func (q *Queue) arrive(t *Turn, x *stored, size uint64, tries uint16, origins map[uint64]*Queue) {
	q.paged.count--
	e := q.extend()
	*e = x.e
	if late := q.ns.r.ages.late.Load(); e.m.loaded && late != 0 { // it was caught up meanwhile
		e.m = e.m.olderBy(Time(late))
	}
	if more := int64(e.m.Size()) - int64(size); more != 0 {
		q.charge(0, more)
	}
	if e.attempts = tries; e.state == received || x.seq < q.paged.dup {
		if q.kind == sessionQueue {
			e.attempts = 1
		}
		q.comesBack(x.seq)
	}
	if origin := origins[x.origin]; origin != nil {
		q.givenBy(x.seq, origin)
	}
	if x.seq < q.paged.expired && e.state != received {
		q.expireEntry(t, x.seq)
	}
}
