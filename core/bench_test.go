package core_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

type deafSink struct{}

func (deafSink) Ready(*core.Turn)  {}
func (deafSink) Evict(core.Reason) {}

// bench is a router with a publisher and n subscribers of one topic.
type bench struct {
	router *core.Router
	turn   *core.Turn
	pub    *core.Session
	subs   []*core.Session
	buf    []core.Delivery
}

func newBench(b *testing.B, o core.Options, n int, filter string) *bench {
	if o.Store == nil {
		o.Store = newMapStore()
	}
	r, err := core.New(o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.Close)
	x := &bench{router: r, turn: r.NewTurn(nil), buf: make([]core.Delivery, 0, 64)}
	x.pub, _ = r.Attach(x.turn, core.Client{}, deafSink{})
	for range n {
		s, _ := r.Attach(x.turn, core.Client{}, deafSink{})
		s.Subscribe(x.turn, []core.Subscription{{Filter: filter, QoS: 2}}, nil)
		x.subs = append(x.subs, s)
	}
	b.ReportAllocs()
	return x
}

func (x *bench) publish(topic []byte, qos uint8, payload []byte) {
	mt, _ := x.pub.Route(x.turn, topic)
	if !mt.Any() {
		return
	}
	m := core.NewMessage(payload)
	m.Topic, m.QoS = mt.Topic(), qos
	x.pub.Publish(x.turn, mt, m)
}

func (x *bench) drain() {
	for _, s := range x.subs {
		for c := s.NextReady(); c != nil; c = s.NextReady() {
			for {
				x.buf = c.Take(x.turn, x.buf[:0], 64)
				for i := range x.buf {
					if x.buf[i].QoS > 0 {
						c.Settle(x.turn, x.buf[i].Seq, core.Accepted)
					}
				}
				if len(x.buf) < 64 {
					break
				}
			}
		}
	}
}

var (
	payload64 = make([]byte, 64)
	benchName = []byte("sensors/room1/temperature")
)

// BenchmarkMessage is a message's way through core: route, build, push, take
// and, with QoS 1, settle; 64 a turn as in a busy loop.
func BenchmarkMessage(b *testing.B) {
	for _, qos := range []uint8{0, 1} {
		b.Run(fmt.Sprint("qos=", qos), func(b *testing.B) {
			x := newBench(b, core.Options{}, 1, "sensors/+/temperature")
			n := 0
			for b.Loop() {
				x.publish(benchName, qos, payload64)
				if n++; n%64 == 0 {
					x.drain()
				}
			}
		})
	}
}

// BenchmarkFanOut is one message to 500 receivers, per delivery.
func BenchmarkFanOut(b *testing.B) {
	x := newBench(b, core.Options{}, 500, "sensors/#")
	for b.Loop() {
		x.publish(benchName, 0, payload64)
		x.drain()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/delivery")
}

// BenchmarkGroup is a message through a queue that 100 members share.
func BenchmarkGroup(b *testing.B) {
	x := newBench(b, core.Options{}, 100, "$share/g/sensors/#")
	n := 0
	for b.Loop() {
		x.publish(benchName, 1, payload64)
		if n++; n%64 == 0 {
			x.drain()
		}
	}
}

type allowAll struct{}

func (allowAll) Authorize(*core.Principal, core.Action, string) bool { return true }

// freely allows all, and says so.
type freely struct{ allowAll }

func (freely) Free(*core.Principal, string) bool { return true }

// BenchmarkAuthorized has an authorizer that decides about each topic, and one
// that knows that all of a subscription may be read; of one topic, and of 32 in
// turn.
func BenchmarkAuthorized(b *testing.B) {
	for name, a := range map[string]core.Authorizer{"none": nil, "by topic": allowAll{}, "by mark": freely{}} {
		for _, topics := range []int{1, 32} {
			b.Run(fmt.Sprintf("%s/topics=%d", name, topics), func(b *testing.B) {
				x := newBench(b, core.Options{Authorizer: a}, 1, "sensors/+/temperature")
				names := make([][]byte, topics)
				for i := range names {
					names[i] = fmt.Appendf(nil, "sensors/%d/temperature", i)
				}
				n := 0
				for b.Loop() {
					x.publish(names[n%topics], 0, payload64)
					if n++; n%64 == 0 {
						x.drain()
					}
				}
			})
		}
	}
}

// BenchmarkNobody is a message that nobody matches.
func BenchmarkNobody(b *testing.B) {
	x := newBench(b, core.Options{}, 1, "other")
	for b.Loop() {
		x.publish(benchName, 0, payload64)
	}
}

// BenchmarkAttach opens and ends a session that does not last.
func BenchmarkAttach(b *testing.B) {
	r := benchRouter(b)
	t := r.NewTurn(nil)
	b.ReportAllocs()
	for b.Loop() {
		s, _ := r.Attach(t, core.Client{ID: "a"}, deafSink{})
		s.Detach(t, core.Normal)
	}
}

func benchRouter(b *testing.B) *core.Router {
	r, err := core.New(core.Options{Store: newMapStore()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.Close)
	return r
}

// BenchmarkDelayed enters 100,000 messages of 64 bytes that are all due at
// once, and drains them into a subscriber: what one costs, and how long both
// take.
func BenchmarkDelayed(b *testing.B) {
	const n = 100_000
	payload := make([]byte, 64)
	for b.Loop() {
		x := newBench(b, core.Options{Store: voidStore{newMapStore()}}, 1, "site/#")
		memory := heap()
		const until = 3 * time.Second
		start := time.Now()
		for i := range n {
			m := core.NewMessage(payload)
			m.Topic, m.QoS = "site/4711/temperature", 1
			if _, _, reason := x.pub.PublishLater(x.turn, m, until-time.Since(start), n); reason != core.OK {
				b.Fatal(reason)
			}
			if i%64 == 63 {
				x.turn.End()
			}
		}
		entered := time.Since(start)
		for !x.safe() {
			runtime.Gosched()
		}
		each := heap() - memory
		if time.Since(start) > until {
			b.Fatal("they were due before all were there")
		}
		time.Sleep(time.Until(start.Add(until)))
		start = time.Now()
		for got := 0; got < n; {
			x.turn.Begin()
			c := x.subs[0].Inbox()
			x.buf = c.Take(x.turn, x.buf[:0], 64)
			got += len(x.buf)
			for i := range x.buf {
				c.Settle(x.turn, x.buf[i].Seq, core.Accepted)
			}
			x.turn.End()
		}
		b.ReportMetric(n/entered.Seconds(), "entries/s")
		b.ReportMetric(n/time.Since(start).Seconds(), "drained/s")
		b.ReportMetric(float64(each)/n, "B/message")
	}
}

// voidStore keeps nothing, so that memory is core's own.
type voidStore struct{ *mapStore }

func (voidStore) Write([]*core.Batch, bool) error { return nil }

// heap is what is reachable, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// safe tells that everything the publisher submitted is stored.
func (x *bench) safe() bool {
	_, pending := x.pub.Forget(x.turn, 1)
	x.turn.End()
	return !pending
}

// BenchmarkSubscribe is a session that subscribes to 1,000 filters, 100 to a
// packet, half of them exact, beside 49 others: for each filter.
func BenchmarkSubscribe(b *testing.B) {
	r, err := core.New(core.Options{Store: newMapStore(), Forget: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(r.Close)
	t := r.NewTurn(nil)
	packets := make([][]core.Subscription, 500)
	for i := range packets {
		for j := range 100 {
			packets[i] = append(packets[i], core.Subscription{Filter: fmt.Sprintf("f/%02d/%04d/%s", i/10, i%10*100+j, []string{"t", "+"}[j%2])})
		}
	}
	var grants []core.Grant
	for n := 0; n < 490; n++ {
		s, _ := r.Attach(t, core.Client{}, deafSink{})
		grants, _, _ = s.Subscribe(t, packets[n], grants[:0])
	}
	b.ReportAllocs()
	for b.Loop() {
		s, _ := r.Attach(t, core.Client{}, deafSink{})
		for n := range 10 {
			grants, _, _ = s.Subscribe(t, packets[490+n], grants[:0])
		}
		b.StopTimer()
		s.Detach(t, core.Normal)
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/filter")
}

// BenchmarkRetain replaces the retained messages of 10,000 topics that nobody has
// subscribed to, one after the other.
func BenchmarkRetain(b *testing.B) {
	x := newBench(b, core.Options{Store: voidStore{newMapStore()}, Forget: true}, 0, "")
	var lent core.Lent
	var name []byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		name = fmt.Appendf(name[:0], "r/%03d/%05d", i/100%100, i%100)
		mt, _ := x.pub.Route(x.turn, name)
		m := lent.Lend(payload64)
		m.Topic, m.QoS, m.Retain = mt.Topic(), 1, true
		x.pub.Publish(x.turn, mt, m)
		x.turn.End()
	}
}

// BenchmarkWalk is a subscription to 20,000 of 200,000 retained messages, until
// all are taken: for each of them.
func BenchmarkWalk(b *testing.B) {
	const slices, each = 10, 20_000
	for _, qos := range []uint8{0, 1} {
		b.Run(fmt.Sprint("qos=", qos), func(b *testing.B) {
			x := newBench(b, core.Options{Store: voidStore{newMapStore()}, Forget: true}, 0, "")
			for i := range slices * each {
				mt, _ := x.pub.Route(x.turn, fmt.Appendf(nil, "r/%03d/%05d", i/each, i%each))
				m := core.NewMessage(payload64)
				m.Topic, m.QoS, m.Retain = mt.Topic(), 1, true
				x.pub.Publish(x.turn, mt, m)
			}
			x.turn.End()
			n := 0
			for b.Loop() {
				s, _ := x.router.Attach(x.turn, core.Client{}, deafSink{})
				s.Subscribe(x.turn, []core.Subscription{{Filter: fmt.Sprintf("r/%03d/#", n%slices), QoS: qos}}, nil)
				n++
				got := 0
				for c := s.NextReady(); got < each; {
					x.buf = c.Take(x.turn, x.buf[:0], 64)
					for i := range x.buf {
						if x.buf[i].QoS > 0 {
							c.Settle(x.turn, x.buf[i].Seq, core.Accepted)
						}
					}
					got += len(x.buf)
					x.turn.LetGo()
				}
				s.Detach(x.turn, core.Normal)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/each, "ns/message")
		})
	}
}
