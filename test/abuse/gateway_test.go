package abuse

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/gateway"
)

// patience bounds each wait for something that must come.
const patience = 10 * time.Second

// listening are the listeners; ws:// is shared by two protocols.
var listening = []string{"mqtt", "ws", "stomp", "amqp", "coap", "mqttsn", "http"}

// target is a running gateway as its tests see it.
type target struct {
	*testing.T
	at   map[string]string // address by scheme
	log  *journal
	http http.Client
	quit func()
	seen series // the newest

	addresses map[string]chan net.Conn // of a datagram listener
}

// start runs a gateway as `entrepot serve` does, with a store on disk.
func start(t *testing.T, set ...string) *target {
	t.Helper()
	in := config.Input{Set: append([]string{"node.data=" + t.TempDir(), "limits.overload.cpu=false"}, set...), Sections: gateway.Sections(), Protocols: gateway.Protocols()}
	for _, scheme := range listening {
		in.Listen = append(in.Listen, scheme+"://127.0.0.1:0")
	}
	c, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	g := &target{T: t, at: map[string]string{}, log: &journal{}, http: http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}}
	gw, err := gateway.Open(gateway.Options{Config: c, Sections: in.Sections, Version: "test", Log: slog.New(slog.NewTextHandler(g.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range gw.Listening() {
		u, err := url.Parse(l.URL)
		if err != nil {
			t.Fatal(err)
		}
		g.at[listening[i]] = u.Host
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- gw.Run(ctx) }()
	g.quit = sync.OnceFunc(func() {
		stop()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the gateway ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("the gateway does not stop")
		}
	})
	t.Cleanup(g.quit)
	return g
}

// series are the metrics by name and labels, as /metrics writes them.
type series map[string]float64

func (g *target) metrics() series {
	g.Helper()
	resp, err := g.http.Get("http://" + g.at["http"] + "/metrics")
	if err != nil {
		g.Fatal(err)
	}
	defer resp.Body.Close()
	all := series{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "} ")
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			all[name+"}"] = n
		}
	}
	g.seen = all
	return all
}

// sum adds the series of one name that have all label values: "protocol_errors mqtt malformed".
func (s series) sum(what string) (total float64) {
	words := strings.Fields(what)
	for name, n := range s {
		if !strings.HasPrefix(name, "entrepot_"+words[0]+"_total{") {
			continue
		}
		all := true
		for _, label := range words[1:] {
			all = all && strings.Contains(strings.ToLower(strings.ReplaceAll(name, " ", "_")), strings.ToLower(strconv.Quote(label)))
		}
		if all {
			total += n
		}
	}
	return total
}

// until polls a condition that another goroutine makes true.
func until(what string, done func() bool) error {
	tick, end := time.NewTicker(2*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-end:
			return fmt.Errorf("%s did not happen in %v", what, patience)
		}
	}
	return nil
}

// journal keeps the log.
type journal struct {
	mu    sync.Mutex
	lines []line
}

type line struct {
	at   time.Time
	text string
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line{time.Now(), string(bytes.TrimSpace(p))})
	return len(p), nil
}

// has tells whether a line holds all words.
func (j *journal) has(words ...string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := len(j.lines) - 1; i >= 0; i-- {
		all := true
		for _, w := range words {
			all = all && strings.Contains(j.lines[i].text, w)
		}
		if all {
			return true
		}
	}
	return false
}

// last is the newest line with a word.
func (j *journal) last(word string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := len(j.lines) - 1; i >= 0; i-- {
		if strings.Contains(j.lines[i].text, word) {
			return j.lines[i].text
		}
	}
	return ""
}

// busy tells whether so many lines were written within a second that others may have been held back (L31).
func (j *journal) busy() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	since, n := time.Now().Add(-time.Second), 0
	for i := len(j.lines) - 1; i >= 0 && j.lines[i].at.After(since); i-- {
		n++
	}
	return n >= 40
}

// footprint is what the process holds.
type footprint struct {
	heap       uint64
	goroutines int
}

func measure() footprint {
	runtime.GC()
	runtime.GC() // what the first one's finalizers and pools let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{m.HeapAlloc, runtime.NumGoroutine()}
}

// flat checks that memory and goroutines have come back to what they were. [S12]
func (g *target) flat(before footprint, allowed uint64) {
	g.Helper()
	if err := until("the end of all goroutines", func() bool { return runtime.NumGoroutine() <= before.goroutines }); err != nil {
		g.Errorf("%v: %d of them, %d before\n%s", err, runtime.NumGoroutine(), before.goroutines, stacks())
	}
	allowed += storeHeap
	var after footprint
	if err := until("memory", func() bool { after = measure(); return after.heap <= before.heap+allowed }); err != nil {
		g.Errorf("the heap grew from %d to %d bytes", before.heap, after.heap)
	}
}

func stacks() []byte {
	b := make([]byte, 1<<20)
	return b[:runtime.Stack(b, true)]
}
