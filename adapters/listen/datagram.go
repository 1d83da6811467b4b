package listen

import (
	"net"
	"net/netip"
	"sync"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

const (
	socketBuffer = 4 << 20  // asked of the kernel, each way
	maxDatagram  = 64 << 10 // read at once
	maxQueued    = 4 << 20  // bytes between the reader and the loop; beyond, datagrams are dropped and counted
	keptQueue    = 256 << 10

	datagramRound = 64 // datagrams that the room is given before others have their turn
)

// endpoint drives a datagram room on one socket. A goroutine reads and
// queues; the loop hands the queue to the room.
type endpoint struct {
	link
	l    *listener
	room adapters.Endpoint

	mu     sync.Mutex // guards what follows
	queue  []byte
	grams  []gramIn
	closed bool

	// Owned by the loop.
	work    []byte
	batch   []gramIn
	next    int // of batch
	answers routes
	over    bool
}

// gramIn is one datagram in the queue: it ends at end.
type gramIn struct {
	from netip.AddrPort
	via  netip.Addr // the address it was sent to, on a wildcard socket
	end  int
}

func (l *listener) bindUDP() error {
	a, err := net.ResolveUDPAddr("udp", l.target.addr)
	if err != nil {
		return err
	}
	if l.udp, err = net.ListenUDP("udp", a); err != nil {
		return err
	}
	l.udp.SetReadBuffer(socketBuffer)  //nolint:errcheck // the kernel gives what it allows
	l.udp.SetWriteBuffer(socketBuffer) //nolint:errcheck // as above
	l.addr = l.udp.LocalAddr()
	if a.IP == nil || a.IP.IsUnspecified() {
		l.wildcard = askForDestination(l.udp)
	}
	return nil
}

func (l *listener) serveDatagrams() {
	e := &endpoint{l: l}
	e.loop, e.own = l.server.pick(), e
	l.endpoint = e
	e.loop.call(func(lp *loop) {
		lp.live++
		if !e.listen() {
			e.shut(core.Internal)
			return
		}
		l.server.wg.Go(e.read)
	})
}

func (e *endpoint) listen() (ok bool) {
	defer e.rescue()
	a := e.l.addr.(*net.UDPAddr).AddrPort()
	e.room = e.l.room.(adapters.DatagramRoom).Listen(e, adapters.ListenerInfo{
		Listener: e.l.name, Scheme: e.l.scheme, Local: netip.AddrPortFrom(a.Addr().Unmap(), a.Port())})
	return true
}

// closeUDP lets the room say goodbye, then closes the socket.
func (l *listener) closeUDP() {
	if e := l.endpoint; e == nil || !e.loop.call(func(*loop) { e.shut(core.ShuttingDown) }) {
		l.udp.Close()
	}
}

// shut ends the endpoint.
func (e *endpoint) shut(r core.Reason) {
	if e.over {
		return
	}
	e.over = true
	if e.room != nil {
		out := e.loop.output()
		e.roomClose(r, out)
		e.flush(out)
	}
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.l.udp.Close()
	e.loop.live--
}

// read is the socket's goroutine. A peer that is gone (ECONNREFUSED and its
// like) does not stop it; only the closed socket does.
func (e *endpoint) read() {
	buf := make([]byte, maxDatagram)
	oob := make([]byte, oobSize)
	for {
		n, from, via, err := e.receive(buf, oob)
		switch {
		case err == nil:
			e.push(gramIn{from: netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), via: via}, buf[:n])
		case e.isClosed():
			return
		case isFatal(err):
			e.l.counts.dropped("socket")
			return
		}
	}
}

func (e *endpoint) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}

// push queues one datagram for the loop.
func (e *endpoint) push(g gramIn, b []byte) {
	e.mu.Lock()
	if len(e.queue)+len(b) > maxQueued {
		e.mu.Unlock()
		e.l.counts.dropped("busy")
		return
	}
	e.queue = append(e.queue, b...)
	g.end = len(e.queue)
	e.grams = append(e.grams, g)
	first := len(e.grams) == 1
	e.mu.Unlock()
	if first {
		e.post(bitChunk)
	}
}

func (e *endpoint) attend(bits uint32) {
	if bits&bitChunk == 0 || e.over {
		return
	}
	if e.next == len(e.batch) {
		e.fetch()
	}
	until := min(e.next+datagramRound, len(e.batch))
	for ; e.next < until && !e.over; e.next++ {
		g := &e.batch[e.next]
		if g.via.IsValid() {
			e.answers.learn(g.from, g.via)
		}
		start := 0
		if e.next > 0 {
			start = e.batch[e.next-1].end
		}
		out := e.loop.output()
		e.roomDatagram(g.from, e.work[start:g.end:g.end], out)
		e.flush(out)
	}
	e.rest()
}

// fetch takes what the reader has queued.
func (e *endpoint) fetch() {
	if cap(e.work) > keptQueue {
		e.work, e.batch = nil, nil
	}
	e.mu.Lock()
	e.work, e.queue = e.queue, e.work[:0]
	e.batch, e.grams = e.grams, e.batch[:0]
	e.mu.Unlock()
	e.next = 0
}

// rest comes back for what is left, after the loop's connections.
func (e *endpoint) rest() {
	e.mu.Lock()
	more := e.next < len(e.batch) || len(e.grams) > 0
	e.mu.Unlock()
	if more && e.state.Or(bitChunk|bitQueued)&bitQueued == 0 {
		e.loop.dirty = append(e.loop.dirty, &e.link)
	}
}

func (e *endpoint) expire(core.Time) {}

// flush sends the datagrams of an output. One that cannot be sent is lost, as
// the network might have lost it.
func (e *endpoint) flush(out *adapters.Output) {
	for _, g := range out.Datagrams() {
		if err := e.send(out.B[g.Start:g.End], g.To); err != nil && !e.over {
			e.l.counts.dropped("unsent")
		}
	}
}

// Handle registers a peer.
func (e *endpoint) Handle(d adapters.Driven) adapters.Handle {
	p := &peer{e: e, driven: d}
	p.loop, p.own = e.loop, p
	return p
}

// routes remembers from which of our addresses a peer is to be answered, on a
// socket bound to all of them.
type routes map[netip.AddrPort]netip.Addr

const maxRoutes = 200_000

func (r *routes) learn(peer netip.AddrPort, via netip.Addr) {
	if *r == nil || len(*r) >= maxRoutes {
		*r = routes{}
	}
	if (*r)[peer] != via {
		(*r)[peer] = via
	}
}
