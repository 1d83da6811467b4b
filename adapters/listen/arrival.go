package listen

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

// arrival is a connection on its way to its room. PROXY header, TLS handshake
// and WebSocket upgrade share one deadline from accept (L1) and, each, the
// allowance of bytes (L3); until the room has it, closing it counts it out.
type arrival struct {
	net.Conn
	allowance
	l     *listener
	terms *terms // of its accept
	since core.Time
	limit time.Time // L1
	state atomic.Uint32
	once  sync.Once // counting out

	asked    atomic.Bool // whether everything that the peer has sent was read
	caughtUp func()      // the answer: it was

	counted netip.Addr // the address at which the gate counts it
	remote  netip.AddrPort
	local   netip.AddrPort
	proxied *proxied // nil: no header, or one that says nothing
}

// errAllowance says that a peer sent more than it may before its login.
var errAllowance = errors.New("too many bytes before the login")

// allowance bounds what may be read (L3). One goroutine reads.
type allowance struct {
	left atomic.Int64
	off  atomic.Bool
}

// take shortens b to what may still be read.
func (a *allowance) take(b []byte) ([]byte, error) {
	if a.off.Load() {
		return b, nil
	}
	left := a.left.Load()
	if left <= 0 {
		return nil, errAllowance
	}
	return b[:min(int64(len(b)), left)], nil
}

func (a *arrival) Read(b []byte) (int, error) {
	b, err := a.take(b)
	if err != nil {
		return 0, err
	}
	n, err := a.Conn.Read(b)
	if a.asked.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
		n, err = a.readRest(b)
	}
	a.left.Add(-int64(n))
	return n, err
}

// bound is at, but not after the deadline of L1.
func (a *arrival) bound(at time.Time) time.Time {
	if a.state.Load() != taken && (at.IsZero() || at.After(a.limit)) {
		return a.limit
	}
	return at
}

func (a *arrival) SetDeadline(at time.Time) error      { return a.Conn.SetDeadline(a.bound(at)) }
func (a *arrival) SetReadDeadline(at time.Time) error  { return a.Conn.SetReadDeadline(a.bound(at)) }
func (a *arrival) SetWriteDeadline(at time.Time) error { return a.Conn.SetWriteDeadline(a.bound(at)) }

// Close ends the connection, and counts it out unless a stream does that.
func (a *arrival) Close() error {
	a.once.Do(func() { a.l.unadmit(a.counted) })
	return a.Conn.Close()
}

// Where an arrival is.
const (
	underway uint32 = iota
	taken           // by its room
	aborted         // the server stops
)

// abort ends reads and writes that are under way, unless the room has the
// connection; who waits for them closes it.
func (a *arrival) abort() {
	if a.state.CompareAndSwap(underway, aborted) {
		a.Conn.Close()
	}
}

// handOver hands the counting to a stream, whose deadline is its own; false: the
// server stops, close it.
func (a *arrival) handOver() bool {
	if !a.state.CompareAndSwap(underway, taken) || a.Conn.SetDeadline(time.Time{}) != nil {
		return false
	}
	a.off.Store(true)
	a.once.Do(func() {})
	return true
}

// CloseWrite is for tls.Conn and the end of a plain connection.
func (a *arrival) CloseWrite() error {
	if w, ok := a.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// accept takes connections until the listener closes, and serves each on a
// goroutine of its own.
func (l *listener) accept(ln net.Listener, serve func(*arrival)) {
	for {
		a, ok := l.acceptPaced(ln)
		if !ok {
			return
		}
		l.server.wg.Go(func() {
			stop := context.AfterFunc(l.server.ctx, a.abort)
			defer stop()
			if a.terms.Proxies == nil || a.proxyHeader() {
				serve(a)
			} else {
				a.Close()
			}
		})
	}
}

// acceptPaced is the next connection that the limits let in; false: the
// listener was closed.
func (l *listener) acceptPaced(ln net.Listener) (*arrival, bool) {
	for {
		now := l.server.clock.Now()
		if at := l.pace(now); at > now {
			l.rest(at.Until(now))
			continue
		}
		nc, err := ln.Accept()
		switch {
		case err != nil && (errors.Is(err, net.ErrClosed) || l.isClosed() || l.server.ctx.Err() != nil):
			return nil, false
		case err != nil: // no descriptors left
			l.counts.refused("descriptors")
			l.rest(100 * time.Millisecond)
			continue
		}
		if descriptorOf(nc) >= l.server.spared {
			nc.Close()
			l.counts.refused("descriptors")
			l.rest(100 * time.Millisecond)
			continue
		}
		if a := l.arrive(nc); a != nil {
			return a, true
		}
		nc.Close()
	}
}

// arrive asks the gate; nil: close it. Where proxies connect, their address
// is not counted: the one that the header tells will be.
func (l *listener) arrive(nc net.Conn) *arrival {
	a := &arrival{Conn: nc, l: l, terms: l.terms.Load(), since: l.server.clock.Now(), limit: time.Now().Add(l.limits().PreauthDeadline),
		remote: addrPort(nc.RemoteAddr()), local: addrPort(nc.LocalAddr())}
	a.left.Store(proxyMost)
	a.counted = a.remote.Addr()
	if a.terms.Proxies != nil {
		if !a.terms.fromProxy(a.remote.Addr()) {
			l.preauthClosed(a.remote, "proxy", errNoProxy)
			return nil
		}
		a.counted = netip.Addr{}
	}
	if !l.admitAt(l.counts, a.remote, a.counted) {
		return nil
	}
	keepAlive(nc)
	nc.SetDeadline(a.limit) //nolint:errcheck // a deadline on an open connection
	return a
}

// info describes the connection.
func (a *arrival) info() adapters.Info {
	i := a.l.info(a.remote, a.local)
	if a.proxied != nil {
		i.Loopback = i.Loopback && limit.Loopback(a.proxied.socket)
		i.Certificate = a.proxied.certificate
	}
	return i
}

// serveArrival runs a connection of a stream room.
func (l *listener) serveArrival(a *arrival) {
	nc, info := net.Conn(a), a.info()
	if l.secure {
		tc, err := a.handshake()
		if err != nil {
			a.failed("tls", err)
			return
		}
		nc, info.Certificate = tc, certificate(tc, info.Certificate)
	}
	if !a.handOver() {
		a.Close()
		return
	}
	if !l.secure && a.adopt(info) {
		return
	}
	room := l.streamRoom()
	l.server.wg.Go(func() { l.runPump(&netCarrier{Conn: nc}, a, l.counts, info, room) }) // the stack of the handshake goes
}

// lingered discards what the peer of a failed handshake still sends, for a
// bounded time, so that no reset destroys the alert that tells it why.
func (a *arrival) lingered() {
	a.CloseWrite()                                              //nolint:errcheck // the peer may have gone
	a.SetReadDeadline(time.Now().Add(linger))                   //nolint:errcheck // a deadline on an open connection
	io.Copy(io.Discard, io.LimitReader(a.Conn, handshakeBytes)) //nolint:errcheck // it ends with the peer or the deadline
}

// failed closes a connection, and says whose limit or what error it was.
func (a *arrival) failed(why string, err error) {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		why, err = "deadline", nil
	case errors.Is(err, errAllowance):
		why, err = "bytes", nil
	}
	if a.l.server.ctx.Err() == nil {
		a.l.preauthClosed(a.remote, why, err)
	}
	if why == "tls" {
		a.lingered()
	}
	a.Close()
}

// rest waits, unless the server stops.
func (l *listener) rest(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-l.server.ctx.Done():
	}
}

// keepAlive sets what tune sets on raw sockets; no delay is Go's default.
func keepAlive(nc net.Conn) {
	if t, ok := nc.(*net.TCPConn); ok {
		t.SetKeepAliveConfig(net.KeepAliveConfig{ //nolint:errcheck // best effort
			Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4})
	}
}
