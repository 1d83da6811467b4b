package listen_test

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
)

// socket is a datagram client.
type socket struct {
	t testing.TB
	*net.UDPConn
}

func udp(t testing.TB, addr string) *socket {
	t.Helper()
	a, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.DialUDP("udp", nil, a) // connected: only answers from that very address come
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &socket{t, c}
}

func (s *socket) send(line string) {
	s.t.Helper()
	if _, err := s.Write([]byte(line)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *socket) expect(want ...string) {
	s.t.Helper()
	buf := make([]byte, 2048)
	for _, w := range want {
		n, err := s.Read(buf)
		if err != nil {
			s.t.Fatal(err)
		}
		if got := string(buf[:n]); got != w+"\n" {
			s.t.Fatalf("got %q, want %q", got, w)
		}
	}
}

func TestDatagramsReachEveryPeer(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"udp://127.0.0.1:0", "line://127.0.0.1:0"}, loops: 2})
	sub, pub, stream := udp(t, r.addr(0)), udp(t, r.addr(0)), r.client(t, 1).login("s")
	sub.send("LOGIN sub")
	sub.expect("OK")
	sub.send("SUB a/#")
	sub.expect("OK")
	pub.send("LOGIN pub")
	pub.expect("OK")
	for n := range 20 {
		pub.send(fmt.Sprint("PUB a/b ", n))
		pub.expect("OK")
		sub.expect(fmt.Sprint("MSG a/b ", n))
	}
	stream.send("PUB a/c from the stream\n")
	stream.expect("OK")
	sub.expect("MSG a/c from the stream")
	if n := r.count("connections", "line", r.Addrs()[0].URL, "auth"); n != 2 {
		t.Errorf("%d peers counted", n)
	}
	pub.send("QUIT")
	pub.expect("BYE")
	until(t, "counted out", func() bool { return r.count("disconnects_total", "line", "normal") == 1 })
}

func TestDatagramPeersTickAndAreEvicted(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"udp://127.0.0.1:0"}})
	a, b := udp(t, r.addr(0)), udp(t, r.addr(0))
	a.send("LOGIN same")
	a.expect("OK")
	began := time.Now()
	a.send("TICK 100")
	a.expect("TOCK")
	if d := time.Since(began); d < 99*time.Millisecond { // a loop's time is in whole milliseconds
		t.Errorf("early: %v", d)
	}
	b.send("LOGIN same")
	a.expect("BYE taken over")
	b.expect("OK")
	b.send("SPAM 500")
	b.expect(string(bytes.Repeat([]byte("x"), 1023)))
}

func TestDatagramPanicCostsOneDatagram(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"udp://127.0.0.1:0"}})
	a := udp(t, r.addr(0))
	a.send("PANIC")
	a.send("ECHO still")
	a.expect("still")
	if n := r.count("panics_recovered_total", "line"); n != 1 {
		t.Errorf("panics_recovered_total %d", n)
	}
}

// The port of a peer that is gone answers ECONNREFUSED, which Linux reports
// on the next call of ours.
func TestDatagramsGoOnAfterPeersThatAreGone(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"udp://127.0.0.1:0"}})
	for range 20 {
		gone := udp(t, r.addr(0))
		gone.send("LOGIN gone")
		gone.send("ECHO one")
		gone.send("ECHO two")
		gone.Close()
	}
	a := udp(t, r.addr(0))
	a.send("ECHO here")
	a.expect("here")
}

func TestDatagramAnswerComesFromTheAddressAsked(t *testing.T) {
	t.Parallel()
	for _, any := range []string{"udp://0.0.0.0:0", "udp://[::]:0"} {
		r := serve(t, rigOptions{urls: []string{any}})
		port := netip.MustParseAddrPort(r.addr(0)).Port()
		for _, to := range []string{"127.0.0.1", "127.0.0.2", "127.8.9.10"} {
			a := udp(t, fmt.Sprintf("%s:%d", to, port))
			a.send("LOGIN " + to)
			a.expect("OK")
			a.send("ECHO hello")
			a.expect("hello")
		}
	}
}

func TestDatagramShutdownSaysGoodbye(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"udp://127.0.0.1:0"}})
	a := udp(t, r.addr(0))
	a.send("LOGIN a")
	a.expect("OK")
	r.stop()
	a.expect("BYE shutting down")
}

// failing is a room whose listener panics.
type failing struct{ adapters.DatagramRoom }

func (failing) Name() string { return "failing" }
func (failing) Listen(adapters.Loop, adapters.ListenerInfo) adapters.Endpoint {
	panic("no endpoint")
}

func TestDatagramRoomThatCannotListenEndsItsListener(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"udp://127.0.0.1:0"}, change: withRoom("udp", failing{})})
	until(t, "the port is free", func() bool {
		c, err := net.ListenPacket("udp", r.addr(0))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	if n := r.count("panics_recovered_total", "failing"); n != 1 {
		t.Errorf("panics_recovered_total %d", n)
	}
}

func TestDatagramBurstsAreServedInOrder(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"udp://127.0.0.1:0"}})
	a := udp(t, r.addr(0))
	const burst = 200 // more than a round; the kernel's buffers hold it
	for range 5 {
		for n := range burst {
			a.send(fmt.Sprint("ECHO ", n))
		}
		for n := range burst {
			a.expect(fmt.Sprint(n))
		}
	}
}

// BenchmarkDatagramEcho is one client with 64 datagrams under way.
func BenchmarkDatagramEcho(b *testing.B) {
	r := serve(b, rigOptions{urls: []string{"udp://127.0.0.1:0"}})
	a := udp(b, r.addr(0))
	a.SetDeadline(time.Time{})
	buf := make([]byte, 2048)
	out := []byte("ECHO a line of some forty bytes, as they come")
	for b.Loop() {
		for range 64 {
			if _, err := a.Write(out); err != nil {
				b.Fatal(err)
			}
		}
		for range 64 {
			if _, err := a.Read(buf); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*64), "ns/datagram")
}
