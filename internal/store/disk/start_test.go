package disk

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// A filling is what a store holds that a router is started with, and what the
// start may take at most.
type filling struct {
	name string
	n    int // in the ordinary run
	big  int // with ENTREPOT_BIG=1
	fill func(w *bigWorld, n int)

	allocs, heap int           // for each: allocations of the start, bytes that stay
	cpu          time.Duration // of the big one
}

var fillings = []filling{
	{"sessions", 10_000, 1_000_000, (*bigWorld).sessions, 8, 800, 6 * time.Second},
	{"sessions, a message for each", 10_000, 1_000_000, func(w *bigWorld, n int) {
		w.sessions(n)
		w.publishAll(n, func(i int) string { return fmt.Sprint("device/", i) }, nil)
	}, 12, 1000, 9 * time.Second},
	{"retained messages", 10_000, 1_000_000, (*bigWorld).retained, 4, 300, 3 * time.Second},
	{"messages of one session", 100_000, 10_000_000, (*bigWorld).queue, 0, 0, time.Second},
	{"all of it", 1000, 1_000_000, func(w *bigWorld, n int) {
		w.sessions(n)
		w.retained(n)
		w.queue(10 * n)
	}, 12, 1100, 10 * time.Second},
}

func (w *bigWorld) retained(n int) {
	w.publishAll(n, func(i int) string { return fmt.Sprint("device/", i, "/state") }, func(m *core.Message) { m.Retain = true })
}

// queue fills the queue of a session that is away.
func (w *bigWorld) queue(n int) {
	away := newParty()
	away.attach(w.t, w.router, w.turn, core.Client{ID: "away", Expiry: time.Hour})
	away.Subscribe(w.turn, []core.Subscription{{Filter: "site/#", QoS: 1}}, nil)
	w.turn.End()
	w.turn.Begin()
	away.Detach(w.turn, core.ConnectionLost)
	w.publishAll(n, func(int) string { return "site/4711/temperature" }, nil)
}

// A start takes so many allocations for each thing that the store holds, and
// leaves so much in memory: of a long queue neither. With ENTREPOT_BIG=1 it is
// measured with a million of each, in a process of its own.
func TestAStartTakesLittleForEachThing(t *testing.T) {
	if dir := os.Getenv("ENTREPOT_START"); dir != "" {
		startBig(t, dir)
		return
	}
	for _, f := range fillings {
		t.Run(f.name, func(t *testing.T) {
			n, dir, asked := big(t, f.big)
			if !asked {
				n, dir = f.n, t.TempDir()
			}
			w := &bigWorld{t: t, dir: dir}
			w.open(10 * n)
			f.fill(w, n)
			w.close()
			if asked {
				f.startElsewhere(t, dir)
				return
			}
			got := measureStart(w, n, (*bigWorld).rest)
			for range 3 { // what else the process does counts too, once
				w.close()
				again := measureStart(w, n, (*bigWorld).rest)
				got.allocs, got.heap = min(got.allocs, again.allocs), min(got.heap, again.heap)
			}
			w.close()
			t.Logf("%d: %v", n, got)
			if most := n*f.allocs + n/4 + 2000 + checked*n; got.allocs > most {
				t.Errorf("%d allocations, want %d at most", got.allocs, most)
			}
			if most := n*f.heap + 1<<20; got.heap > most {
				t.Errorf("%d bytes stay, want %d at most", got.heap, most)
			}
		})
	}
}

// started is what a start took.
type started struct {
	opened, wall, cpu time.Duration
	allocs            int // of the router
	heap              int // bytes that stay
}

func (s started) String() string {
	return fmt.Sprintf("ready after %v (the store after %v), %v of CPU, %d allocations, %.1f MiB stay", s.wall.Round(time.Millisecond), s.opened.Round(time.Millisecond), s.cpu.Round(time.Millisecond), s.allocs, float64(s.heap)/(1<<20))
}

// rest waits until the store does nothing of its own: what it allocates for
// that is not the router's.
func (w *bigWorld) rest() {
	w.t.Helper()
	tick, end := time.NewTicker(time.Millisecond), time.Now().Add(30*time.Second)
	defer tick.Stop()
	for ; ; <-tick.C {
		m := w.store.db.Metrics()
		busy := m.Compact.NumInProgress + m.Flush.NumInProgress + m.Table.PendingStatsCollectionCount
		switch {
		case busy == 0 && m.Table.InitialStatsCollectionComplete:
			return
		case time.Now().After(end):
			w.t.Fatalf("the store does not come to rest:\n%v", m)
		}
	}
}

// measureStart opens the store and, after what is to come before, makes a
// router of it.
func measureStart(w *bigWorld, n int, first func(*bigWorld)) (s started) {
	w.t.Helper()
	var before, opened, after, left runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	wall, cpu := time.Now(), processCPU()
	w.store = mustOpen(w.t, w.dir, quiet(w.t, nil))
	s.opened = time.Since(wall)
	first(w)
	runtime.ReadMemStats(&opened)
	w.start(10 * n)
	s.wall, s.cpu = time.Since(wall), processCPU()-cpu
	runtime.ReadMemStats(&after)
	s.allocs = int(after.Mallocs - opened.Mallocs)
	runtime.GC()
	runtime.GC() // what was freed at the end of the first
	runtime.ReadMemStats(&left)
	s.heap = int(left.HeapAlloc) - int(before.HeapAlloc)
	return s
}

func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// startElsewhere measures the start in a process that has not filled the store.
func (f filling) startElsewhere(t *testing.T, dir string) {
	cmd := exec.Command(os.Args[0], "-test.run=^"+strings.Split(t.Name(), "/")[0]+"$", "-test.v")
	cmd.Env = append(os.Environ(), "ENTREPOT_START="+dir)
	out, err := cmd.CombinedOutput()
	t.Logf("%s: %d MiB on disk\n%s", f.name, onDisk(dir), out)
	if err != nil {
		t.Fatal(err)
	}
	var took time.Duration
	if _, after, found := strings.Cut(string(out), "ready: "); found {
		took, err = time.ParseDuration(strings.Fields(after)[0])
	}
	if err != nil || took == 0 || took > f.cpu {
		t.Errorf("%v of CPU, want %v at most; %v", took, f.cpu, err)
	}
}

// startBig starts with what is in dir, with the collector as a gateway has it.
func startBig(t *testing.T, dir string) {
	debug.SetGCPercent(400)
	w := &bigWorld{t: t, dir: filepath.Clean(dir)}
	got := measureStart(w, 2_000_000, func(*bigWorld) {})
	now, most := memory()
	t.Logf("ready: %v of CPU", got.cpu)
	t.Logf("%v; %d MiB of the process, at most %d", got, now, most)
	w.close()
}
