package core

// shelf is where a session's queue keeps the messages of QoS 0 that have a
// bound of their own. They are beside the ring: what a flood of them drops
// leaves no holes in it, and those of QoS 1 and 2 need not be passed to find
// the oldest. Each knows its place among the ring's entries.
type shelf struct {
	list []shelved // a ring: length 0 or a power of two
	head uint32
	n    int
}

type shelved struct {
	e      entry
	before uint64 // it is the next when the ring has come to this sequence number
}

// shelfSeq stands for the first of the shelf. Nothing of QoS 0 is settled by
// its number.
const shelfSeq = 1 << 62

// BoundQoS0 gives the messages of QoS 0 that come from now on a bound of their
// own: at most so many wait for the session, beyond it the oldest is dropped, and
// they do not count to the limit of messages of its queue. 0 ends it, and so does
// the next attachment; what waits apart then is delivered as ever. It is for the
// queue that there is: who has none (Inbox) calls it after subscribing.
func (s *Session) BoundQoS0(t *Turn, most int) {
	if s.inbox == nil {
		return
	}
	q := s.inbox.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.apart = uint32(most)
	for most > 0 && q.shelf.len() > most {
		q.ns.over(LimitQueueQoS0)
		q.dropShelved(t)
	}
}

func (x *shelf) len() int {
	if x == nil {
		return 0
	}
	return x.n
}

// due tells that the first of the shelf comes before what the ring has at next.
func (x *shelf) due(next uint64) bool { return x != nil && x.n > 0 && x.first().before <= next }

func (x *shelf) first() *shelved { return &x.list[x.head&uint32(len(x.list)-1)] }

// shelve puts a message of QoS 0 behind everything that waits. q.mu is held.
func (q *Queue) shelve(m *Message, tg *target) {
	x := q.shelf
	if x == nil {
		x = new(shelf)
		q.shelf = x
	}
	if x.n == len(x.list) {
		x.grow()
	}
	x.list[(x.head+uint32(x.n))&uint32(len(x.list)-1)] = shelved{
		e:      entry{m: m, ids: tg.ids, free: tg.free, retain: tg.rap && m.Retain},
		before: q.tail,
	}
	x.n++
	q.charge(1, int64(m.Size()))
}

func (x *shelf) grow() {
	list := make([]shelved, max(smallRing, 2*len(x.list)))
	for i := range uint32(x.n) {
		list[i] = x.list[(x.head+i)&uint32(len(x.list)-1)]
	}
	x.list, x.head = list, 0
}

// unshelve takes the first off the shelf. q.mu is held.
func (q *Queue) unshelve(t *Turn) {
	x := q.shelf
	first := x.first()
	q.charge(-1, -int64(first.e.m.Size()))
	*first = shelved{}
	x.head++
	if x.n--; x.n == 0 {
		q.shelf = nil
		q.emptied(t)
	}
}

// dropShelved gives up the oldest of the shelf; false when it is empty.
func (q *Queue) dropShelved(t *Turn) bool {
	if q.shelf.len() == 0 {
		return false
	}
	q.giveUp(t, &q.shelf.first().e, DropQueueFull)
	q.unshelve(t)
	return true
}
