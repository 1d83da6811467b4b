package listen

import (
	"net/netip"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// rawConn is a stream on a descriptor of the loop's epoll. It holds no buffer
// while its peer reads.
type rawConn struct{ stream }

// ready serves the events of one pass.
func (c *rawConn) ready(events uint32) {
	if events&unix.EPOLLOUT != 0 {
		c.writable()
	}
	if c.phase == closed {
		return
	}
	if events&unix.EPOLLIN != 0 && c.events&unix.EPOLLIN != 0 {
		c.readable()
		return
	}
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		c.gone(core.ConnectionLost)
	}
}

// lastReads bounds what is still read from a connection that is taken over.
const lastReads = 8

// attend lets what the peer had sent before it was taken over be processed: its
// farewell may have been.
func (c *rawConn) attend(bits uint32) {
	if takenOver(bits) {
		for n := 0; n < lastReads && c.phase <= open && c.events&unix.EPOLLIN != 0 && c.readable(); n++ {
		}
	}
	c.stream.attend(bits)
}

// readable reads once; epoll is level-triggered, so that what remains comes
// in the next pass, after the other connections had theirs. full tells that
// something probably remains.
func (c *rawConn) readable() (full bool) {
	c.loop.overwrites()
	buf := c.loop.buf[:c.loop.portion.bytes]
	had := c.stage(buf)
	n, err := rawRead(int(c.fd), buf[had:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err != nil:
		c.gone(core.ConnectionLost)
	case n == 0:
		c.eof(core.ConnectionLost)
	default:
		c.loop.portion.routed = 0
		c.feed(buf[:had+n], had, true) // discards it once the room has ended
		c.loop.portion.fed(n, n == len(buf)-had)
	}
	return n == len(buf)-had
}

func (c *rawConn) write(b []byte) error {
	if pend := c.pend(); len(pend) > 0 {
		c.setPend(append(pend, b...))
		return nil
	}
	n, err := c.send(b)
	if n < len(b) && err == nil {
		c.setPend(append([]byte(nil), b[n:]...))
		c.watch(c.events | unix.EPOLLOUT)
	}
	return err
}

// gather is write for bytes that lie in pieces.
func (c *rawConn) gather(pieces [][]byte) error {
	if c.waiting() == 0 {
		n, err := rawWritev(int(c.fd), pieces)
		if err != nil && err != unix.EAGAIN && err != unix.EINTR {
			return err
		}
		for n > 0 {
			k := min(n, len(pieces[0]))
			if n -= k; k < len(pieces[0]) {
				pieces[0] = pieces[0][k:]
			} else {
				pieces = pieces[1:]
			}
		}
	}
	for i, b := range pieces {
		if pend := c.pend(); i == 1 && len(pend) > 0 { // one copy into memory that holds all of it
			c.setPend(slices.Grow(pend, total(pieces[1:])))
		}
		if err := c.write(b); err != nil {
			return err
		}
	}
	return nil
}

func total(pieces [][]byte) (n int) {
	for _, b := range pieces {
		n += len(b)
	}
	return n
}

// send writes what the kernel takes.
func (c *rawConn) send(b []byte) (n int, err error) {
	for n < len(b) {
		k, err := rawWrite(int(c.fd), b[n:])
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return n, nil
		case err != nil:
			return n, err
		default:
			n += k
		}
	}
	return n, nil
}

func (c *rawConn) writable() {
	pend := c.pend()
	n, err := c.send(pend)
	if err != nil {
		c.gone(core.ConnectionLost)
		return
	}
	if n == len(pend) {
		c.setPend(nil)
		c.watch(c.events &^ unix.EPOLLOUT)
	} else {
		c.setPend(pend[:copy(pend, pend[n:])])
	}
	if n > 0 {
		c.drained()
	}
}

// rawRead and rawWrite are for descriptors that do not block, so the scheduler
// need not know. b is not empty.
func rawRead(fd int, b []byte) (int, error) {
	return raw(unix.SYS_READ, fd, b)
}

func rawWrite(fd int, b []byte) (int, error) {
	return raw(unix.SYS_WRITE, fd, b)
}

// rawWritev writes pieces that are not empty. It may take some of them.
func rawWritev(fd int, pieces [][]byte) (int, error) {
	var vector [64]unix.Iovec
	n := min(len(pieces), len(vector))
	for i, b := range pieces[:n] {
		vector[i].Base = &b[0]
		vector[i].SetLen(len(b))
	}
	k, _, errno := unix.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(&vector[0])), uintptr(n))
	if errno != 0 {
		return 0, errno
	}
	return int(k), nil
}

func raw(call uintptr, fd int, b []byte) (int, error) {
	n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func (c *rawConn) waiting() int { return len(c.pend()) }

func (c *rawConn) reading(on bool) {
	if on {
		c.watch(c.events | unix.EPOLLIN)
	} else {
		c.watch(c.events &^ unix.EPOLLIN)
	}
}

func (c *rawConn) watch(events uint8) {
	if events != c.events {
		c.events = events
		c.loop.wait.control(unix.EPOLL_CTL_MOD, int(c.fd), c.at, uint32(events)) //nolint:errcheck // the descriptor is registered
	}
}

func (c *rawConn) loggingIn() {} // the stream counts all that a room gets

func (c *rawConn) finish(core.Reason) { unix.Shutdown(int(c.fd), unix.SHUT_WR) }

func (c *rawConn) release() {
	unix.Close(int(c.fd))
	c.setPend(nil)
}

// raw is a stream on a descriptor that was accepted, before it starts.
func (l *loop) raw(fd int, counts *counters) *rawConn {
	c := new(rawConn)
	c.loop, c.own, c.counts = l, c, counts
	c.fd, c.events = int32(fd), unix.EPOLLIN
	return c
}

// adopt makes a stream of an accepted descriptor, on its loop.
func (l *listener) adopt(loop *loop, fd int, info adapters.Info, since core.Time) {
	c := loop.raw(fd, l.counts)
	c.start(info, l.streamRoom(), since)
	if c.phase == closed {
		return
	}
	if err := loop.wait.control(unix.EPOLL_CTL_ADD, fd, c.at, uint32(c.events)); err != nil {
		c.gone(core.Internal)
	}
}

func localAddr(fd int) netip.AddrPort {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	return sockaddr(sa)
}

func sockaddr(sa unix.Sockaddr) netip.AddrPort {
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}
