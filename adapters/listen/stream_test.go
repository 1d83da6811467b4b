package listen_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
)

// transports are the listeners that a stream protocol may have.
func transports(t testing.TB) []string {
	return []string{"line://127.0.0.1:0", "lines://127.0.0.1:0", "ws://127.0.0.1:0", "wss://127.0.0.1:0",
		"line+unix://" + filepath.Join(t.TempDir(), "s")}
}

// onAll runs f on every transport.
func onAll(t *testing.T, o rigOptions, f func(t *testing.T, r *rig, i int)) {
	t.Helper()
	for i, u := range transports(t) {
		scheme, _, _ := strings.Cut(u, "://")
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			o := o
			o.urls = transports(t)
			f(t, serve(t, o), i)
		})
	}
}

func TestPublishReachesASubscriberOnAnotherLoop(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{loops: 2}, func(t *testing.T, r *rig, i int) {
		sub, other, pub := r.client(t, i).login("sub"), r.client(t, i).login("sub2"), r.client(t, i).login("pub")
		sub.send("SUB a/+\n")
		sub.expect("OK")
		other.send("SUB a/b\n")
		other.expect("OK")
		for n := range 100 {
			pub.send(fmt.Sprintf("PUB a/b %d\n", n))
			pub.expect("OK")
		}
		for n := range 100 {
			sub.expect(fmt.Sprintf("MSG a/b %d", n))
			other.expect(fmt.Sprintf("MSG a/b %d", n))
		}
	})
}

func TestTornInputIsPutTogether(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{}, func(t *testing.T, r *rig, i int) {
		c := r.client(t, i)
		for _, b := range []byte("LOGIN a\nECHO one\nECHO t") {
			c.send(string(b))
		}
		c.expect("OK", "one")
		c.send("wo\nECHO three\n")
		c.expect("two", "three")
		long := strings.Repeat("l", 60_000)
		c.send("ECHO " + long + "\n")
		c.expect(long)
	})
}

func TestQuitFlushesThenEndsTheStream(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{}, func(t *testing.T, r *rig, i int) {
		c := r.client(t, i).login("a")
		c.send("SPAM 3000\nQUIT\n")
		for range 3000 {
			if len(c.line()) != 1023 {
				t.Fatal("torn line")
			}
		}
		c.expect("BYE")
		c.eof()
		c.nc.Close()
		until(t, "the connection is counted out", func() bool { all, _ := r.Connections(); return all == 0 })
		if n := r.count("disconnects_total", "line", "normal"); n != 1 {
			t.Errorf("disconnects_total{normal} %d", n)
		}
	})
}

// ST22: the answer is not destroyed by a reset, though the client goes on
// writing.
func TestLingerDiscardsInputUntilThePeerEnds(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"line://127.0.0.1:0"}})
	c := r.client(t, 0).login("a")
	c.send("BAD\n" + strings.Repeat("more input\n", 100_000))
	c.expect("ERR unknown command: malformed")
	c.eof()
	if all, _ := r.Connections(); all != 1 {
		t.Errorf("%d connections while the peer has not ended", all)
	}
	c.nc.Close()
	until(t, "the connection ends", func() bool { all, _ := r.Connections(); return all == 0 })
}

// Who closes its sending half after its last word still gets the answers.
func TestHalfClosedPeerGetsWhatWaits(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"line://127.0.0.1:0", "line+unix://" + filepath.Join(t.TempDir(), "s")} {
		r := serve(t, rigOptions{urls: []string{network}})
		c := r.client(t, 0).login("a")
		c.send("SPAM 20000\nQUIT\n")
		c.nc.(interface{ CloseWrite() error }).CloseWrite()
		if b, err := io.ReadAll(c.r); err != nil || len(b) < 20000<<10 || !strings.HasSuffix(string(b), "\nBYE\n") {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	}
}

func TestResponsive(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"line://127.0.0.1:0"}, loops: 3})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if !r.Responsive(ctx) {
		t.Error("loops do not answer")
	}
}

func TestLingerIsBounded(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"line://127.0.0.1:0"}})
	c := r.client(t, 0).login("a")
	began := time.Now()
	c.send("QUIT\n")
	c.expect("BYE")
	c.eof() // and does not close
	until(t, "the connection ends by itself", func() bool { all, _ := r.Connections(); return all == 0 })
	if d := time.Since(began); d < 1999*time.Millisecond { // the loop's clock counts milliseconds
		t.Errorf("closed after %v, 2 s are the peer's", d)
	}
}

func TestTicksComeOnTime(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{}, func(t *testing.T, r *rig, i int) {
		c := r.client(t, i).login("a")
		began := time.Now()
		c.send("TICK 150\n")
		c.expect("TOCK")
		if d := time.Since(began); d <= 149*time.Millisecond { // the loop's clock counts milliseconds
			t.Errorf("early: %v", d)
		}
	})
}

func TestPausedReadingKeepsInput(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{}, func(t *testing.T, r *rig, i int) {
		c := r.client(t, i).login("a")
		c.send("PAUSE 60\nECHO 1\n")
		c.send(strings.Repeat("ECHO 2\n", 10_000))
		c.expect("1")
		for range 10_000 {
			c.expect("2")
		}
	})
}

func TestPanicCostsItsConnectionOnly(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{loops: 1}, func(t *testing.T, r *rig, i int) {
		good, bad := r.client(t, i).login("good"), r.client(t, i)
		bad.send("ECHO lost\nPANIC\n")
		if b, err := io.ReadAll(bad.r); !strings.HasSuffix(string(b), "BYE internal error\n") {
			t.Errorf("said %q, %v", b, err) // the room's own words
		}
		good.send("ECHO fine\n")
		good.expect("fine")
		if n := r.count("panics_recovered_total", "line"); n != 1 {
			t.Errorf("panics_recovered_total %d", n)
		}
		if s := r.log.String(); !strings.Contains(s, "panic.recovered") || !strings.Contains(s, "line.go") {
			t.Errorf("no stack in the log: %s", s)
		}
	})
}

func TestTakeoverAcrossLoops(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{loops: 2}, func(t *testing.T, r *rig, i int) {
		old := r.client(t, i).login("same")
		for range 20 {
			fresh := r.client(t, i).login("same")
			old.expect("BYE taken over")
			old.eof()
			old = fresh
		}
		old.send("ECHO still\n")
		old.expect("still")
	})
}

func TestSlowReaderGetsEverything(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{}, func(t *testing.T, r *rig, i int) {
		c := r.client(t, i).login("a")
		c.send("SPAM 20000\nECHO end\n")
		n, err := io.CopyN(io.Discard, c.r, 20000<<10)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		c.expect("end")
	})
}

// A client that asks and asks and never reads must not fill our memory: its
// input stops.
func TestAnswersThatNobodyReadsStopTheInput(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{limits: adapters.Limits{WriteBuffer: 64 << 10}}, func(t *testing.T, r *rig, i int) {
		c := r.client(t, i).login("a")
		c.nc.SetWriteDeadline(time.Now().Add(time.Second))
		question := []byte("ECHO " + strings.Repeat("q", 8000) + "\n")
		sent := 0
		for ; sent < 64<<20; sent += len(question) {
			if _, err := c.nc.Write(question); err != nil {
				return // the kernel's buffers are full: it is not read
			}
		}
		t.Errorf("%d bytes were taken from a client that reads nothing", sent)
	})
}

func TestShutdownSaysGoodbye(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: transports(t), loops: 2})
	var all []*client
	for i := range r.Addrs() {
		all = append(all, r.client(t, i).login(fmt.Sprint("in", i)), r.client(t, i))
	}
	done := make(chan struct{})
	go func() { r.stop(); close(done) }()
	for _, c := range all {
		c.expect("BYE shutting down")
		c.eof()
		c.nc.Close()
	}
	<-done
	for _, a := range r.Addrs() {
		if nc, err := net.Dial(a.Network(), a.String()); err == nil {
			nc.Close()
			t.Errorf("%s still accepts", a.URL)
		}
	}
}

// Bound but not serving, the server finds them all in the kernel's queue when
// it is stopped at once.
func TestShutdownLetsInThoseInTheKernel(t *testing.T) {
	t.Parallel()
	for range 20 {
		r := bound(t, rigOptions{urls: []string{"line://127.0.0.1:0", "line+unix://" + filepath.Join(t.TempDir(), "s")}})
		var all []*client
		for i := range r.Addrs() {
			for range 20 {
				all = append(all, r.client(t, i))
			}
		}
		r.run()
		go r.stop()
		for _, c := range all {
			c.expect("BYE shutting down")
			c.eof()
			c.nc.Close()
		}
		r.stop()
	}
}

func TestShutdownCutsOffThoseWhoDoNotRead(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: transports(t)})
	for i := range r.Addrs() {
		r.client(t, i).login(fmt.Sprint(i)).send("SPAM 100000\n")
	}
	began := time.Now()
	r.stop()
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestUnixSocketFile_MH4(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	old, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	old.(*net.UnixListener).SetUnlinkOnClose(false)
	old.Close() // leaves a file that nobody listens on
	r := serve(t, rigOptions{urls: []string{"line+unix://" + path}})
	r.client(t, 0).login("a")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info, err)
	}
	r.stop()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file stays: %v", err)
	}
}
