//go:build !linux

package listen

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

const (
	maxQueued = 4 << 20 // bytes between the reader and the loop; beyond, datagrams are dropped and counted
	keptQueue = 256 << 10
)

// udpSocket is a socket with a goroutine that reads and queues; the loop
// hands the queue to the room.
type udpSocket struct {
	e    *endpoint
	conn *net.UDPConn

	mu     sync.Mutex // guards what follows
	queue  []byte
	grams  []gramIn
	closed bool

	// Owned by the loop.
	work  []byte
	batch []gramIn
	next  int // of batch
}

// gramIn is one datagram in the queue: it ends at end.
type gramIn struct {
	from netip.AddrPort
	end  int
}

// askForDestination: answers leave from the address that the system chooses.
func askForDestination(*net.UDPConn) bool { return false }

func destination([]byte) netip.Addr { return netip.Addr{} }

func sourceControl(netip.Addr) []byte { return nil }

func newUDPSocket(e *endpoint) *udpSocket { return &udpSocket{e: e, conn: e.l.udp} }

func (s *udpSocket) start() bool {
	s.e.loop.server.wg.Go(s.read)
	return true
}

func (s *udpSocket) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.conn.Close()
}

func (s *udpSocket) send(b []byte, to netip.AddrPort, _ netip.Addr) error {
	_, err := s.conn.WriteToUDPAddrPort(b, to)
	return err
}

// read is the socket's goroutine. A peer that is gone (ECONNREFUSED and its
// like) does not stop it; only the closed socket does.
func (s *udpSocket) read() {
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		switch {
		case err == nil:
			s.push(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), buf[:n])
		case s.isClosed() || errors.Is(err, net.ErrClosed):
			return
		}
	}
}

func (s *udpSocket) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// push queues one datagram for the loop.
func (s *udpSocket) push(from netip.AddrPort, b []byte) {
	s.mu.Lock()
	if len(s.queue)+len(b) > maxQueued {
		s.mu.Unlock()
		s.e.l.counts.dropped("busy")
		return
	}
	s.queue = append(s.queue, b...)
	s.grams = append(s.grams, gramIn{from: from, end: len(s.queue)})
	first := len(s.grams) == 1
	s.mu.Unlock()
	if first {
		s.e.post(bitChunk)
	}
}

// attend gives the room a round of what was queued.
func (s *udpSocket) attend(bits uint32) {
	if bits&bitChunk != 0 && !s.e.over {
		s.round()
	}
}

func (s *udpSocket) round() {
	if s.next == len(s.batch) {
		s.fetch()
	}
	until := min(s.next+datagramRound, len(s.batch))
	for ; s.next < until && !s.e.over; s.next++ {
		start := 0
		if s.next > 0 {
			start = s.batch[s.next-1].end
		}
		g := &s.batch[s.next]
		s.e.give(g.from, netip.Addr{}, s.work[start:g.end:g.end])
	}
	s.rest()
}

// fetch takes what the reader has queued.
func (s *udpSocket) fetch() {
	if cap(s.work) > keptQueue {
		s.work, s.batch = nil, nil
	}
	s.mu.Lock()
	s.work, s.queue = s.queue, s.work[:0]
	s.batch, s.grams = s.grams, s.batch[:0]
	s.mu.Unlock()
	s.next = 0
}

// rest comes back for what is left, after the loop's connections.
func (s *udpSocket) rest() {
	s.mu.Lock()
	more := s.next < len(s.batch) || len(s.grams) > 0
	s.mu.Unlock()
	if more && s.e.state.Or(bitChunk|bitQueued)&bitQueued == 0 {
		s.e.loop.dirty = append(s.e.loop.dirty, &s.e.link)
	}
}
