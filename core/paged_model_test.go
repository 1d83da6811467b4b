package core_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/core"
	"pgregory.net/rapid"
)

// pagedModel is what queues longer than their window are to a reader: lists.
// Three sessions that share some messages, one of which has QoS 0 apart and one of
// which keeps it while it is away, and a named queue with a TTL, which
// has a consumer at times and counts deliveries.
type pagedModel struct {
	w        *world
	bits     uint32 // of the step, to pick from
	options  core.Options
	pub      *conn
	taker    *conn          // consumes the named queue; nil: nobody does
	consumer *core.Consumer // its
	noLocal  bool           // it is to have nothing of its own
	sessions []*pagedSession
	named    *pagedQueue
	n        int
}

type pagedSession struct {
	client core.Client
	conn   *conn
	pagedQueue
}

type pagedQueue struct {
	items []*pagedItem // not settled
	most  int          // messages; 0: no limit
	apart int          // of QoS 0 beside them; 0: they count with them
	skips bool         // what the consumer published is not for it
}

type pagedItem struct {
	payload string
	size    int64
	qos     uint8
	apart   bool
	expires core.Time // of the message
	dies    core.Time // of the queue's TTL
	own     bool      // the consumer published it
	tries   int
	sent    bool
	maybe   bool // a crash does not tell whether it was sent
	held    *core.Delivery
}

func newPagedModel(w *world, options core.Options) *pagedModel {
	m := &pagedModel{w: w, options: options, named: &pagedQueue{}}
	for i, most := range []int{0, 9, 9} {
		c := core.Client{ID: fmt.Sprint("s", i), Expiry: 100 * time.Hour, KeepQoS0: i == 1, Queue: core.QueueLimits{Messages: most}}
		s := &pagedSession{client: c, pagedQueue: pagedQueue{most: most}}
		m.sessions = append(m.sessions, s)
		m.attach(s, c)
		s.conn.sub("both", 2)
		s.conn.sub(c.ID, 2)
	}
	m.publisher()
	if _, _, _, _, reason := m.pub.Declare(w.turn, core.QueueSpec{Name: "n", Durable: true, TTL: time.Minute}); reason != core.OK {
		m.fail("%v", reason)
	}
	m.pub.Bind(w.turn, "n", core.Subscription{Filter: "both", QoS: 2})
	w.end()
	return m
}

// mostApart is the bound of the last session for QoS 0.
const mostApart = 3

func (m *pagedModel) attach(s *pagedSession, c core.Client) {
	s.conn, s.apart = m.w.attach(c), 0
	if c.ID == "s2" {
		s.apart = mostApart
		s.conn.BoundQoS0(m.w.turn, mostApart)
	}
}

func (m *pagedModel) publisher() { m.pub = m.w.attach(core.Client{}) }

func (m *pagedModel) publish(topic string, qos uint8, expires time.Duration, late bool) {
	m.publishBy(m.pub, topic, qos, expires, late)
}

func (m *pagedModel) publishBy(by *conn, topic string, qos uint8, expires time.Duration, late bool) {
	m.n++
	x := pagedItem{payload: fmt.Sprint(m.n), qos: qos, own: by == m.taker}
	if m.n%7 == 0 {
		x.payload += fmt.Sprintf("%*d", m.n%50, 0)
	}
	mt, reason := by.Route(m.w.turn, []byte(topic))
	if reason != core.OK {
		m.fail("%v", reason)
	}
	msg := core.NewMessage([]byte(x.payload))
	msg.Topic, msg.QoS = mt.Topic(), qos
	if expires > 0 {
		msg.Expires = m.w.turn.Now.After(expires)
		x.expires = msg.Expires
	}
	x.size = int64(msg.Size())
	by.Publish(m.w.turn, mt, msg)
	for _, s := range m.sessions {
		if (topic == "both" || topic == s.client.ID) && (qos > 0 || s.conn != nil || s.client.KeepQoS0) {
			s.add(x)
		}
	}
	if topic == "both" {
		x.dies = m.w.turn.Now.After(time.Minute)
		m.named.add(x)
	}
	if !late {
		m.w.end()
	}
}

func (q *pagedQueue) add(x pagedItem) {
	x.apart = q.apart > 0 && x.qos == 0
	most, n := q.most, 0
	if x.apart {
		most = q.apart
	}
	for _, y := range q.items {
		if y.apart == x.apart {
			n++
		}
	}
	if most > 0 && n >= most {
		at := slices.IndexFunc(q.items, func(y *pagedItem) bool { return y.apart == x.apart && !y.sent && !y.maybe })
		if at < 0 { // all that is there was sent: it is completed
			return
		}
		q.items = slices.Delete(q.items, at, at+1)
	}
	q.items = append(q.items, &x)
}

// take takes up to n and checks each. Everything that was held before is older.
func (m *pagedModel) take(q *pagedQueue, take func(n int) []core.Delivery, n int) (took int) {
	ds := take(n)
	m.w.end() // what had expired on the way is gone, also after a crash
	for _, d := range ds {
		x := q.next(m.w.turn.Now, string(d.Message.Payload))
		switch {
		case x == nil:
			m.fail("got %s, want %s", text(ds), q)
		case d.QoS != x.qos || int64(d.Message.Size()) != x.size:
			m.fail("%s has QoS %d, size %d, want %+v", d.Message.Payload, d.QoS, d.Message.Size(), *x)
		case !x.maybe && d.Redelivered() != x.sent:
			m.fail("%s is repeated: %v, want %v", d.Message.Payload, d.Redelivered(), x.sent)
		case q == m.named && int(d.Attempt) != x.tries+1:
			m.fail("%s is attempt %d, want %+v", d.Message.Payload, d.Attempt, *x)
		}
		x.sent, x.maybe = true, false
		x.tries++
		if d.QoS == 0 && q != m.named { // basic.get keeps all until it is settled
			q.remove(x)
		} else {
			x.held = &d
		}
	}
	if len(ds) < n { // nothing else may wait
		q.items = slices.DeleteFunc(q.items, func(x *pagedItem) bool { // it was not sent, and has expired
			return x.held == nil && x.maybe && x.expires != 0 && m.w.turn.Now >= x.expires
		})
		if x := q.next(m.w.turn.Now, ""); x != nil && !x.maybe {
			m.fail("%s did not come, after %d of %d, of %s", x.payload, len(ds), n, q)
		}
	}
	return len(ds)
}

// next is the one that comes next, and must be payload if that is given. What
// has expired on the way is gone.
func (q *pagedQueue) next(now core.Time, payload string) *pagedItem {
	for _, x := range slices.Clone(q.items) {
		switch {
		case x.held != nil, q.skips && x.own:
		case x.expires != 0 && now >= x.expires && !x.sent && (!x.maybe || payload != "" && x.payload != payload):
			q.remove(x)
		case payload != "" && x.payload != payload:
			return nil
		default:
			return x
		}
	}
	return nil
}

func (q *pagedQueue) remove(x *pagedItem) {
	q.items = slices.DeleteFunc(q.items, func(y *pagedItem) bool { return x == y })
}

func (q *pagedQueue) String() (text string) {
	for _, x := range q.items {
		text += fmt.Sprintf(" %+v", *x)
	}
	return text
}

func (m *pagedModel) settle(q *pagedQueue, from int, o core.Outcome) {
	n := 0
	for _, x := range slices.Clone(q.items) {
		if x.held == nil {
			continue
		}
		if n++; n%3 == from%3 && o == core.Accepted || from == 0 {
			x.held.Consumer.Settle(m.w.turn, x.held.Seq, o)
			if x.held = nil; o == core.Accepted {
				q.remove(x)
			} else if x.dies != 0 && m.w.turn.Now >= x.dies {
				q.remove(x)
			}
		}
	}
	m.w.end()
}

func (m *pagedModel) detach(s *pagedSession) {
	if s.conn == nil {
		return
	}
	s.conn.Detach(m.w.turn, core.ConnectionLost)
	m.w.end()
	s.conn = nil
	for _, x := range s.items {
		x.held = nil
	}
	if !s.client.KeepQoS0 {
		s.items = slices.DeleteFunc(s.items, func(x *pagedItem) bool { return x.qos == 0 })
	}
}

// takeNamed takes as the consumer of the named queue, with what is read first.
func (m *pagedModel) takeNamed(n int) (got []core.Delivery) {
	for {
		m.w.end()
		more := m.consumer.Take(m.w.turn, make([]core.Delivery, 0, n-len(got)), n)
		got = append(got, more...)
		if len(more) == 0 && !m.taker.told() || len(got) == n {
			return got
		}
	}
}

// back makes what somebody held of the named queue wait again.
func (m *pagedModel) back(consumer bool) {
	m.w.end()
	for _, x := range slices.Clone(m.named.items) {
		if x.held == nil || (x.held.Consumer == m.consumer) != consumer {
			continue
		}
		if x.held = nil; m.w.turn.Now >= x.dies {
			m.named.remove(x)
		}
	}
}

// away ends the connections of limited sessions: what they drop depends on what
// was sent, so that has to be known.
func (m *pagedModel) away() {
	for _, s := range m.sessions[1:] {
		m.detach(s)
	}
}

// gone is the end of everything that is connected.
func (m *pagedModel) gone() {
	for _, s := range m.sessions {
		was := s.conn != nil
		s.conn, s.apart = nil, 0
		s.items = slices.DeleteFunc(s.items, func(x *pagedItem) bool { return x.qos == 0 })
		for _, x := range s.items {
			x.held = nil
			x.maybe = x.maybe || was && !x.sent
		}
	}
	m.named.items = slices.DeleteFunc(m.named.items, func(x *pagedItem) bool { return x.qos == 0 })
	for _, x := range m.named.items {
		x.held, x.sent, x.maybe, x.tries, x.own = nil, false, false, 0, false
		x.dies = m.w.turn.Now.After(time.Minute)
	}
	m.publisher()
	m.taker, m.consumer, m.noLocal = nil, nil, false
}

func (m *pagedModel) expire() {
	m.named.items = slices.DeleteFunc(m.named.items, func(x *pagedItem) bool {
		return x.held == nil && m.w.turn.Now >= x.dies
	})
}

// check compares the counts, which must be exact without anything being read.
func (m *pagedModel) check(op string) {
	var bytes int64
	messages := 0
	queues := []*pagedQueue{m.named}
	for _, s := range m.sessions {
		queues = append(queues, &s.pagedQueue)
	}
	for _, q := range queues {
		for _, x := range q.items {
			bytes += x.size
			messages++
		}
	}
	stats := m.w.router.Stats()
	got := stats.Namespaces[0]
	if got.QueueMessages != messages || got.QueueBytes != bytes || stats.Orphans != 0 {
		m.fail("after %s: %d messages and %d bytes, want %d and %d; %d orphans\n%s", op, got.QueueMessages, got.QueueBytes, messages, bytes, stats.Orphans, queues)
	}
}

// pagedFailure is what a model found.
type pagedFailure string

func (m *pagedModel) fail(format string, args ...any) {
	panic(pagedFailure(fmt.Sprintf(format, args...)))
}

func (m *pagedModel) pick(n int) int {
	x := m.bits % uint32(n)
	m.bits /= uint32(n)
	return int(x)
}

func (m *pagedModel) step(bits uint32) (op string) {
	m.bits = bits
	ops := []string{
		"publish", "many", "many", "burst", "attach", "detach", "take", "take", "settle", "settle", "release", "named", "settle named", "purge", "consume", "consumed", "consumed", "own", "cancel", "leave", "sleep", "restart", "crash", "lost", "clean",
	}
	op = ops[m.pick(len(ops))]
	s, topic := m.sessions[m.pick(3)], []string{"both", "s0", "s1", "s2"}[m.pick(4)]
	switch op {
	case "publish":
		m.publish(topic, uint8(m.pick(3)), []time.Duration{0, 0, 30 * time.Second}[m.pick(3)], false)
	case "many", "burst":
		to, n := topic, 1+m.pick(20)
		for i := range n {
			m.publish(to, uint8([]int{1, 1, 0, 1, 2}[i%5]), 0, op == "burst")
		}
		m.w.end()
	case "attach":
		if s.conn == nil {
			m.attach(s, s.client)
		}
	case "detach":
		m.detach(s)
	case "take":
		if s.conn != nil {
			m.take(&s.pagedQueue, s.conn.takeAll, 1+m.pick(12))
		}
	case "settle":
		m.settle(&s.pagedQueue, m.pick(3), core.Accepted)
	case "release":
		m.settle(&s.pagedQueue, 0, core.Released)
	case "named":
		m.take(m.named, func(n int) (ds []core.Delivery) {
			for range n {
				d, waiting, ok, reason := m.pub.get("n", false)
				if m.w.end(); reason != core.OK || !ok && waiting > 0 {
					m.fail("%v, %d wait", reason, waiting)
				}
				if !ok {
					break
				}
				ds = append(ds, d)
			}
			return ds
		}, 1+m.pick(12))
	case "consume":
		if m.taker == nil {
			m.taker, m.noLocal = m.w.attach(core.Client{}), m.pick(3) == 0
			m.consumer, _ = m.taker.Consume(m.w.turn, "n", core.ConsumeOptions{QoS: 2, AckAll: true, NoLocal: m.noLocal})
		}
	case "consumed":
		if m.taker != nil {
			m.named.skips = m.noLocal
			m.take(m.named, m.takeNamed, 1+m.pick(12))
			m.named.skips = false
		}
	case "own":
		for i := range m.pick(9) {
			if m.taker != nil {
				m.publishBy(m.taker, "both", uint8([]int{1, 1, 0, 1, 2}[i%5]), 0, false)
			}
		}
	case "cancel":
		if m.taker != nil {
			if m.pick(2) == 0 {
				m.consumer.Cancel(m.w.turn)
			}
			m.taker.Detach(m.w.turn, core.ConnectionLost)
			m.back(true)
			m.taker, m.consumer = nil, nil
			for _, x := range m.named.items { // another consumer is somebody else
				x.own = false
			}
		}
	case "leave":
		m.pub.Detach(m.w.turn, core.ConnectionLost)
		m.back(false)
		m.publisher()
	case "settle named":
		m.settle(m.named, m.pick(3), core.Accepted)
	case "purge":
		if m.pick(4) == 0 {
			n, _ := m.pub.Purge(m.w.turn, "n")
			m.w.end()
			before := len(m.named.items)
			m.named.items = slices.DeleteFunc(m.named.items, func(x *pagedItem) bool { return x.held == nil })
			if before-len(m.named.items) != n {
				m.fail("purged %d of %d", n, before-len(m.named.items))
			}
		}
	case "sleep":
		m.w.sleep([]time.Duration{1, 31, 61}[m.pick(3)] * time.Second)
		m.w.sleep(200 * time.Millisecond) // a timer may be late
		m.expire()
	case "clean": // another session takes its place
		m.detach(s)
		client := s.client
		client.Clean = true
		s.items = nil
		m.attach(s, client)
		s.conn.sub("both", 2)
		s.conn.sub(s.client.ID, 2)
	case "restart":
		m.away()
		m.w.restart(m.options)
		m.gone()
	case "crash":
		m.away()
		m.w.crash(m.options)
		m.gone()
	case "lost": // a turn that was not submitted
		m.away()
		to := topic
		lists := [][]*pagedItem{slices.Clone(m.named.items)}
		for _, s := range m.sessions {
			lists = append(lists, slices.Clone(s.items))
		}
		m.publish(to, 1, 0, true)
		m.w.crash(m.options)
		m.named.items = lists[0]
		for i, s := range m.sessions {
			s.items = lists[1+i]
		}
		m.gone()
	}
	m.check(op)
	return op
}

// drain takes everything, and nothing may be left in the store.
func (m *pagedModel) drain() {
	for _, s := range m.sessions {
		if s.conn == nil {
			m.attach(s, s.client)
		}
		for len(s.items) > 0 {
			m.settle(&s.pagedQueue, 0, core.Accepted)
			m.take(&s.pagedQueue, s.conn.takeAll, 10)
		}
	}
	m.settle(m.named, 0, core.Accepted)
	m.pub.Purge(m.w.turn, "n")
	m.w.end()
	m.named.items = nil
	m.check("drain")
	for _, kind := range []byte("qmp") {
		if n := m.w.store.count(kind); n > 0 {
			m.fail("%d records %c are left: %s", n, kind, m.w.store.dump())
		}
	}
}

// Queues beyond their windows are what lists are: in order, once, counted
// exactly; over restarts and crashes.
func TestDESIGN_7_QueuesBeyondTheirWindowAreLists(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		window := rapid.SampledFrom([]int{1, 2, 5, 8}).Draw(rt, "window")
		steps := modelSteps(rt, 120)
		failed := ""
		synctest.Test(t, func(t *testing.T) {
			w := &world{t: t, store: newMapStore()}
			options := core.SmallPages(core.Options{}, window)
			w.open(options)
			ops := ""
			defer func() {
				if x, ok := recover().(pagedFailure); ok {
					failed = ops + ": " + string(x)
				}
				w.end()
				w.router.Close()
			}()
			m := newPagedModel(w, options)
			for _, bits := range steps {
				ops += " " + m.step(bits)
			}
			m.drain()
		})
		if failed != "" {
			rt.Fatal(failed)
		}
	})
}
