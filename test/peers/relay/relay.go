// Package relay is the floor of the benchmark: it copies PUBLISH frames of QoS 0 from socket to socket, with no logic of
// a broker: one thread, an epoll on raw descriptors, one read and one write per connection and turn, the hot wait.
//
// It is defined by docs/performance.md. It serves the clients of package load alone, and trusts them.
package relay

import (
	"encoding/binary"
	"net"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const hotWait = 2 // milliseconds: a wait that was shorter makes the next one raw

type conn struct {
	fd    int
	tail  []byte
	out   []byte
	dirty bool
	full  bool    // waits for EPOLLOUT
	topic []byte  // of the last PUBLISH
	to    []*conn // and who gets it
}

type relay struct {
	ep, listener int
	conns        map[int]*conn
	topics       map[string][]*conn
	dirty        []*conn
	read         []byte
	events       [512]unix.EpollEvent
	hot          bool
}

// Serve relays on an address of IPv4 until the process ends.
func Serve(address string) error {
	runtime.LockOSThread()
	a, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return err
	}
	r := &relay{conns: map[int]*conn{}, topics: map[string][]*conn{}, read: make([]byte, 256<<10)}
	if r.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if r.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	if err = unix.SetsockoptInt(r.listener, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	at := &unix.SockaddrInet4{Port: a.Port}
	copy(at.Addr[:], a.IP.To4())
	if err = unix.Bind(r.listener, at); err != nil {
		return err
	}
	if err = unix.Listen(r.listener, 1024); err != nil {
		return err
	}
	if err = r.control(unix.EPOLL_CTL_ADD, r.listener, unix.EPOLLIN); err != nil {
		return err
	}
	for {
		r.turn()
	}
}

func (r *relay) control(op, fd int, events uint32) error {
	return unix.EpollCtl(r.ep, op, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
}

// turn reads all that is readable, and writes once to each receiver.
func (r *relay) turn() {
	for i := range r.events[:r.wait()] {
		ev := &r.events[i]
		if int(ev.Fd) == r.listener {
			r.accept()
			continue
		}
		c := r.conns[int(ev.Fd)]
		if c == nil {
			continue
		}
		if ev.Events&unix.EPOLLOUT != 0 {
			c.full = false
			r.mark(c)
		}
		if ev.Events&^unix.EPOLLOUT != 0 {
			r.receive(c)
		}
	}
	for _, c := range r.dirty {
		c.dirty = false
		r.flush(c)
	}
	r.dirty = r.dirty[:0]
}

func (r *relay) wait() int {
	began := time.Now()
	var n int
	if r.hot {
		k, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(r.ep), uintptr(unsafe.Pointer(&r.events[0])),
			uintptr(len(r.events)), hotWait, 0, 0)
		if errno == 0 {
			n = int(k)
		}
	} else if k, err := unix.EpollWait(r.ep, r.events[:], -1); err == nil {
		n = k
	}
	r.hot = n > 0 && time.Since(began) < hotWait*time.Millisecond
	return n
}

func (r *relay) accept() {
	for {
		fd, _, err := unix.Accept4(r.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // without it the relay is slower, not wrong
		if r.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN) != nil {
			unix.Close(fd)
			continue
		}
		r.conns[fd] = &conn{fd: fd}
	}
}

func (r *relay) receive(c *conn) {
	kept := copy(r.read, c.tail)
	n, err := unix.Read(c.fd, r.read[kept:])
	if err == unix.EAGAIN || err == unix.EINTR {
		return
	}
	if err != nil || n <= 0 {
		r.drop(c)
		return
	}
	b := r.read[:kept+n]
	for len(b) >= 2 {
		size := frame(b)
		if size == 0 || size > len(b) {
			break
		}
		r.packet(c, b[:size])
		b = b[size:]
	}
	c.tail = append(c.tail[:0], b...)
}

// frame is the length of the packet at the start of b, 0 while it is not known.
func frame(b []byte) int {
	n := 0
	for i := 1; i < len(b) && i < 5; i++ {
		n |= int(b[i]&0x7f) << (7 * (i - 1))
		if b[i] < 0x80 {
			return n + i + 1
		}
	}
	return 0
}

func (r *relay) packet(c *conn, p []byte) {
	body := 2
	for p[body-1] >= 0x80 {
		body++
	}
	switch p[0] >> 4 {
	case 3:
		n := int(binary.BigEndian.Uint16(p[body:]))
		topic := p[body+2 : body+2+n]
		if string(topic) != string(c.topic) {
			c.topic = append(c.topic[:0], topic...)
			c.to = r.topics[string(topic)]
		}
		for _, to := range c.to {
			to.out = append(to.out, p...)
			r.mark(to)
		}
	case 1:
		c.out = append(c.out, 0x20, 2, 0, 0)
		r.mark(c)
	case 8:
		n := int(binary.BigEndian.Uint16(p[body+2:]))
		topic := string(p[body+4 : body+4+n])
		r.topics[topic] = append(r.topics[topic], c)
		c.out = append(c.out, 0x90, 3, p[body], p[body+1], 0)
		r.mark(c)
	}
}

func (r *relay) mark(c *conn) {
	if !c.dirty {
		c.dirty = true
		r.dirty = append(r.dirty, c)
	}
}

func (r *relay) flush(c *conn) {
	if c.full || len(c.out) == 0 {
		return
	}
	n, err := unix.Write(c.fd, c.out)
	if err != nil && err != unix.EAGAIN && err != unix.EINTR {
		r.drop(c)
		return
	}
	c.out = append(c.out[:0], c.out[max(n, 0):]...)
	events := uint32(unix.EPOLLIN)
	if c.full = len(c.out) > 0; c.full {
		events |= unix.EPOLLOUT
	}
	if c.full {
		if err := r.control(unix.EPOLL_CTL_MOD, c.fd, events); err != nil {
			r.drop(c)
		}
	}
}

func (r *relay) drop(c *conn) {
	if r.conns[c.fd] == c {
		delete(r.conns, c.fd)
		unix.Close(c.fd)
	}
	c.out, c.full = nil, true // whoever still has it in a list writes nothing
}
