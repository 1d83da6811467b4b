package core_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/entrepot/entrepot/core"
)

// take serves the consumers that were named, and those that a window or the
// room's capacity stopped before: no others, so that a wake-up that is missing
// shows as a message that stays. first is which of them comes first.
func (m *model) take(c *modelClient, window, capacity, first int) (took int) {
	if c.conn == nil {
		return 0
	}
	for x := c.conn.NextReady(); x != nil; x = c.conn.NextReady() {
		c.ready[x] = true
	}
	order := slices.SortedFunc(maps.Keys(c.ready), func(a, b *core.Consumer) int { return strings.Compare(a.Filter(), b.Filter()) })
	for i := range order {
		x := order[(first+i)%len(order)]
		before := c.conn.Inbox().Waiting()
		got, held := m.takeFrom(c, x, window, capacity)
		if held > window {
			m.fail("%d taken in a window of %d", held, window)
		}
		if len(got) < capacity && held < window {
			delete(c.ready, x)
		}
		if x == c.conn.Inbox() {
			m.takeOwn(c, got, window, capacity)
		} else {
			m.takeShared(c, x.Filter(), got)
			given := c.conn.Inbox().Waiting() - before
			m.takeGiven(c, x.Filter(), given)
			took += given
		}
		took += len(got)
	}
	m.w.end()
	return took
}

// woken tells that a consumer was named since the last take.
func (m *model) woken(c *modelClient) bool {
	for x := c.conn.NextReady(); x != nil; x = c.conn.NextReady() {
		c.ready[x] = true
	}
	return len(c.ready) > 0
}

// takeFrom takes until nothing is left that waited for the store.
func (m *model) takeFrom(c *modelClient, x *core.Consumer, window, capacity int) (got []core.Delivery, held int) {
	got = make([]core.Delivery, 0, capacity)
	for again := true; again; {
		n := len(got)
		got = x.Take(m.w.turn, got, window-held)
		for _, d := range got[n:] {
			if d.QoS > 0 {
				held++
			}
		}
		delete(c.ready, x)
		if x != c.conn.Inbox() {
			break
		}
		m.w.end()
		for y := c.conn.NextReady(); y != nil; y = c.conn.NextReady() {
			c.ready[y] = true
		}
		again = c.ready[x] && len(got) < capacity // also with a full window: QoS 0 needs none
	}
	c.ready[x] = true
	return got, held
}

// takeOwn knows exactly what a session's own queue gives.
func (m *model) takeOwn(c *modelClient, got []core.Delivery, window, capacity int) {
	for _, d := range got {
		if d.Stored {
			m.takeRetained(c, d)
			if d.QoS > 0 {
				window--
			}
		}
	}
	live := slices.DeleteFunc(slices.Clone(got), func(d core.Delivery) bool { return d.Stored })
	capacity -= len(got) - len(live)
	for _, x := range slices.Clone(c.inbox.items) {
		if x.done || x.holder != nil {
			continue
		}
		if capacity == 0 || (x.qos > 0 && window == 0) {
			break
		}
		capacity--
		if x.qos > 0 {
			window--
		}
		if len(live) == 0 && c.walk && window == 0 {
			return // nor does the walk
		}
		if len(live) == 0 {
			m.fail("%s is missing", x.payload)
			return
		}
		m.check(c, c.inbox, x, live[0])
		ids := slices.Clone(live[0].IDs)
		slices.Sort(ids)
		if live[0].QoS != x.qos || !slices.Equal(ids, x.ids) {
			m.fail("%s: QoS %d, identifiers %v, want %d %v", x.payload, live[0].QoS, ids, x.qos, x.ids)
		}
		live = live[1:]
	}
	c.walk = c.walk && (window == 0 || capacity == 0)
	if len(live) > 0 {
		m.fail("too much: %s", text(live))
	}
}

func (m *model) takeRetained(c *modelClient, d core.Delivery) {
	if m.retained[d.Message.Topic] != string(d.Message.Payload) && d.Attempt == 1 {
		m.fail("%s is not the retained message of %s", d.Message.Payload, d.Message.Topic)
	}
	if !d.Retain {
		m.fail("retained message without its flag")
	}
	if d.QoS > 0 {
		d.Consumer.Settle(m.w.turn, d.Seq, core.Accepted)
	}
}

// takeShared checks that each message of a shared queue has one holder.
func (m *model) takeShared(c *modelClient, filter string, got []core.Delivery) {
	for _, d := range got {
		q := c.shared[filter]
		var x *modelItem
		if q != nil && len(d.IDs) == 1 && modelFilters[d.IDs[0]] == filter {
			for _, y := range q.items {
				if y.payload == string(d.Message.Payload) && !y.done && y.holder == nil {
					x = y
				}
			}
		}
		if x == nil {
			m.fail("%s is nobody's to take", d.Message.Payload)
			return
		}
		if d.QoS == 2 && c.client.Expiry > 0 {
			m.fail("%s did not go through the session's own queue", x.payload)
		}
		at := slices.Index(q.items, x)
		if x.attempts == 0 && at < q.first {
			m.fail("%s came after a later one", x.payload)
		}
		if x.attempts == 0 {
			q.first = at
		}
		m.check(c, q, x, d)
	}
}

// takeGiven moves what a shared queue gave to the session for good.
func (m *model) takeGiven(c *modelClient, filter string, n int) {
	q := c.shared[filter]
	for ; n > 0; n-- {
		at := slices.IndexFunc(q.items, func(x *modelItem) bool { return !x.done && x.holder == nil })
		if at < 0 || min(q.items[at].qos, c.qos[filter]) != 2 || c.client.Expiry == 0 {
			m.fail("something else than a waiting message of QoS 2 was given")
			return
		}
		x := q.items[at]
		q.items = slices.Delete(q.items, at, at+1)
		c.inbox.items = append(c.inbox.items, &modelItem{payload: x.payload, qos: 2, ids: []uint32{uint32(slices.Index(modelFilters, filter))}})
		q.first = min(q.first, at)
	}
}

func (m *model) check(c *modelClient, q *modelQueue, x *modelItem, d core.Delivery) {
	if x.maybe && d.Attempt == 2 {
		x.attempts = 1
	}
	x.maybe = false
	if x.attempts++; q.own && x.attempts > 2 && d.Attempt == 2 {
		x.attempts = 2 // its queue let go of it while the client was away: it still is one sent again
	}
	if string(d.Message.Payload) != x.payload || int(d.Attempt) != x.attempts || d.Received != x.received {
		m.fail("got %s attempt %d received %v, want %+v", d.Message.Payload, d.Attempt, d.Received, *x)
	}
	if d.QoS == 0 {
		x.done = true
		return
	}
	x.holder, x.as = c, d.QoS
	c.open = append(c.open, modelOpen{d, x, q})
}

func (m *model) settle(c *modelClient, at int, o core.Outcome) {
	if len(c.open) == 0 {
		return
	}
	at %= len(c.open)
	one := c.open[at]
	if o == core.Received && one.d.QoS != 2 {
		o = core.Accepted
	}
	one.d.Consumer.Settle(m.w.turn, one.d.Seq, o)
	m.w.end()
	if o != core.Received {
		c.open = slices.Delete(c.open, at, at+1)
	}
	if one.item.holder != c || one.item.done {
		return // its membership ended meanwhile
	}
	switch o {
	case core.Received:
		one.item.received = true
	case core.Released:
		one.item.holder = nil
		one.item.done = one.item.received && !one.q.own // its receiver has it
	default:
		one.item.done, one.item.holder = true, nil
	}
}

func (m *model) tag(c *modelClient, at int) {
	if len(c.open) > 0 {
		one := c.open[at%len(c.open)]
		one.d.Consumer.Tag(m.w.turn, one.d.Seq, uint32(at))
		m.w.end()
	}
}

// drain settles everything, and looks what is left.
func (m *model) drain() {
	for _, c := range m.clients {
		m.attach(c, false)
	}
	for f := range m.queues {
		m.subscribe(m.clients[0], core.Subscription{Filter: f, QoS: 2}) // a queue may have lost its last consumer
	}
	rounds := 0
	for more := true; more && m.err == ""; {
		more = false
		if rounds++; rounds > 10_000 {
			m.fail("somebody is woken again and again for nothing")
		}
		for _, c := range m.clients {
			more = m.take(c, 100, 64, 0) > 0 || m.woken(c) || more // a read of the store wakes, too
			for len(c.open) > 0 {
				m.settle(c, 0, core.Accepted)
				more = true
			}
		}
	}
	all := m.queues
	for i, c := range m.clients {
		all[fmt.Sprint("client ", i)] = c.inbox
	}
	for f, q := range all {
		for _, x := range q.items {
			if !x.done {
				m.fail("%s: %+v never came", f, *x)
			}
		}
	}
	m.w.end()
	if q, s, w := m.w.store.count('q'), m.w.store.count('m'), m.w.store.count('w'); q+s+w > 0 {
		m.fail("the store holds %d entries, %d messages and %d walks: %s", q, s, w, m.w.store.dump())
	}
}

func matches(filter, name string) bool {
	if strings.HasPrefix(name, "$") {
		return false
	}
	f, n := strings.Split(filter, "/"), strings.Split(name, "/")
	for i, level := range f {
		switch {
		case level == "#":
			return true
		case i >= len(n), level != "+" && level != n[i]:
			return false
		}
	}
	return len(f) == len(n)
}

// dump names what is left in the store.
func (s *mapStore) dump() (text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, v := range s.m {
		if k[0] == 'q' || k[0] == 'm' || k[0] == 'p' {
			text += fmt.Sprintf("\n%q %q", k, v)
		}
	}
	return text
}
