package disk

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// These measure what is too much for every run: ENTREPOT_BIG=1 runs them, and
// ENTREPOT_BIG_N says how many; ENTREPOT_BIG_DIR where, if not in a temporary
// folder.

func big(t *testing.T, standard int) (n int, dir string, asked bool) {
	t.Helper()
	if os.Getenv("ENTREPOT_BIG") == "" {
		return 0, "", false
	}
	n = standard
	if v := os.Getenv("ENTREPOT_BIG_N"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp(os.Getenv("ENTREPOT_BIG_DIR"), "entrepot-big")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return n, dir, true
}

// party is a connection that is driven by hand.
type party struct {
	*core.Session
	ready chan struct{}
	told  atomic.Int64
}

func newParty() *party { return &party{ready: make(chan struct{}, 1)} }

func (p *party) Ready(*core.Turn) {
	p.told.Add(1)
	select {
	case p.ready <- struct{}{}:
	default:
	}
}

func (p *party) Evict(core.Reason) {}

func (p *party) attach(t testing.TB, r *core.Router, turn *core.Turn, c core.Client) {
	t.Helper()
	s, reason := r.Attach(turn, c, p)
	if reason != core.OK {
		t.Fatalf("attach: %v", reason)
	}
	p.Session = s
	p.attached(t, turn)
}

// attached waits until the attachment is complete.
func (p *party) attached(t testing.TB, turn *core.Turn) {
	t.Helper()
	turn.End()
	for {
		if ok, failed := p.State(); ok {
			break
		} else if failed != core.OK {
			t.Fatalf("attach: %v", failed)
		}
		<-p.ready
	}
	turn.Begin()
}

// memory is what the process holds now, and held at most, in MiB.
func memory() (now, most int) {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		var kb int
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			now = kb >> 10
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			most = kb >> 10
		}
	}
	return now, most
}

func onDisk(dir string) (mib int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if i, err := d.Info(); err == nil {
				mib += i.Size()
			}
		}
		return nil
	})
	return mib >> 20
}

type bigWorld struct {
	t      *testing.T
	dir    string
	store  *Store
	router *core.Router
	turn   *core.Turn
}

func (w *bigWorld) open(n int) {
	w.t.Helper()
	start := time.Now()
	w.store = mustOpen(w.t, w.dir, quiet(w.t, nil))
	opened := time.Since(start)
	w.start(n)
	ready := time.Since(start)
	now, most := memory()
	w.t.Logf("ready after %v (the store after %v), memory %d MiB, at most %d", ready.Round(time.Millisecond), opened.Round(time.Millisecond), now, most)
}

// start makes a router of what is in the store.
func (w *bigWorld) start(n int) {
	w.t.Helper()
	r, err := core.New(core.Options{Store: w.store, Limits: core.Limits{QueueMessages: 2 * n, QueueBytes: 1 << 40, Sessions: 2 * n, Retained: 2 * n, RetainedBytes: 1 << 40, PrincipalSessions: 2 * n, PrincipalRetained: 2 * n}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.router, w.turn = r, r.NewTurn(nil)
}

func (w *bigWorld) close() {
	w.turn.End()
	w.router.Close()
	w.router, w.turn = nil, nil
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	debug.FreeOSMemory()
}

// publish sends n messages, 4096 at most on their way.
func (w *bigWorld) publish(p *party, n int, name func(i int) string, set func(m *core.Message)) {
	payload := make([]byte, 64)
	var last uint64
	for i := range n {
		mt, reason := p.Route(w.turn, []byte(name(i)))
		if reason != core.OK {
			w.t.Fatal(reason)
		}
		binary.BigEndian.PutUint64(payload, uint64(i))
		m := core.NewMessage(payload)
		m.Topic, m.QoS = mt.Topic(), 1
		if set != nil {
			set(m)
		}
		seq, _, reason := p.Publish(w.turn, mt, m)
		if reason != core.OK && reason != core.NoReceiver {
			w.t.Fatal(reason)
		}
		if last = seq; i%64 == 63 {
			w.turn.End()
			w.turn.Begin()
		}
		for last > p.Safe()+4096 {
			<-p.ready
		}
	}
	w.turn.End()
	w.turn.Begin()
	for p.Safe() < last {
		<-p.ready
	}
}

// sessions makes n sessions with a subscription each, which are away then.
func (w *bigWorld) sessions(n int) {
	const together = 1000
	for from := 0; from < n; from += together {
		all := make([]*party, min(together, n-from))
		for i := range all {
			all[i] = newParty()
			all[i].Session, _ = w.router.Attach(w.turn, core.Client{ID: fmt.Sprint("session-", from+i), Expiry: time.Hour}, all[i])
		}
		for i, s := range all {
			s.attached(w.t, w.turn)
			s.Subscribe(w.turn, []core.Subscription{{Filter: fmt.Sprint("device/", from+i), QoS: 1}}, nil)
			s.Detach(w.turn, core.ConnectionLost)
		}
	}
}

func (w *bigWorld) publishAll(n int, name func(i int) string, set func(m *core.Message)) {
	p := newParty()
	p.attach(w.t, w.router, w.turn, core.Client{})
	w.publish(p, n, name, set)
	p.Detach(w.turn, core.Normal)
}

// TestBigQueue fills a session that is away, starts anew, and drains it.
func TestBigQueue(t *testing.T) {
	n, dir, asked := big(t, 1_000_000)
	if !asked {
		return
	}
	debug.SetGCPercent(100)
	w := &bigWorld{t: t, dir: dir}
	w.open(n)
	away, p := newParty(), newParty()
	client := core.Client{ID: "away", Expiry: time.Hour}
	away.attach(t, w.router, w.turn, client)
	away.Subscribe(w.turn, []core.Subscription{{Filter: "site/#", QoS: 1}}, nil)
	w.turn.End()
	w.turn.Begin()
	away.Detach(w.turn, core.ConnectionLost)
	p.attach(t, w.router, w.turn, core.Client{})
	start := time.Now()
	w.publish(p, n, func(int) string { return "site/4711/temperature" }, nil)
	took := time.Since(start)
	now, most := memory()
	t.Logf("filled %d: %.0f/s, memory %d MiB, at most %d, disk %d MiB", n, float64(n)/took.Seconds(), now, most, onDisk(dir))
	if most > 200 && n <= 10_000_000 {
		t.Errorf("%d MiB of memory", most)
	}
	p.Detach(w.turn, core.Normal)
	w.close()

	w.open(n)
	away = newParty()
	away.attach(t, w.router, w.turn, client)
	start = time.Now()
	buf := make([]core.Delivery, 0, 64)
	for next := 0; next < n; {
		c := away.NextReady()
		if c == nil {
			w.turn.End()
			<-away.ready
			w.turn.Begin()
			continue
		}
		for {
			buf = c.Take(w.turn, buf[:0], 64)
			for i := range buf {
				if got := int(binary.BigEndian.Uint64(buf[i].Message.Payload)); got != next {
					t.Fatalf("got %d, want %d", got, next)
				}
				next++
				c.Settle(w.turn, buf[i].Seq, core.Accepted)
			}
			w.turn.End()
			w.turn.Begin()
			if len(buf) < 64 {
				break
			}
		}
	}
	took = time.Since(start)
	now, most = memory()
	t.Logf("drained: %.0f/s, memory %d MiB, at most %d, disk %d MiB", float64(n)/took.Seconds(), now, most, onDisk(dir))
	away.Detach(w.turn, core.ConnectionLost)
	w.close()
	t.Logf("closed: disk %d MiB", onDisk(dir))
	w.open(n)
	w.close()
	t.Logf("opened and closed again: disk %d MiB", onDisk(dir))
}

// TestBigSessions starts with many sessions that are away, each with a
// subscription and a message that waits.
func TestBigSessions(t *testing.T) {
	n, dir, asked := big(t, 1_000_000)
	if !asked {
		return
	}
	w := &bigWorld{t: t, dir: dir}
	w.open(n)
	w.sessions(n)
	now, most := memory()
	t.Logf("made: memory %d MiB, at most %d", now, most)
	w.publishAll(n, func(i int) string { return fmt.Sprint("device/", i) }, nil)
	w.close()
	w.open(n)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	each := int(m.HeapAlloc) / n
	t.Logf("%d bytes each", each)
	if each > 1100 && n >= 100_000 {
		t.Errorf("%d bytes for each session that is away", each)
	}
	w.close()
}

// TestBigRetained starts with many retained messages.
func TestBigRetained(t *testing.T) {
	n, dir, asked := big(t, 1_000_000)
	if !asked {
		return
	}
	w := &bigWorld{t: t, dir: dir}
	w.open(n)
	w.publishAll(n, func(i int) string { return fmt.Sprint("device/", i, "/state") }, func(m *core.Message) { m.Retain = true })
	w.close()
	w.open(n)
	w.close()
}
