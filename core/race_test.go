package core_test

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// worker is a connection with a goroutine of its own that stands for a loop.
type worker struct {
	s      *core.Session
	turn   *core.Turn
	ready  chan struct{}
	evict  atomic.Uint32
	closed chan struct{}
}

func (x *worker) Ready(*core.Turn) {
	select {
	case x.ready <- struct{}{}:
	default:
	}
}

func (x *worker) Evict(r core.Reason) {
	x.evict.Store(uint32(r))
	x.Ready(nil)
}

func newWorker(t *testing.T, r *core.Router, c core.Client) *worker {
	x := &worker{turn: r.NewTurn(nil), ready: make(chan struct{}, 1), closed: make(chan struct{})}
	s, reason := r.Attach(x.turn, c, x)
	if reason != core.OK {
		t.Error(reason)
	}
	x.turn.End()
	x.s = s
	return x
}

func (x *worker) attached() bool {
	for {
		if ok, _ := x.s.State(); ok {
			return true
		}
		if core.Reason(x.evict.Load()) != core.OK {
			return false
		}
		<-x.ready
	}
}

func (x *worker) detach() {
	x.turn.Begin()
	x.s.Detach(x.turn, core.TakenOver)
	x.turn.End()
	close(x.closed)
}

// seen checks what one subscriber gets: every message of every publisher,
// none twice unless marked, the first copies in order.
type seen struct {
	t    *testing.T
	mu   sync.Mutex
	next map[byte]uint32
	got  map[byte]map[uint32]bool
	done atomic.Int64
}

func newSeen(t *testing.T) *seen {
	return &seen{t: t, next: map[byte]uint32{}, got: map[byte]map[uint32]bool{}}
}

func (v *seen) add(d *core.Delivery) {
	v.mu.Lock()
	defer v.mu.Unlock()
	who, n := d.Message.Payload[0], binary.BigEndian.Uint32(d.Message.Payload[1:])
	if v.got[who] == nil {
		v.got[who] = map[uint32]bool{}
	}
	if v.got[who][n] {
		if !d.Redelivered() {
			v.t.Errorf("publisher %d: %d twice without mark", who, n)
		}
		return
	}
	v.got[who][n] = true
	v.done.Add(1)
	if n != v.next[who] {
		v.t.Errorf("publisher %d: %d where %d was next", who, n, v.next[who])
	}
	v.next[who] = n + 1
}

// consume serves one attachment until it is evicted or everything has come.
// Some deliveries are left unsettled, so that a takeover has to repeat them.
func (x *worker) consume(v *seen, want int64) {
	defer x.detach()
	if !x.attached() {
		return
	}
	var open []core.Delivery
	for core.Reason(x.evict.Load()) == core.OK && (v.done.Load() < want || len(open) > 0) {
		x.turn.Begin()
		for x.s.NextReady() != nil { // the inbox is its only consumer
		}
		got := x.s.Inbox().Take(x.turn, make([]core.Delivery, 0, 64), 64-len(open))
		for i := range got {
			v.add(&got[i])
		}
		open = append(open, got...)
		n := rand.IntN(len(open) + 1)
		if v.done.Load() >= want {
			n = len(open)
		}
		for _, d := range open[:n] {
			d.Consumer.Settle(x.turn, d.Seq, core.Accepted)
		}
		open = open[n:]
		x.turn.End()
		if len(got) == 0 && len(open) == 0 && v.done.Load() < want {
			<-x.ready
		}
	}
}

func TestTakeoversUnderLoadLoseDoubleAndReorderNothing(t *testing.T) {
	t.Parallel()
	const publishers, each = 3, 3000
	r, err := core.New(core.Options{Store: newMapStore()})
	if err != nil {
		t.Fatal(err)
	}
	first := newWorker(t, r, durable("s"))
	first.attached()
	first.s.Subscribe(first.turn, []core.Subscription{{Filter: "x/+", QoS: 1}}, nil)
	first.turn.End()

	v := newSeen(t)
	var consumers, pubs sync.WaitGroup
	consumers.Go(func() { first.consume(v, publishers*each) })
	consumers.Go(func() {
		last := first
		for v.done.Load() < publishers*each {
			x := newWorker(t, r, durable("s")) // takes over from last
			consumers.Go(func() { x.consume(v, publishers*each) })
			<-last.closed
			last = x
		}
	})
	for who := range publishers {
		pubs.Go(func() {
			p := newWorker(t, r, core.Client{})
			topic := []byte{'x', '/', byte('a' + who)}
			for i := range each {
				p.turn.Begin()
				mt, _ := p.s.Route(p.turn, topic)
				m := core.NewMessage(binary.BigEndian.AppendUint32([]byte{byte(who)}, uint32(i)))
				m.Topic, m.QoS = mt.Topic(), 1
				if _, _, reason := p.s.Publish(p.turn, mt, m); reason != core.OK {
					t.Error(reason)
				}
				p.turn.End()
			}
			for p.s.Safe() < each {
				<-p.ready
			}
			p.detach()
		})
	}
	pubs.Wait()
	consumers.Wait()
	if n := v.done.Load(); n != publishers*each {
		t.Errorf("%d of %d arrived", n, publishers*each)
	}
	if n := r.Stats().Takeovers; n < 10 {
		t.Errorf("only %d takeovers", n)
	}
	r.Close()
}

// Connections of one client identifier come and die on loops of their own, at
// any moment of a takeover; in the end one more gets the session.
func TestConnectionsThatDieDuringTakeoversLeaveTheSessionFree(t *testing.T) {
	t.Parallel()
	r, err := core.New(core.Options{Store: newMapStore()})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 300 {
				c := durable("s")
				c.Clean = i%3 == 0
				x := newWorker(t, r, c)
				if i%2 == 0 {
					x.attached()
				}
				x.detach()
			}
		})
	}
	all.Wait()
	if last := newWorker(t, r, durable("s")); !last.attached() {
		t.Error("nobody gets the session any more")
	}
	r.Close()
}
