package listen

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// waiter is where a loop sleeps: epoll with an eventfd to wake it.
type waiter struct {
	*epoll
}

const (
	maxEvents = 512
	atWake    = -1 // Event.Fd of the eventfd; acceptors count down from -2
)

type epoll struct {
	l         *loop
	fd, event int
	ready     int
	events    [maxEvents]unix.EpollEvent
	acceptors []*acceptor // by -2-Event.Fd
}

func newWaiter(l *loop) (waiter, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return waiter{}, fmt.Errorf("epoll: %w", err)
	}
	event, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(fd)
		return waiter{}, fmt.Errorf("eventfd: %w", err)
	}
	e := &epoll{l: l, fd: fd, event: event}
	return waiter{e}, e.control(unix.EPOLL_CTL_ADD, event, atWake, unix.EPOLLIN)
}

// control registers a descriptor under the place at; the descriptor rides
// along so that an event of its predecessor at that place is told apart.
func (e *epoll) control(op, fd int, at int32, events uint32) error {
	return unix.EpollCtl(e.fd, op, fd, &unix.EpollEvent{Events: events, Fd: at, Pad: int32(fd)})
}

// wake may be called from any goroutine.
func (e *epoll) wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.Write(e.event, one[:]) // full means that a wake-up is pending
}

// wait sleeps at most timeout milliseconds; -1: without end.
func (e *epoll) wait(timeout int) {
	n, err := unix.EpollWait(e.fd, e.events[:], timeout)
	if err != nil { // EINTR
		n = 0
	}
	e.ready = n
}

// dispatch serves what wait found.
func (e *epoll) dispatch() {
	for i := range e.events[:e.ready] {
		ev := &e.events[i]
		switch {
		case ev.Fd == atWake:
			var buf [8]byte
			unix.Read(e.event, buf[:])
		case ev.Fd < atWake:
			e.acceptors[-2-ev.Fd].ready()
		default:
			if s := e.l.streams.get(ev.Fd); s != nil {
				if c, ok := s.tr.(*rawConn); ok && c.fd == int(ev.Pad) {
					c.ready(ev.Events)
				}
			}
		}
	}
}

func (e *epoll) close() {
	unix.Close(e.event)
	unix.Close(e.fd)
}
