package listen_test

import (
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
)

// connections is how many both ends of fit into the descriptors of this
// process, at most 10,000.
func connections(t testing.TB) int {
	t.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	return min(10_000, int(min(l.Cur, 1<<20)-1000)/2)
}

// fill opens n connections and logs them in, many at a time.
func fill(t testing.TB, r *rig, n int) []*client {
	t.Helper()
	all := make([]*client, n)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				c := dial(t, "tcp", r.addr(0))
				c.r = nil // a bufio.Reader each would be all that we see
				c.send(fmt.Sprintf("LOGIN %d\n", i))
				var ok [3]byte
				if _, err := c.nc.Read(ok[:]); err != nil || string(ok[:]) != "OK\n" {
					t.Errorf("login %d: %q, %v", i, ok, err)
					return
				}
				all[i] = c
			}
		})
	}
	wg.Wait()
	return all
}

func TestTenThousandConnections(t *testing.T) {
	n := connections(t)
	r := serve(t, rigOptions{urls: []string{"line://127.0.0.1:0"}, loops: 2,
		limits: adapters.Limits{AcceptRate: 1_000_000, Connections: n + 10}})
	all := fill(t, r, n)
	if open, unauthenticated := r.Connections(); open != n || unauthenticated != 0 {
		t.Fatalf("%d open, %d without login; want %d, 0", open, unauthenticated, n)
	}
	last := all[n-1]
	for _, c := range all[:n-1] {
		c.nc.Close()
	}
	until(t, "all are counted out", func() bool { open, _ := r.Connections(); return open == 1 })
	last.send("ECHO on\n")
	var on [3]byte
	if _, err := last.nc.Read(on[:]); err != nil || string(on[:]) != "on\n" {
		t.Errorf("%q, %v", on, err)
	}
}

// BenchmarkIdleConnection reports the bytes that one idle connection costs:
// its room, its session, and for all but plain TCP, whose client here is a
// bare descriptor, the client's end too.
func BenchmarkIdleConnection(b *testing.B) {
	for scheme, open := range map[string]func(testing.TB, *rig, int) any{
		"line":  bare,
		"lines": func(t testing.TB, r *rig, i int) any { return r.client(t, 0).login(fmt.Sprint(i)) },
		"ws":    func(t testing.TB, r *rig, i int) any { return r.client(t, 0).login(fmt.Sprint(i)) },
	} {
		b.Run(scheme, func(b *testing.B) {
			const n = 4000
			r := serve(b, rigOptions{urls: []string{scheme + "://127.0.0.1:0"}, limits: adapters.Limits{AcceptRate: 1_000_000}})
			held := make([]any, n)
			before := memory()
			for i := range held {
				held[i] = open(b, r, i)
			}
			perConn := float64(memory()-before) / n
			for b.Loop() {
			}
			b.ReportMetric(perConn, "B/conn")
			runtime.KeepAlive(held)
		})
	}
}

func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// bare logs in over a descriptor without any of Go's objects.
func bare(t testing.TB, r *rig, i int) any {
	a := netip.MustParseAddrPort(r.addr(0))
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		err = syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	var ok [3]byte
	syscall.Write(fd, fmt.Appendf(nil, "LOGIN %d\n", i))
	if n, err := syscall.Read(fd, ok[:]); n != 3 || string(ok[:]) != "OK\n" {
		t.Fatal(n, err)
	}
	return fd
}

// BenchmarkEcho is one client with 200 lines under way.
func BenchmarkEcho(b *testing.B) {
	for _, u := range []string{"line://127.0.0.1:0", "lines://127.0.0.1:0", "ws://127.0.0.1:0"} {
		b.Run(u[:len(u)-14], func(b *testing.B) {
			r := serve(b, rigOptions{urls: []string{u}})
			c := r.client(b, 0).login("a")
			c.nc.SetDeadline(time.Time{})
			const window = 200
			out := []byte(strings.Repeat("ECHO a line of some forty bytes, as they come\n", window))
			in := make([]byte, window*len("a line of some forty bytes, as they come\n"))
			for b.Loop() {
				if _, err := c.nc.Write(out); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c.r, in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*window), "ns/line")
		})
	}
}

// BenchmarkPair is a publisher and a subscriber, 200 messages under way.
func BenchmarkPair(b *testing.B) {
	for _, loops := range []int{1, 2} {
		b.Run(fmt.Sprint("loops=", loops), func(b *testing.B) {
			r := serve(b, rigOptions{urls: []string{"line://127.0.0.1:0"}, loops: loops})
			sub, pub := r.client(b, 0).login("s"), r.client(b, 0).login("p")
			sub.nc.SetDeadline(time.Time{})
			pub.nc.SetDeadline(time.Time{})
			sub.send("SUB a/b\n")
			sub.expect("OK")
			const window = 200
			out := []byte(strings.Repeat("QPUB a/b some payload of forty bytes, or nearly\n", window))
			in := make([]byte, window*len("MSG a/b some payload of forty bytes, or nearly\n"))
			for b.Loop() {
				if _, err := pub.nc.Write(out); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(sub.r, in); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*window), "ns/message")
		})
	}
}
