package listen

import (
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

func (c *netCarrier) loggingIn() {} // the stream counts all that a room gets

func (c *netCarrier) close() {
	if t, ok := c.Conn.(*tls.Conn); ok {
		t.NetConn().Close() // close_notify was sent by finish, or nobody is there to read it
		return
	}
	c.Conn.Close()
}
