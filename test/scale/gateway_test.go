package scale

import (
	"context"
	"log/slog"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/gateway"
)

// patience bounds each wait for something that must come.
const patience = 60 * time.Second

// factor is how much longer than usual the storms are.
func factor(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SCALE")
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("SCALE=%s is no number", text)
	}
	return n
}

// target is a gateway of this process, which can be started again on the same store.
type target struct {
	*testing.T
	addr string
	data string
	set  []string
	quit func()
}

// start runs a gateway as `entrepot serve` does, with a store on disk. When the test ends, no goroutine may be left of it.
func start(t *testing.T, set ...string) *target {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		if err := goleak.Find(before); err != nil {
			t.Error(err)
		}
	})
	g := &target{T: t, data: t.TempDir(), set: set}
	t.Cleanup(func() { g.quit() })
	g.open()
	return g
}

func (g *target) open() {
	g.Helper()
	in := config.Input{Listen: []string{"mqtt://127.0.0.1:0"}, Sections: gateway.Sections(), Protocols: gateway.Protocols(),
		Set: append([]string{"node.data=" + g.data, "limits.overload.cpu=false"}, g.set...)}
	c, err := config.Load(in)
	if err != nil {
		g.Fatal(err)
	}
	gw, err := gateway.Open(gateway.Options{Config: c, Sections: in.Sections, Version: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		g.Fatal(err)
	}
	u, err := url.Parse(gw.Listening()[0].URL)
	if err != nil {
		g.Fatal(err)
	}
	g.addr = u.Host
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- gw.Run(ctx) }()
	g.quit = sync.OnceFunc(func() {
		stop()
		select {
		case err := <-done:
			if err != nil {
				g.Errorf("the gateway ended with %v", err)
			}
		case <-time.After(patience):
			g.Error("the gateway does not stop")
		}
	})
}

// restart stops the gateway and starts another on the same store.
func (g *target) restart() {
	g.Helper()
	g.quit()
	g.open()
}

// until polls a condition that another goroutine makes true.
func until(done func() bool) bool {
	tick, end := time.NewTicker(5*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-end:
			return done()
		}
	}
	return true
}

// footprint is what the process holds.
type footprint struct {
	heap        int64
	goroutines  int
	descriptors int
}

func measure() footprint {
	runtime.GC()
	runtime.GC() // what the first one's finalizers and pools let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f := footprint{heap: int64(m.HeapAlloc), goroutines: runtime.NumGoroutine()}
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		if open, err := os.ReadDir(dir); err == nil {
			f.descriptors = len(open)
			break
		}
	}
	return f
}

// back checks that the process holds what it held before, and at most so many bytes more.
func (g *target) back(before footprint, allowed int64) {
	g.Helper()
	allowed += storeHeap
	var after footprint
	if !until(func() bool {
		after = measure()
		// A store on disk opens and closes files, and collects, when it sees fit.
		return after.goroutines <= before.goroutines && after.descriptors <= before.descriptors+8 && after.heap <= before.heap+allowed
	}) {
		g.Errorf("before: %+v\nafter:  %+v\nallowed: %d bytes more", before, after, allowed)
	}
	g.Logf("heap %d KiB before, %d KiB after; %d goroutines, %d descriptors", before.heap>>10, after.heap>>10, after.goroutines, after.descriptors)
}
