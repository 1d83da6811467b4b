package load

import (
	"encoding/binary"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is one connection of an engine.
type Conn struct {
	e       *Engine
	fd      int
	tail    []byte // of a torn packet
	out     []byte // what the socket has not taken
	waiting bool   // for EPOLLOUT
	touched bool   // on the engine's list
	acks    []byte // to be written at the end of the turn
	flow    *Flow
	Ledgers []Ledger // by publisher; nil where nobody asks
	Count   uint64   // publishes received, whatever they hold
}

// A Flow is what a connection publishes.
type Flow struct {
	conn   *Conn
	frame  []byte
	at     int // of the packet identifier, 0 for none
	body   int // of the payload
	pid    uint16
	index  uint32
	Window uint64 // messages on their way at a time
	Fan    uint64 // deliveries that each makes; 0: an acknowledgement ends it
	Limit  uint64 // messages in all, 0 for no end
	Sent   uint64
	Back   uint64                       // deliveries, or acknowledgements
	Vary   func(frame []byte, n uint64) // changes the topic of message n in place
}

// Dial connects a client and waits for its CONNACK.
func (e *Engine) Dial(address, id string, clean bool) (*Conn, error) {
	list, err := e.DialAll(address, []string{id}, clean)
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// DialAll connects clients, some at a time.
func (e *Engine) DialAll(address string, ids []string, clean bool) ([]*Conn, error) {
	const atOnce = 64
	var all []*Conn
	for len(ids) > 0 {
		some := ids[:min(atOnce, len(ids))]
		ids = ids[len(some):]
		want := e.connacks + uint64(len(some))
		for _, id := range some {
			fd, err := connect(address)
			if err != nil {
				return all, fmt.Errorf("connection %d: %w", len(all), err)
			}
			c := &Conn{e: e, fd: fd, Ledgers: make([]Ledger, e.Ledgers)}
			if err := e.add(c); err != nil {
				return all, err
			}
			all = append(all, c)
			c.Write(Connect(id, clean))
		}
		if err := e.Until(func() bool { return e.connacks >= want }, patience); err != nil {
			return all, fmt.Errorf("%d of %d connections: %w", e.connacks, want, err)
		}
	}
	return all, nil
}

func connect(address string) (int, error) {
	a, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	to := &unix.SockaddrInet4{Port: a.Port}
	copy(to.Addr[:], a.IP.To4())
	for {
		if err = unix.Connect(fd, to); err != unix.EINTR {
			break
		}
	}
	if err == unix.EISCONN {
		err = nil
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Subscribe subscribes and waits for the SUBACK; publishers is how many ledgers to keep.
func (c *Conn) Subscribe(qos byte, publishers int, filters ...string) error {
	c.Ledgers = make([]Ledger, publishers)
	want := c.e.Subacks + 1
	c.Write(Subscribe(1, qos, filters...))
	return c.e.Until(func() bool { return c.e.Subacks >= want }, patience)
}

// Publisher makes the connection a publisher. Its number is the index in the engine.
func (c *Conn) Publisher(topic string, qos byte, retain bool, size int) *Flow {
	f := &Flow{conn: c, index: uint32(len(c.e.flows)), Window: 64, Fan: 1}
	f.frame, f.at, f.body = Publish(topic, qos, retain, size)
	binary.BigEndian.PutUint32(f.frame[f.body+8:], f.index)
	c.flow = f
	c.e.flows = append(c.e.flows, f)
	return f
}

// Write sends bytes, or keeps what the socket does not take.
func (c *Conn) Write(b []byte) {
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return
	}
	if n := c.some(b); n < len(b) {
		c.out = append(c.out[:0], b[n:]...)
		c.want(true)
	}
}

// some writes as much as the socket takes.
func (c *Conn) some(b []byte) int {
	n := 0
	for n < len(b) {
		k, err := write(c.fd, b[n:])
		switch err {
		case 0:
			n += k
		case unix.EINTR:
		case unix.EAGAIN:
			return n
		default:
			c.fail(err)
			return len(b)
		}
	}
	return n
}

func (c *Conn) want(out bool) {
	if c.waiting == out || c.fd < 0 {
		return
	}
	c.waiting = out
	events := uint32(unix.EPOLLIN)
	if out {
		events |= unix.EPOLLOUT
	}
	if err := unix.EpollCtl(c.e.ep, unix.EPOLL_CTL_MOD, c.fd, &unix.EpollEvent{Events: events, Fd: int32(c.fd)}); err != nil {
		c.fail(err)
	}
}

// flush writes what is left over.
func (c *Conn) flush() {
	n := c.some(c.out)
	c.out = append(c.out[:0], c.out[n:]...)
	if len(c.out) == 0 {
		c.want(false)
		c.touch()
	}
}

func (c *Conn) touch() {
	if !c.touched {
		c.touched = true
		c.e.touched = append(c.e.touched, c)
	}
}

func (c *Conn) fail(err error) {
	if c.e.err == nil {
		c.e.err = fmt.Errorf("a connection ended: %w", err)
	}
	c.Close()
}

// Close ends the connection without a word.
func (c *Conn) Close() {
	if c.fd < 0 {
		return
	}
	c.e.conns[c.fd] = nil
	unix.Close(c.fd)
	c.fd = -1
}

// room is how many messages the flow may send now.
func (f *Flow) room() uint64 {
	n := f.Window - min(f.Window, f.Sent-f.Back/max(f.Fan, 1))
	if f.Limit > 0 {
		n = min(n, f.Limit-f.Sent)
	}
	return n
}

// Send sends n messages in as few writes as the scratch buffer allows.
func (f *Flow) Send(n uint64, intended time.Duration) {
	e := f.conn.e
	b := e.scratch[:0]
	for range n {
		if len(b)+len(f.frame) > cap(b) {
			f.conn.Write(b)
			b = b[:0]
		}
		from := len(b)
		b = append(b, f.frame...)
		m := b[from:]
		if f.at > 0 {
			if f.pid++; f.pid == 0 {
				f.pid = 1
			}
			binary.BigEndian.PutUint16(m[f.at:], f.pid)
		}
		binary.BigEndian.PutUint64(m[f.body:], uint64(intended))
		binary.BigEndian.PutUint64(m[f.body+12:], f.Sent)
		if f.Vary != nil {
			f.Vary(m, f.Sent)
		}
		f.Sent++
	}
	f.conn.Write(b)
	e.Sent += n
}
