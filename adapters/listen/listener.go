package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

// listener is one bound address.
type listener struct {
	target
	key    string // its URL in the configuration, where the port may be 0
	server *Server
	terms  atomic.Pointer[terms]
	counts *counters // of the room; for WebSocket of the listener, before the path is known

	addr     net.Addr
	tcp      net.Listener // TCP and Unix
	udp      *net.UDPConn
	endpoint *endpoint // of udp
	wildcard bool      // udp tells to which address each datagram was sent
	http     *http.Server
	raw      *acceptor   // Linux, plain
	socket   os.FileInfo // of a Unix socket's file, as it was made

	open   atomic.Int64 // connections
	mu     sync.Mutex
	rate   limit.Bucket // Guarded by mu.
	closed bool         // Guarded by mu.
}

// terms are what a listener's next connections get; a change of the
// configuration replaces them.
type terms struct {
	Listener
	room  adapters.Room                     // nil for WebSocket
	paths map[string]adapters.WebSocketRoom // of WebSocket
	tls   *tls.Config                       // nil: plain
}

func newListener(s *Server, cfg Listener, rooms map[string]adapters.Room) (*listener, error) {
	if cfg.Rooms == nil {
		cfg.Rooms = rooms
	}
	t, err := parseTarget(cfg.URL, cfg.Rooms)
	if err != nil {
		return nil, err
	}
	l := &listener{target: t, key: t.name, server: s}
	now := &terms{Listener: cfg}
	if t.kind == kindWebSocket {
		now.paths = webSocketRooms(cfg.Rooms)
	} else {
		now.room = cfg.Rooms[t.scheme]
	}
	if t.secure {
		switch now.tls = cfg.TLS; {
		case t.kind == kindDatagram:
			if err := now.checkDTLS(t.name); err != nil {
				return nil, err
			}
		case now.tls == nil:
			return nil, fmt.Errorf("%s: TLS needs a certificate and a key", t.name)
		}
	}
	l.terms.Store(now)
	return l, nil
}

// bind takes the address.
func (l *listener) bind() error {
	var err error
	switch l.network {
	case "udp":
		err = l.bindUDP()
	case "unix":
		err = l.bindUnix()
	default:
		l.tcp, err = net.Listen("tcp", l.target.addr)
	}
	if err != nil {
		e := &BindError{URL: l.name, Err: err}
		if isInUse(err) {
			e.Process, e.PID = Holder(l.network, l.target.addr)
		}
		return e
	}
	if l.tcp != nil {
		l.addr = l.tcp.Addr()
	}
	l.target.bound(l.addr)
	protocol := "ws"
	if r := l.terms.Load().room; r != nil {
		protocol = r.Name()
	}
	l.counts = newCounters(l, protocol)
	if l.udp != nil {
		l.counts.countDatagrams()
	}
	return nil
}

// serve begins to accept.
func (l *listener) serve() {
	switch {
	case l.kind == kindDatagram:
		l.serveDatagrams()
	case l.kind == kindWebSocket:
		l.serveWebSocket()
	case !l.secure && l.terms.Load().Proxies == nil && l.serveRaw():
	default:
		ln := l.tcp
		l.server.wg.Go(func() { l.accept(ln, l.serveArrival) })
	}
}

// close stops accepting.
func (l *listener) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	if l.raw != nil {
		l.raw.close()
	}
	if l.http != nil {
		l.http.Close()
	}
	if l.tcp != nil {
		l.tcp.Close()
	}
	if l.udp != nil {
		l.closeUDP()
	}
	if l.network == "unix" {
		l.removeSocket()
	}
}

func (l *listener) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// admit asks the gate; false: close the connection.
func (l *listener) admit(c *counters, remote netip.AddrPort) bool {
	return l.admitAt(c, remote, remote.Addr())
}

// admitAt counts the connection at another address, the zero one for none.
func (l *listener) admitAt(c *counters, remote netip.AddrPort, at netip.Addr) bool {
	return l.ask(c, remote, at) == limit.Admitted
}

// ask asks the gate, and counts and logs a refusal.
func (l *listener) ask(c *counters, remote netip.AddrPort, at netip.Addr) limit.Refusal {
	now, rate := l.server.clock.Now(), l.limits().AcceptRate
	l.mu.Lock()
	l.rate.Take(now, 1, rate, 2*rate)
	l.mu.Unlock()
	r := l.server.gate.Admit(at, now)
	if r == limit.Admitted && !l.enter() {
		l.unadmit(at)
		r = limit.Connections
	}
	if r != limit.Admitted {
		c.refused(r)
		l.server.events.refused(c, remote, r)
	}
	return r
}

// unadmit takes back an admission that made no stream.
func (l *listener) unadmit(remote netip.Addr) {
	l.server.gate.Authenticated(remote)
	l.left()
}

// enter counts a connection of the listener, and tells whether it may have it.
func (l *listener) enter() bool {
	n, own := l.open.Add(1), l.terms.Load().Limits
	return own == nil || n <= int64(own.Connections)
}

// left counts a connection out, here and in the gate.
func (l *listener) left() {
	l.open.Add(-1)
	l.server.gate.Left()
}

// limits are those of now: the listener's own, or those of all.
func (l *listener) limits() *adapters.Limits {
	if own := l.terms.Load().Limits; own != nil {
		return own
	}
	return l.server.limits()
}

// pace is the time at which the listener's rate (L6) lets the next connection
// in: now, or later, when accepting waits and the kernel queues.
func (l *listener) pace(now core.Time) core.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	rate := l.limits().AcceptRate
	return l.rate.Wait(now, rate, 2*rate)
}

func (l *listener) streamRoom() adapters.StreamRoom { return l.terms.Load().room.(adapters.StreamRoom) }

// info describes a connection of the listener.
func (l *listener) info(remote, local netip.AddrPort) adapters.Info {
	return adapters.Info{Listener: l.name, Scheme: l.scheme, Remote: remote, Local: local,
		TLS: l.secure, Loopback: limit.Loopback(remote.Addr())}
}

// preauthClosed counts and logs a connection that ended before its room; err
// says more, or is nil.
func (l *listener) preauthClosed(remote netip.AddrPort, why string, err error) {
	l.counts.preauthClosed(why)
	l.server.events.preauthClosed(l.counts, addrText(remote), why, err)
}

// addrPort is the address of a TCP connection, without a zone, as accept tells
// it; zero for Unix sockets.
func addrPort(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		ap := t.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
	}
	return netip.AddrPort{}
}

var errInUse = errors.New("address already in use")
