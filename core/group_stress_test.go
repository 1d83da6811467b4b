package core_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// ledger is what became of every message of a group.
type ledger struct {
	t    *testing.T
	mu   sync.Mutex
	all  map[string]*account
	want int64
	done atomic.Int64
	over chan struct{}
	stop sync.Once
	last atomic.Bool // nothing more is published: whoever is here stays
}

type account struct {
	acked  bool
	holder string // QoS 2: the session that has it
}

func (l *ledger) delivered(who string, d *core.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := string(d.Message.Payload)
	a := l.all[key]
	if a == nil {
		a = &account{}
		l.all[key] = a
	}
	switch {
	case a.acked:
		l.t.Errorf("%s came to %s after it was acknowledged", key, who)
	case a.holder != "" && (d.QoS != 2 || a.holder != who || !d.Redelivered()):
		l.t.Errorf("%s came to %s, attempt %d, and was sent to %s before", key, who, d.Attempt, a.holder)
	}
	if d.QoS == 2 {
		a.holder = who
	}
}

// end is the acknowledgement, or the end of the one session that may have it.
func (l *ledger) end(d *core.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.all[string(d.Message.Payload)]
	if a.acked {
		return
	}
	if a.acked = true; l.done.Add(1) == l.want {
		l.stop.Do(func() { close(l.over) })
	}
}

func (l *ledger) isOver() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

// member is one client of the group, whose connections come and go.
type member struct {
	l      *ledger
	r      *core.Router
	rnd    *rand.Rand
	client core.Client
	qos    uint8

	x     *worker
	ready map[*core.Consumer]bool
	open  []core.Delivery
}

func (m *member) run() {
	for !m.l.isOver() {
		m.x = newWorker(m.l.t, m.r, m.client)
		m.ready, m.open = map[*core.Consumer]bool{}, nil
		if m.x.attached() {
			m.connection()
		}
		if m.client.Expiry == 0 {
			for i := range m.open {
				if m.open[i].QoS == 2 { // [MQTT-4.8.2-5]
					m.l.end(&m.open[i])
				}
			}
		}
		m.x.detach()
	}
}

func (m *member) connection() {
	filters := []string{"$share/g/x/+", "$queue/jobs"}
	for _, f := range filters {
		m.x.s.Subscribe(m.x.turn, []core.Subscription{{Filter: f, QoS: m.qos}}, nil)
	}
	m.x.turn.End()
	rounds := 1 + m.rnd.IntN(60)
	for n := 0; core.Reason(m.x.evict.Load()) == core.OK; n++ {
		if n > rounds && !m.l.last.Load() {
			return
		}
		m.x.turn.Begin()
		if m.client.Expiry == 0 && m.rnd.IntN(50) == 0 { // what it holds is still its own to settle
			f := filters[m.rnd.IntN(2)]
			m.x.s.Unsubscribe(m.x.turn, []string{f}, nil)
			m.x.s.Subscribe(m.x.turn, []core.Subscription{{Filter: f, QoS: m.qos}}, nil)
		}
		if m.rnd.IntN(20) == 0 { // nor does another QoS change whose that is
			f := filters[m.rnd.IntN(2)]
			m.x.s.Subscribe(m.x.turn, []core.Subscription{{Filter: f, QoS: 1 + uint8(m.rnd.IntN(int(m.qos)))}}, nil)
		}
		took := m.take()
		settled := m.settle()
		m.x.turn.End()
		if took+settled > 0 || len(m.open) > 0 {
			continue
		}
		select {
		case <-m.x.ready:
		case <-m.l.over:
			return
		}
	}
}

func (m *member) take() (n int) {
	for c := m.x.s.NextReady(); c != nil; c = m.x.s.NextReady() {
		m.ready[c] = true
	}
	for c := range m.ready {
		window := 8 - len(m.open)
		got := c.Take(m.x.turn, make([]core.Delivery, 0, 1+m.rnd.IntN(8)), window)
		for i := range got {
			m.l.delivered(m.client.ID, &got[i])
		}
		m.open = append(m.open, got...)
		if n += len(got); len(got) < cap(got) && len(got) < window {
			delete(m.ready, c)
		}
	}
	return n
}

// settle acknowledges some of what is open, in any order, at its leisure.
func (m *member) settle() (n int) {
	for i := 0; i < len(m.open); i++ {
		d := &m.open[i]
		if m.rnd.IntN(3) > 0 {
			continue
		}
		n++
		if d.QoS == 2 && !d.Received {
			d.Consumer.Settle(m.x.turn, d.Seq, core.Received)
			d.Received = true
			continue
		}
		m.l.end(d)
		d.Consumer.Settle(m.x.turn, d.Seq, core.Accepted)
		m.open = append(m.open[:i], m.open[i+1:]...)
		i--
	}
	return n
}

func TestMQTT_MG2_EveryMessageOfAGroupIsAcknowledgedByOneMember(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		for qos := uint8(1); qos <= 2; qos++ {
			t.Run(fmt.Sprintf("QoS %d, seed %d", qos, seed), func(t *testing.T) { groupUnderLoad(t, qos, seed) })
		}
	}
}

func groupUnderLoad(t *testing.T, qos uint8, seed uint64) {
	const publishers, each = 3, 400
	options := core.Options{Store: newMapStore()}
	if seed%2 == 1 { // most of what waits does so in the store
		options = core.SmallPages(options, 5)
	}
	r, err := core.New(options)
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{t: t, all: map[string]*account{}, want: publishers * each, over: make(chan struct{})}
	anchor := newWorker(t, r, durable("anchor")) // away: so the group does not end with its last other member
	anchor.attached()
	anchor.s.Subscribe(anchor.turn, []core.Subscription{{Filter: "$share/g/x/+", QoS: 2}, {Filter: "$queue/jobs", QoS: 2}}, nil)
	anchor.turn.End()
	anchor.detach()
	var members, pubs sync.WaitGroup
	for i := range 6 {
		m := &member{l: l, r: r, qos: qos, client: durable(fmt.Sprint("m", i/2)), rnd: rand.New(rand.NewPCG(seed, uint64(i)))} // two and two take over from each other
		if i >= 4 {
			m.client = core.Client{ID: fmt.Sprint("t", i)}
		}
		members.Go(m.run)
	}
	for p := range publishers {
		pubs.Go(func() {
			x := newWorker(t, r, core.Client{})
			for i := range each {
				x.turn.Begin()
				topic := []string{"x/1", "x/2", "jobs"}[i%3]
				mt, _ := x.s.Route(x.turn, []byte(topic))
				msg := core.NewMessage(fmt.Appendf(nil, "%d/%d", p, i))
				msg.Topic, msg.QoS = mt.Topic(), qos
				x.s.Publish(x.turn, mt, msg)
				x.turn.End()
			}
			x.detach()
		})
	}
	pubs.Wait()
	l.last.Store(true)
	select {
	case <-l.over:
	case <-time.After(60 * time.Second):
		t.Errorf("%d of %d were acknowledged; %+v", l.done.Load(), l.want, r.Stats().Namespaces)
		l.stop.Do(func() { close(l.over) })
	}
	members.Wait()
	r.Close()
}
