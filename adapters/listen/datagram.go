package listen

import (
	"net"
	"net/netip"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

const (
	socketBuffer  = 4 << 20  // asked of the kernel, each way
	maxDatagram   = 64 << 10 // read at once
	datagramRound = 64       // datagrams that the room is given before others have their turn
)

// endpoint drives a datagram room on one socket. Where there is epoll the
// loop reads; elsewhere a goroutine does.
type endpoint struct {
	link
	noStream
	l    *listener
	room adapters.Endpoint
	sock *udpSocket // of plain datagrams
	dtls *dtlsServer

	answers routes
	paces   map[*peer]*pace // of those who publish under a rate
	over    bool
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

// serveDatagrams gives the socket to a loop.
func (l *listener) serveDatagrams() {
	e := &endpoint{l: l}
	e.loop, e.own = l.server.pick(), e
	l.endpoint = e
	e.loop.call(func(lp *loop) {
		lp.live++
		if l.secure {
			if !e.listen() || !e.startDTLS() {
				e.shut(core.Internal)
			}
			return
		}
		if e.sock = newUDPSocket(e); e.sock == nil || !e.listen() || !e.sock.start() {
			e.shut(core.Internal)
		}
	})
}

func (e *endpoint) listen() (ok bool) {
	defer e.rescue()
	a := e.l.addr.(*net.UDPAddr).AddrPort()
	e.room = e.l.terms.Load().room.(adapters.DatagramRoom).Listen(e, adapters.ListenerInfo{
		Listener: e.l.name, Scheme: e.l.scheme, Local: netip.AddrPortFrom(a.Addr().Unmap(), a.Port())})
	return true
}

// closeUDP lets the room say goodbye, then closes the socket.
func (l *listener) closeUDP() {
	done := make(chan struct{})
	if e := l.endpoint; e == nil || !e.loop.call(func(*loop) { e.shut(core.ShuttingDown); close(done) }) {
		l.udp.Close()
		return
	}
	<-done
	if l.endpoint.dtls != nil {
		<-l.endpoint.dtls.closed
	}
}

// reconfigure gives the endpoint a new room, if its room knows how to.
func (e *endpoint) reconfigure(r adapters.Room) {
	defer e.rescue()
	room, ok := r.(adapters.DatagramRoom)
	if x, can := e.room.(adapters.Reconfigurable); ok && can && !e.over {
		x.Reconfigure(room)
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
	switch {
	case e.dtls != nil:
		e.dtls.stop() // says goodbye, then closes the socket
	case e.sock != nil:
		e.sock.close()
		fallthrough
	default:
		e.l.udp.Close()
	}
	e.loop.live--
}

// give hands one datagram to the room. via is the address of ours that it was
// sent to, on a socket bound to all of them.
func (e *endpoint) give(from netip.AddrPort, via netip.Addr, b []byte) {
	if via.IsValid() {
		e.answers.learn(from, via)
	}
	e.l.counts.datagram(adapters.In, len(b))
	out := e.loop.output()
	e.roomDatagram(from, b, out)
	e.flush(out)
}

// flush sends the datagrams of an output. One that cannot be sent is lost, as
// the network might have lost it.
func (e *endpoint) flush(out *adapters.Output) {
	e.loop.turn.Counted()
	for _, g := range out.Datagrams() {
		if g.Association != nil {
			e.dtls.send(g.Association, out.B[g.Start:g.End])
			continue
		}
		if e.sock == nil {
			continue
		}
		err := e.sock.send(out.B[g.Start:g.End], g.To, e.answers[g.To])
		switch {
		case err == nil:
			e.l.counts.datagram(adapters.Out, g.End-g.Start)
		case !e.over:
			e.l.counts.dropped("unsent")
		}
	}
	out.Written(e.loop.turn)
}

func (e *endpoint) expire(core.Time) {}

func (e *endpoint) attend(bits uint32) {
	switch {
	case e.dtls != nil:
		e.dtls.deliver()
	case e.sock != nil:
		e.sock.attend(bits)
	}
}

// Handle registers a peer.
func (e *endpoint) Handle(d adapters.Driven) adapters.PeerHandle {
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
