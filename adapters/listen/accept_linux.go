package listen

import (
	"io"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

const (
	acceptBatch = 64  // connections taken in one pass
	acceptPause = 100 // milliseconds without descriptors
)

// acceptor is a listening descriptor in the epoll of one loop, which hands
// the connections round to all loops.
type acceptor struct {
	link
	noStream
	listener *listener
	fd       int
	at       int32
	gone     bool
	fixed    netip.AddrPort // the local address of all; zero: each has its own
	resume   core.Time      // accepting pauses until then; 0: it does not
	addr     sockaddrBuf
}

// serveRaw gives the listening socket to a loop; false: it is not a raw one.
func (l *listener) serveRaw() bool {
	fd, err := detach(l.tcp)
	if err != nil {
		return false
	}
	l.raw = &acceptor{listener: l, fd: fd}
	if at := localAddr(fd); l.network == "tcp" {
		tune(fd) // what it accepts inherits its options
		if !at.Addr().IsUnspecified() {
			l.raw.fixed = at
		}
	}
	l.raw.loop, l.raw.own = l.server.pick(), l.raw
	return l.raw.loop.call(l.raw.begin)
}

func (a *acceptor) begin(l *loop) {
	l.wait.watch(a.fd, a) //nolint:errcheck // a valid descriptor
	a.at = l.wait.place(a)
}

// detach takes a descriptor out of Go's poller, and closes what held it.
func detach(c io.Closer) (fd int, err error) {
	f, err := c.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		return -1, err
	}
	defer f.Close()
	if fd, err = unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return -1, err
	}
	if err = unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, err
	}
	c.Close()
	return fd, nil
}

// close stops accepting, on the acceptor's loop, and returns when it has. Who
// has connected already is let in, a batch of them, and not reset by the kernel.
func (a *acceptor) close() {
	a.onLoop(func(l *loop) {
		a.ready()
		a.shut(l)
	})
}

// handBack stops accepting, but keeps the address: the socket is a listener of
// Go again.
func (a *acceptor) handBack() (ln net.Listener, err error) {
	err = net.ErrClosed
	a.onLoop(func(l *loop) {
		var fd int
		if a.gone {
			return
		}
		if fd, err = unix.FcntlInt(uintptr(a.fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return
		}
		f := os.NewFile(uintptr(fd), "listener")
		if ln, err = net.FileListener(f); err == nil {
			a.shut(l)
		}
		f.Close()
	})
	return ln, err
}

func (a *acceptor) shut(l *loop) {
	if !a.gone {
		a.gone = true
		l.wheel.remove(&a.link)
		l.wait.forget(a)
		unix.Close(a.fd)
	}
}

// onLoop runs f on the acceptor's loop and waits for it.
func (a *acceptor) onLoop(f func(*loop)) {
	done := make(chan struct{})
	if a.loop.call(func(l *loop) { f(l); close(done) }) {
		<-done
	}
}

// ready accepts a batch.
func (a *acceptor) ready() {
	for range acceptBatch {
		if a.gone || a.resume != 0 {
			return
		}
		now := a.loop.turn.Now
		if at := a.listener.pace(now); at > now {
			a.pause(at)
			return
		}
		fd, err := a.accept()
		switch err {
		case 0:
			if fd >= a.loop.server.spared {
				unix.Close(fd)
				a.listener.counts.refused("descriptors")
				a.pause(now + acceptPause)
				return
			}
			a.accepted(fd, a.addr.addrPort())
		case unix.EAGAIN:
			return
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			a.listener.counts.refused("descriptors")
			a.pause(now + acceptPause)
			return
		}
	}
}

func (a *acceptor) accepted(fd int, remote netip.AddrPort) {
	if r := a.listener.ask(a.listener.counts, remote, remote.Addr()); r != limit.Admitted {
		a.turnAway(fd, remote, r)
		return
	}
	info := a.listener.info(remote, a.local(fd))
	if a.listener.network != "tcp" {
		info.Unix = peerOf(fd)
	}
	since := a.loop.turn.Now
	target := a.loop.server.pick()
	if target == a.loop {
		a.listener.adopt(target, fd, info, since)
		return
	}
	a.handOver(target, fd, info, since)
}

// handOver gives a connection to another loop.
func (a *acceptor) handOver(target *loop, fd int, info adapters.Info, since core.Time) {
	if !target.call(func(l *loop) { a.listener.adopt(l, fd, info, since) }) {
		a.listener.unadmit(info.Remote.Addr())
		unix.Close(fd)
	}
}

// local is the address that a connection was made to. Where the listener has
// one alone, the kernel need not be asked.
func (a *acceptor) local(fd int) netip.AddrPort {
	if a.fixed.IsValid() {
		return a.fixed
	}
	return a.addr.local(fd)
}

// peerOf asks the kernel who is at the other end of a Unix socket (MH4).
func peerOf(fd int) *adapters.UnixPeer {
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return nil
	}
	return &adapters.UnixPeer{UID: int(c.Uid), GID: int(c.Gid), PID: int(c.Pid)}
}

// adopt gives a plain connection, whose PROXY header was read, to the
// epoll of a loop; false: it stays what it is.
func (a *arrival) adopt(info adapters.Info) bool {
	fd, err := detach(a.Conn)
	if err != nil {
		return false
	}
	if !a.l.server.pick().call(func(l *loop) { a.l.adopt(l, fd, info, a.since) }) {
		a.l.unadmit(info.Remote.Addr())
		unix.Close(fd)
	}
	return true
}

// tune sets the options of every TCP connection: no delay, and keep-alive
// after a minute, for peers whose protocol has none.
func tune(fd int) {
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60)
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15)
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4)
}

// pause leaves connections in the kernel's queue for a while.
func (a *acceptor) pause(until core.Time) {
	a.resume = until
	a.loop.wait.control(unix.EPOLL_CTL_MOD, a.fd, a.at, 0) //nolint:errcheck // registered
	a.loop.wheel.arm(&a.link, until)
}

func (a *acceptor) attend(uint32) {}

func (a *acceptor) expire(now core.Time) {
	if a.gone || a.resume == 0 {
		return
	}
	if now < a.resume {
		a.loop.wheel.arm(&a.link, a.resume)
		return
	}
	a.resume = 0
	a.loop.wait.control(unix.EPOLL_CTL_MOD, a.fd, a.at, unix.EPOLLIN) //nolint:errcheck // registered
}
