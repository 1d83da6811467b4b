package core_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/entrepot/entrepot/core"
	"pgregory.net/rapid"
)

// The model is what a reader of the specification expects, without any of
// core's structures: a list of messages a queue, and who holds each.

type modelItem struct {
	payload  string
	qos      uint8
	ids      []uint32
	attempts int
	maybe    bool         // after a crash: it may have been sent once
	as       uint8        // QoS that its holder has it with
	holder   *modelClient // has it in flight
	received bool
	done     bool
}

type modelQueue struct {
	filter string
	named  bool
	own    bool
	items  []*modelItem
	bound  bool // a subscription made it: it has what is published to its name
	first  int  // first deliveries come in order
}

type modelClient struct {
	client core.Client
	subs   map[string]core.Subscription
	inbox  *modelQueue
	shared map[string]*modelQueue
	qos    map[string]uint8 // of shared
	conn   *conn
	ready  map[*core.Consumer]bool
	open   []modelOpen
	walk   bool // retained messages may be on their way, before what waits
}

type modelOpen struct {
	d    core.Delivery
	item *modelItem
	q    *modelQueue
}

type model struct {
	w        *world
	clients  []*modelClient
	queues   map[string]*modelQueue
	retained map[string]string
	n        int
	err      string
	options  core.Options
}

func (m *model) fail(format string, args ...any) {
	if m.err == "" {
		m.err = fmt.Sprintf(format, args...)
	}
}

func newModel(w *world) *model {
	m := &model{w: w, queues: map[string]*modelQueue{}, retained: map[string]string{}}
	for i := range 4 {
		c := durable(string(rune('a' + i%2)))
		c.Principal = &core.Principal{User: fmt.Sprint("u", i/2)}
		if i == 3 {
			c.Expiry = 0
		}
		m.clients = append(m.clients, &modelClient{client: c})
		m.clients[i].end()
	}
	return m
}

// end makes the client's session one that never was.
func (c *modelClient) end() {
	c.conn, c.open, c.ready, c.walk = nil, nil, nil, false
	c.subs, c.shared = map[string]core.Subscription{}, map[string]*modelQueue{}
	c.qos = map[string]uint8{}
	c.inbox = &modelQueue{own: true}
}

func (m *model) attach(c *modelClient, clean bool) {
	if c.conn != nil {
		return
	}
	client := c.client
	client.Clean = clean
	m.serve(c, m.w.attach(client), clean)
}

func (m *model) serve(c *modelClient, to *conn, clean bool) {
	if clean {
		m.leaveAll(c)
		c.end()
	}
	c.conn, c.open = to, nil
	c.ready = map[*core.Consumer]bool{}
}

// lose is the end of a connection: what it held waits again.
func (m *model) lose(c *modelClient) {
	for _, o := range c.open {
		switch {
		case o.item.done || o.item.holder != c || !o.q.holds(o.item):
		case !o.q.own && o.item.as == 2:
			o.item.done = true // [MQTT-4.8.2-5]
		default:
			o.item.holder = nil
		}
	}
	c.conn, c.open = nil, nil
	if c.client.Expiry == 0 {
		m.leaveAll(c)
		c.end()
	}
}

func (q *modelQueue) holds(x *modelItem) bool { return slices.Contains(q.items, x) }

func (m *model) leaveAll(c *modelClient) {
	for f := range c.shared {
		m.leave(c, f)
	}
}

// leave ends a membership. What its client holds stays with it until it is
// settled, or the connection ends.
func (m *model) leave(c *modelClient, filter string) {
	q := c.shared[filter]
	delete(c.shared, filter)
	if !q.named && len(m.members(filter)) == 0 {
		for _, x := range q.items {
			x.done = true
		}
		delete(m.queues, filter)
	}
}

func (m *model) members(filter string) (in []*modelClient) {
	for _, c := range m.clients {
		if c.shared[filter] != nil {
			in = append(in, c)
		}
	}
	return in
}

func (m *model) detach(c *modelClient, reason core.Reason) {
	if c.conn == nil {
		return
	}
	c.conn.Detach(m.w.turn, reason)
	m.w.end()
	c.inbox.items = slices.DeleteFunc(c.inbox.items, func(x *modelItem) bool { return x.qos == 0 && !x.done }) // it does not wait for who is away
	m.lose(c)
}

func (m *model) takeover(c *modelClient, clean bool, late func()) {
	if c.conn == nil {
		return
	}
	client := c.client
	client.Clean = clean
	next := m.w.connect(client)
	m.w.end()
	if ok, _ := next.State(); ok {
		m.fail("attached before the old connection left")
	}
	late()
	old := c.conn
	old.Detach(m.w.turn, core.TakenOver)
	m.w.end()
	if ok, _ := next.State(); !ok {
		m.fail("not attached after the old connection left")
	}
	m.lose(c)
	m.serve(c, next, clean)
}

func (m *model) subscribe(c *modelClient, s core.Subscription) {
	if c.conn == nil {
		return
	}
	if strings.HasPrefix(s.Filter, "$") {
		s.NoLocal, s.ID = false, uint32(slices.Index(modelFilters, s.Filter)) // tells whose a delivery is
	}
	if g := c.conn.subscribe(s); g.Reason != core.OK {
		m.fail("subscribe %s: %v", s.Filter, g.Reason)
	}
	if !strings.HasPrefix(s.Filter, "$") {
		c.subs[s.Filter] = s
		c.walk = true
		return
	}
	q := m.queues[s.Filter]
	if q == nil {
		q = &modelQueue{filter: s.Filter, named: strings.HasPrefix(s.Filter, "$queue/"), bound: true}
		m.queues[s.Filter] = q
	}
	c.shared[s.Filter] = q
	c.qos[s.Filter] = s.QoS
}

func (m *model) unsubscribe(c *modelClient, filter string) {
	if c.conn == nil {
		return
	}
	got, _, _ := c.conn.Unsubscribe(m.w.turn, []string{filter}, nil)
	m.w.end()
	_, own := c.subs[filter]
	want := core.NotFound
	if own || c.shared[filter] != nil {
		want = core.OK
	}
	if got[0] != want {
		m.fail("unsubscribe %s: %v", filter, got[0])
	}
	if delete(c.subs, filter); c.shared[filter] != nil {
		m.leave(c, filter)
	}
}

func (m *model) publish(c *modelClient, name string, qos uint8, retain bool) {
	if c.conn == nil {
		return
	}
	m.n++
	payload := fmt.Sprint(m.n)
	reason := c.conn.send(name, payload, func(x *core.Message) { x.QoS, x.Retain = qos, retain })
	m.w.end()
	if reason != core.OK && reason != core.NoReceiver {
		m.fail("publish: %v", reason)
	}
	if retain && !strings.HasPrefix(name, "$") {
		m.retained[name] = payload
	}
	if strings.HasPrefix(name, "$queue/") && m.queues[name] == nil {
		m.queues[name] = &modelQueue{filter: name, named: true}
	}
	for _, to := range m.clients {
		m.publishOwn(c, to, name, payload, qos)
	}
	for f, q := range m.queues {
		if q.named && f != name && !(q.bound && f == "$queue/"+name) {
			continue
		}
		if !q.named && !matches(strings.SplitN(f, "/", 3)[2], name) {
			continue
		}
		online := slices.ContainsFunc(m.members(f), func(x *modelClient) bool { return x.conn != nil })
		if qos > 0 || online || q.named {
			q.items = append(q.items, &modelItem{payload: payload, qos: qos})
		}
	}
}

func (m *model) publishOwn(from, to *modelClient, name, payload string, qos uint8) {
	x := &modelItem{payload: payload}
	hit := false
	for _, s := range to.subs {
		if !matches(s.Filter, name) || (s.NoLocal && from == to) {
			continue
		}
		hit = true
		x.qos = max(x.qos, min(qos, s.QoS))
		if s.ID != 0 {
			x.ids = append(x.ids, s.ID)
		}
	}
	if hit && (x.qos > 0 || to.conn != nil) {
		slices.Sort(x.ids)
		to.inbox.items = append(to.inbox.items, x)
	}
}

func (m *model) restart() {
	m.w.restart(m.options)
	for _, c := range m.clients {
		c.inbox.restart(c.conn != nil)
		if c.conn, c.open = nil, nil; c.client.Expiry == 0 {
			m.leaveAll(c)
			c.end()
		}
	}
	for _, q := range m.queues {
		q.restart(false)
	}
}

// restart leaves what is durable; who held it is forgotten. A session's own
// queue knows what it may have sent: exactly if its client was away.
func (q *modelQueue) restart(attached bool) {
	q.items = slices.DeleteFunc(q.items, func(x *modelItem) bool {
		return x.done || x.qos == 0 || x.received && !q.own // its receiver has it
	})
	for _, x := range q.items {
		x.holder = nil
		if x.attempts = min(x.attempts, 1); !q.own {
			x.attempts = 0
		}
		x.maybe = x.maybe || attached && x.attempts == 0
	}
	q.first = 0
}

var (
	modelTopics  = []string{"x/1", "x/2", "y", "$queue/jobs", "jobs"}
	modelFilters = []string{"x/+", "x/1", "#", "y", "$share/g/x/+", "$share/h/#", "$queue/jobs"}
)

// step does what 32 random bits say.
func (m *model) step(op uint32) {
	pick := func(n uint32) int {
		x := op % n
		op /= n
		return int(x)
	}
	kind, c := pick(16), m.clients[pick(4)]
	switch kind {
	case 0:
		m.attach(c, pick(5) == 0)
	case 1:
		m.attach(c, false)
	case 2:
		m.detach(c, []core.Reason{core.Normal, core.ConnectionLost}[pick(2)])
	case 3:
		clean, outcome, other := pick(5) == 0, core.Outcome(pick(4)), m.clients[pick(4)]
		m.takeover(c, clean, func() {
			m.settle(c, 0, outcome)
			m.publish(other, "x/1", 2, false)
		})
	case 4, 5:
		s := core.Subscription{Filter: modelFilters[pick(7)], QoS: uint8(pick(3)), NoLocal: pick(4) == 0, ID: uint32(pick(3)), RetainHandling: uint8(pick(3))}
		if c.client.Expiry > 0 || !strings.HasPrefix(s.Filter, "$share/") {
			m.subscribe(c, s)
		}
	case 6:
		m.unsubscribe(c, modelFilters[pick(7)])
	case 7, 8, 9:
		m.publish(c, modelTopics[pick(5)], uint8(pick(3)), pick(4) == 0)
	case 10, 11:
		m.take(c, pick(5), 1+pick(6), pick(7))
	case 12, 13:
		m.settle(c, pick(64), core.Outcome(pick(4)))
	case 14:
		m.tag(c, 1+pick(64))
	case 15:
		if pick(4) == 0 && !m.options.Forget {
			m.restart()
		}
	}
}

// modelSteps draws what a run does. rapid prefers small numbers and few of them:
// so the bits of a step are drawn four at a time, or two of three would have no
// later choices, and some runs are long.
func modelSteps(t *rapid.T, most int) []uint32 {
	step := rapid.Custom(func(t *rapid.T) (op uint32) {
		for i := range 8 {
			op |= uint32(rapid.Uint8Range(0, 15).Draw(t, "bits")) << (4 * i)
		}
		return op
	})
	least := rapid.SampledFrom([]int{1, most / 6, most * 2 / 3}).Draw(t, "least")
	return rapid.SliceOfN(step, least, most).Draw(t, "ops")
}

func TestRouterBehavesAsItsModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ops := modelSteps(rt, 300)
		options := core.Options{}
		if window := rapid.SampledFrom([]int{0, 1, 2, 5}).Draw(rt, "window"); window > 0 {
			options = core.SmallPages(options, window)
		}
		options.Forget = rapid.SampledFrom([]bool{false, false, true}).Draw(rt, "forget")
		failed := ""
		synctest.Test(t, func(t *testing.T) {
			w := &world{t: t, store: newMapStore()}
			w.open(options)
			defer func() {
				w.end()
				w.router.Close()
			}()
			m := newModel(w)
			m.options = options
			for i, op := range ops {
				if m.step(op); m.err != "" {
					failed = fmt.Sprintf("step %d (kind %d): %s", i, op%16, m.err)
					return
				}
			}
			m.drain()
			if failed = m.err; options.Forget && w.store.writes > 0 {
				failed = "something was written"
			}
		})
		if failed != "" {
			rt.Fatal(failed)
		}
	})
}
