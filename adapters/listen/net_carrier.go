package listen

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"

	"github.com/entrepot/entrepot/core"
)

const (
	idleRead = 512      // what a parked reader holds
	busyRead = 32 << 10 // what it reads with while more comes than that
)

var readBuffers = sync.Pool{New: func() any { return new([busyRead]byte) }}

// netCarrier is TLS, or TCP where there is no epoll.
type netCarrier struct {
	net.Conn
	small [idleRead]byte
	large *[busyRead]byte
}

func (c *netCarrier) next() ([]byte, error) {
	buf := c.small[:]
	if c.large != nil {
		buf = c.large[:]
	}
	n, err := c.Conn.Read(buf)
	switch {
	case n == len(buf) && c.large == nil:
		c.large = readBuffers.Get().(*[busyRead]byte)
	case n <= idleRead && c.large != nil:
		b := append(c.small[:0], buf[:n]...)
		readBuffers.Put(c.large)
		c.large = nil
		return b, err
	}
	return buf[:n], err
}

func (c *netCarrier) write(b []byte) error {
	_, err := c.Conn.Write(b)
	return err
}

func (c *netCarrier) finish(_ core.Reason, deadline time.Time) {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		w.CloseWrite() //nolint:errcheck // the peer may have gone
	}
	c.Conn.SetReadDeadline(deadline) //nolint:errcheck // a deadline on an open connection
}

func (c *netCarrier) close() {
	if t, ok := c.Conn.(*tls.Conn); ok {
		t.NetConn().Close() // close_notify was sent by finish, or nobody is there to read it
		return
	}
	c.Conn.Close()
}

// acceptPumped accepts for carriers: TLS, and everything without epoll.
func (l *listener) acceptPumped() {
	for {
		nc, ok := l.acceptPaced(l.counts)
		if !ok {
			return
		}
		l.server.wg.Go(func() { l.welcome(nc) })
	}
}

// acceptPaced is the next connection that the limits let in; false: the
// listener was closed.
func (l *listener) acceptPaced(c *counters) (net.Conn, bool) {
	for {
		now := l.server.clock.Now()
		if at := l.pace(now); at > now {
			l.rest(at.Until(now))
			continue
		}
		nc, err := l.tcp.Accept()
		switch {
		case err != nil && (l.isClosed() || l.server.ctx.Err() != nil):
			return nil, false
		case err != nil: // no descriptors left
			c.refused("descriptors")
			l.rest(100 * time.Millisecond)
		case l.admit(c, addrPort(nc.RemoteAddr())):
			return nc, true
		default:
			nc.Close()
		}
	}
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

// welcome does the handshake of TLS and runs the connection.
func (l *listener) welcome(nc net.Conn) {
	remote := addrPort(nc.RemoteAddr())
	keepAlive(nc)
	info := l.info(remote, addrPort(nc.LocalAddr()))
	if l.tls != nil {
		ctx, cancel := context.WithTimeout(l.server.ctx, l.server.limits.PreauthDeadline)
		defer cancel()
		tc := tls.Server(nc, l.tls)
		if err := tc.HandshakeContext(ctx); err != nil {
			nc.Close()
			l.counts.preauthClosed("tls")
			l.server.events.preauthClosed(l.counts, remote, "tls")
			l.unadmit(remote.Addr())
			return
		}
		nc = tc
	}
	l.runPump(&netCarrier{Conn: nc}, l.counts, info, l.streamRoom())
}

// keepAlive sets what tune sets on raw sockets; no delay is Go's default.
func keepAlive(nc net.Conn) {
	if t, ok := nc.(*net.TCPConn); ok {
		t.SetKeepAliveConfig(net.KeepAliveConfig{ //nolint:errcheck // best effort
			Enable: true, Idle: time.Minute, Interval: 15 * time.Second, Count: 4})
	}
}
