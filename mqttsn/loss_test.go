package mqttsn

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/entrepot/entrepot/mqttsn/client"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// lossyNet joins clients to the endpoint of a sim by datagrams of which some
// are lost, and some come twice. Its run is the endpoint's loop.
type lossyNet struct {
	s     *sim
	in    chan gram
	stop  chan struct{}
	conns map[netip.AddrPort]*lossyConn
	rand  *rand.Rand
}

type gram struct {
	from netip.AddrPort
	b    []byte
}

type lossyConn struct {
	net.Conn // deadlines and addresses are not used
	l        *lossyNet
	addr     netip.AddrPort
	in       chan []byte
	closed   chan struct{}
}

func (c *lossyConn) Write(b []byte) (int, error) {
	select {
	case c.l.in <- gram{c.addr, slices.Clone(b)}:
		return len(b), nil
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *lossyConn) Read(b []byte) (int, error) {
	select {
	case d := <-c.in:
		return copy(b, d), nil
	case <-c.closed:
		return 0, io.EOF
	}
}

func (c *lossyConn) Close() error {
	select {
	case <-c.closed:
		return os.ErrClosed
	default:
		close(c.closed)
		return nil
	}
}

// dial makes the socket of a client.
func (l *lossyNet) dial(_ context.Context, _, addr string) (net.Conn, error) {
	c := &lossyConn{l: l, addr: netip.MustParseAddrPort(addr), in: make(chan []byte, 1000), closed: make(chan struct{})}
	l.conns[c.addr] = c
	return c, nil
}

// copies is how often a datagram arrives: of ten, three are lost and one
// comes twice. By chance, since a pattern may meet every repetition of one
// datagram alike.
func (l *lossyNet) copies() int {
	switch n := l.rand.IntN(10); {
	case n < 3:
		return 0
	case n == 3:
		return 2
	}
	return 1
}

func (l *lossyNet) run(done chan<- struct{}) {
	defer close(done)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case g := <-l.in:
			for range l.copies() {
				l.s.do(func() { l.s.e.Datagram(l.s.turn, g.from, g.b, &l.s.out) })
			}
		case <-tick.C:
			l.s.sleep(0) // what is due
		case <-l.stop:
			return
		}
		for addr, c := range l.conns {
			for _, b := range l.s.sentTo[addr] {
				for range l.copies() {
					c.in <- b
				}
			}
			l.s.sentTo[addr] = nil
		}
	}
}

// Every message of QoS 2 arrives exactly once, and in the order of its topic
// as long as one is in flight at a time, every one of QoS 1 at least once,
// over a network that loses and doubles datagrams both ways.
func TestMQTTSN_O4_P3_NothingIsLostOrDoubledByTheNetwork(t *testing.T) {
	simulate(t, Config{MaxInflight: 1, MaxRetries: 20}, func(s *sim) {
		l := &lossyNet{s: s, in: make(chan gram), stop: make(chan struct{}), conns: map[netip.AddrPort]*lossyConn{}, rand: rand.New(rand.NewPCG(1, 2))}
		var got [3][]string
		open := func(id, addr string) *client.Client {
			c, err := client.Open(s.Context(), addr, client.Options{
				ClientID: id, Dial: l.dial, MaxRetries: 30, Window: 3, KeepAlive: time.Hour,
				OnMessage: func(m client.Message) { got[m.QoS] = append(got[m.QoS], string(m.Payload)) },
			})
			must(t, err)
			return c
		}
		pub, sub := open("pub", "10.0.0.1:1"), open("sub", "10.0.0.2:1")
		done := make(chan struct{})
		go l.run(done)
		must(t, sub.Connect(s.Context()))
		_, err := sub.Subscribe(s.Context(), client.Name("a/#"), 2)
		must(t, err)
		must(t, pub.Connect(s.Context()))
		var want [3][]string
		for i := range 60 {
			qos := 1 + i%2
			payload := fmt.Sprint(i)
			want[qos] = append(want[qos], payload)
			must(t, pub.Publish(s.Context(), client.Name(fmt.Sprintf("a/%d", i%3)), packet.QoS(qos), false, []byte(payload)))
		}
		must(t, pub.Disconnect(s.Context()))
		time.Sleep(time.Hour)
		must(t, sub.Close())
		close(l.stop)
		<-done
		byTopic := func(a, b string) int { return number(a)%3 - number(b)%3 } // a topic that waits for its REGACK does not hold up others: R7
		slices.SortStableFunc(got[2], byTopic)
		slices.SortStableFunc(want[2], byTopic)
		if !slices.Equal(got[2], want[2]) {
			t.Errorf("QoS 2, topic by topic: received %q, want %q", got[2], want[2])
		}
		slices.SortFunc(got[1], func(a, b string) int { return slices.Index(want[1], a) - slices.Index(want[1], b) })
		if !slices.Equal(slices.Compact(got[1]), want[1]) {
			t.Errorf("QoS 1: received %q, want %q", got[1], want[1])
		}
	})
}

func number(s string) (n int) {
	fmt.Sscan(s, &n)
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
