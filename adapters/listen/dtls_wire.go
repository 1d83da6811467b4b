package listen

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

const (
	wireQueue = 128      // datagrams that wait for the DTLS engine; beyond them the network is full
	wireBytes = 64 << 10 // and their bytes
)

// wire is the socket of one association, as the DTLS engine sees it.
type wire struct {
	a     *association
	ready chan struct{} // has a token when something has changed

	mu     sync.Mutex // guards what follows
	queue  []wireGram
	bytes  int
	until  time.Time // of reads; zero: none
	timer  *time.Timer
	closed bool
}

type wireGram struct {
	b    []byte
	from netip.AddrPort
}

// peerAddr is an address that can be compared.
type peerAddr netip.AddrPort

func (peerAddr) Network() string  { return "udp" }
func (a peerAddr) String() string { return netip.AddrPort(a).String() }

func newWire(a *association) *wire { return &wire{a: a, ready: make(chan struct{}, 1)} }

// push takes a datagram of the peer; b is copied. False: there is no room.
func (w *wire) push(b []byte, from netip.AddrPort) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.queue) >= wireQueue || w.bytes+len(b) > wireBytes {
		return false
	}
	w.queue = append(w.queue, wireGram{append([]byte(nil), b...), from})
	w.bytes += len(b)
	w.signal()
	return true
}

func (w *wire) signal() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// ReadFrom waits for a datagram, the deadline or the end.
func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err, done := w.take(b)
		if done {
			return n, from, err
		}
		<-w.ready
	}
}

func (w *wire) take(b []byte) (n int, from net.Addr, err error, done bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return 0, nil, net.ErrClosed, true
	case !w.until.IsZero() && !time.Now().Before(w.until):
		return 0, nil, os.ErrDeadlineExceeded, true
	case len(w.queue) == 0:
		w.queue = nil
		return 0, nil, nil, false
	}
	g := w.queue[0]
	w.queue[0] = wireGram{}
	w.queue = w.queue[1:]
	w.bytes -= len(g.b)
	return copy(b, g.b), peerAddr(g.from), nil, true
}

// WriteTo sends what the engine has made.
func (w *wire) WriteTo(b []byte, to net.Addr) (int, error) {
	w.a.transmit(b, netip.AddrPort(to.(peerAddr)))
	return len(b), nil // what cannot be sent is lost, as the network might have lost it
}

// Close ends reads.
func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed, w.queue = true, nil
	if w.timer != nil {
		w.timer.Stop()
	}
	w.signal()
	return nil
}

// LocalAddr is the listener's.
func (w *wire) LocalAddr() net.Addr { return w.a.d.l.addr }

// SetReadDeadline ends reads at t.
func (w *wire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = t
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	if d := time.Until(t); !t.IsZero() && d > 0 && !w.closed {
		w.timer = time.AfterFunc(d, w.signal)
	}
	w.signal()
	return nil
}

// SetWriteDeadline does nothing: a write never waits.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline implements net.PacketConn.
func (w *wire) SetDeadline(t time.Time) error { return w.SetReadDeadline(t) }

var _ net.PacketConn = (*wire)(nil)
