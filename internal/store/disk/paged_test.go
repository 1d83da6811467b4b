package disk

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/entrepot/entrepot/core"
)

// crashWorld is a router that publishes to one session that is away and to one
// that is served meanwhile, both far beyond their windows.
type crashWorld struct {
	t      *testing.T
	store  *Store
	router *core.Router
	stop   atomic.Bool
	acked  atomic.Int64 // messages below are acknowledged
	want   int64
	enough chan struct{} // closed when so many are, or the publisher failed
}

func (w *crashWorld) open(fs vfs.FS) {
	o := quiet(w.t, fs)
	o.Memtable = 256 << 10 // so that tables are made and dropped on the way
	w.store = mustOpen(w.t, "data", o)
	r, err := core.New(core.Options{Store: w.store, Limits: core.Limits{WindowMessages: 8}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.router = r
}

func (w *crashWorld) client(id string) core.Client { return core.Client{ID: id, Expiry: time.Hour} }

// publish goes on until it is stopped, 100 messages at most on their way.
func (w *crashWorld) publish(from int) (next int) {
	enough := sync.OnceFunc(func() { close(w.enough) })
	defer enough()
	turn := w.router.NewTurn(nil)
	p := newParty()
	p.attach(w.t, w.router, turn, core.Client{})
	pending := map[uint64]int{}
	oldest := uint64(1)
	note := func() {
		for ; oldest <= p.Safe(); oldest++ {
			if i, ok := pending[oldest]; ok {
				if w.acked.Store(int64(i + 1)); int64(i+1) >= w.want {
					enough()
				}
				delete(pending, oldest)
			}
		}
	}
	for next = from; !w.stop.Load(); next++ {
		mt, _ := p.Route(turn, []byte("x"))
		m := core.NewMessage([]byte(strconv.Itoa(next)))
		m.Topic, m.QoS = mt.Topic(), 1
		seq, _, reason := p.Publish(turn, mt, m)
		if reason != core.OK {
			w.t.Errorf("publish: %v", reason)
			return next
		}
		pending[seq] = next
		if next%8 == 7 {
			turn.End()
			turn.Begin()
		}
		for note(); len(pending) > 100; note() {
			turn.End()
			turn.Begin()
			<-p.ready
		}
	}
	turn.End()
	return next
}

// consume takes and settles in order, and checks it, up to a number or until it
// is stopped.
func (w *crashWorld) consume(id string, next, until int) {
	turn := w.router.NewTurn(nil)
	s := newParty()
	s.attach(w.t, w.router, turn, w.client(id))
	defer func() {
		s.Detach(turn, core.ConnectionLost)
		turn.End()
	}()
	buf := make([]core.Delivery, 0, 16)
	for !w.stop.Load() && next < until {
		c := s.NextReady()
		if c == nil {
			turn.End()
			select {
			case <-s.ready:
			case <-time.After(10 * time.Millisecond): // to see that it was stopped
			}
			turn.Begin()
			continue
		}
		for again := true; again; again = len(buf) == cap(buf) {
			buf = c.Take(turn, buf[:0], 64)
			for i := range buf {
				got, _ := strconv.Atoi(string(buf[i].Message.Payload))
				if got != next {
					w.t.Errorf("%s: got %d, want %d", id, got, next)
					w.stop.Store(true)
					return
				}
				next++
				c.Settle(turn, buf[i].Seq, core.Accepted)
			}
			turn.End()
			turn.Begin()
		}
	}
}

// Everything that was acknowledged is in both queues after each power cut, in
// order and once; when both are drained, nothing is left of it.
func TestDESIGN_7_QueuesBeyondTheirWindowSurvivePowerCuts(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	fs := vfs.NewCrashableMem()
	w := &crashWorld{t: t}
	w.open(fs)
	turn := w.router.NewTurn(nil)
	for _, id := range []string{"away", "served"} {
		s := newParty()
		s.attach(t, w.router, turn, w.client(id))
		s.Subscribe(turn, []core.Subscription{{Filter: "x", QoS: 1}}, nil)
		s.Detach(turn, core.ConnectionLost)
		turn.End()
		turn.Begin()
	}
	next := 0
	for round := range 4 {
		w.stop.Store(false)
		w.want, w.enough = int64(next+300+rng.IntN(1500)), make(chan struct{})
		taken := next - w.waiting("served")
		var loops sync.WaitGroup
		loops.Go(func() { w.publish(next) })
		loops.Go(func() { w.consume("served", taken, 1<<40) })
		<-w.enough
		acked := int(w.acked.Load())
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(3) * 50, RNG: rng})
		w.stop.Store(true)
		loops.Wait()
		w.router.Close()
		_ = w.store.Close()
		if t.Failed() {
			return
		}
		fs = crashed
		w.open(fs)
		w.stop.Store(false)
		info := w.router.Stats()
		if info.Orphans > 0 {
			t.Fatalf("round %d: %d orphans", round, info.Orphans)
		}
		if next = w.waiting("away"); next < acked { // it has all that there have been
			t.Fatalf("round %d: %d messages are there, %d were acknowledged", round, next, acked)
		}
	}
	w.consume("away", 0, next)
	w.consume("served", next-w.waiting("served"), next)
	w.router.Close() // writes what was settled
	w.nothingLeft()
	if err := w.store.Close(); err != nil {
		t.Error(err)
	}
}

// waiting tells how many messages wait for a session.
func (w *crashWorld) waiting(id string) int {
	turn := w.router.NewTurn(nil)
	s := newParty()
	s.attach(w.t, w.router, turn, w.client(id))
	defer turn.End()
	defer s.Detach(turn, core.ConnectionLost)
	return s.Inbox().Waiting()
}

func (w *crashWorld) nothingLeft() {
	for _, kind := range []byte("qmp") {
		for rec, err := range w.store.Scan([]byte{kind}, []byte{kind + 1}) {
			if err != nil {
				w.t.Fatal(err)
			}
			w.t.Errorf("%q is left", rec.Key)
		}
	}
}
