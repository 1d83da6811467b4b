package listen

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// waiter is where a loop sleeps: epoll with an eventfd to wake it.
type waiter struct {
	*epoll
}

const (
	maxEvents = 512
	hotWait   = 2  // milliseconds: after a wait that was shorter, the next one is raw, and at most that long
	atWake    = -1 // Event.Fd of the eventfd; sources count down from -2
)

type epoll struct {
	l         *loop
	fd, event int
	ready     int
	mayBeHot  bool // a processor is left for the other goroutines
	hot       bool // the last wait was short
	events    [maxEvents]unix.EpollEvent
	sources   []source // by -2-Event.Fd
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
	e := &epoll{l: l, fd: fd, event: event, mayBeHot: runtime.GOMAXPROCS(0) > l.server.loopCount()}
	return waiter{e}, e.control(unix.EPOLL_CTL_ADD, event, atWake, unix.EPOLLIN)
}

// control registers a descriptor under the place at; the descriptor rides
// along so that an event of its predecessor at that place is told apart.
func (e *epoll) control(op, fd int, at int32, events uint32) error {
	return unix.EpollCtl(e.fd, op, fd, &unix.EpollEvent{Events: events, Fd: at, Pad: int32(fd)})
}

// source is a listening or datagram socket of the loop.
type source interface{ ready() }

// watch registers a source.
func (e *epoll) watch(fd int, s source) error {
	if i := slices.Index(e.sources, nil); i >= 0 {
		e.sources[i] = s
	} else {
		e.sources = append(e.sources, s)
	}
	return e.control(unix.EPOLL_CTL_ADD, fd, e.place(s), unix.EPOLLIN)
}

// forget gives the place of a source to the next one. Its descriptor is closed;
// an event that is still under way finds nothing, or wakes the next one early.
func (e *epoll) forget(s source) {
	if i := slices.Index(e.sources, s); i >= 0 {
		e.sources[i] = nil
	}
}

// place is the Event.Fd of a source.
func (e *epoll) place(s source) int32 { return int32(-2 - slices.Index(e.sources, s)) }

// wake may be called from any goroutine.
func (e *epoll) wake() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	unix.Write(e.event, one[:]) // full means that a wake-up is pending
}

// brief is how long the next wait lasts at most, in milliseconds, whatever it is
// asked for; 0: it may last.
func (e *epoll) brief() int {
	if e.hot {
		return hotWait
	}
	return 0
}

// wait sleeps at most timeout milliseconds; -1: without end. While events come
// in quick succession the wait is a raw system call, which keeps the processor
// for the loop: cheaper by a third at some thousand messages a second. An idle
// loop waits in the ordinary way.
func (e *epoll) wait(timeout int) {
	if e.l.yield && timeout != 0 && (e.hot || !e.mayBeHot) {
		// What the pass woke must not wait for us. It lies in our processor's
		// queue; a raw wait keeps that, and where no processor is left to take
		// it from there, the runtime sees an ordinary wait only after some 100 µs.
		e.l.yield = false
		runtime.Gosched()
	}
	switch {
	case timeout == 0:
		e.ready, _ = e.rawWait(0)
	case e.hot:
		e.ready, e.hot = e.rawWait(hotWait)
	default:
		began := time.Now()
		e.ready = e.ordinaryWait(timeout)
		e.hot = e.mayBeHot && time.Since(began) < hotWait*time.Millisecond
	}
}

func (e *epoll) ordinaryWait(timeout int) int {
	n, err := unix.EpollWait(e.fd, e.events[:], timeout)
	if err != nil { // EINTR
		return 0
	}
	return n
}

// rawWait does not give the processor back. The runtime interrupts it when it
// wants to stop the world or has run it for long: EINTR. busy tells that the
// next wait may be raw too: something came, or the wait was interrupted and nobody
// needed the processor for long.
func (e *epoll) rawWait(timeout int) (ready int, busy bool) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(e.fd),
		uintptr(unsafe.Pointer(&e.events[0])), maxEvents, uintptr(timeout), 0, 0)
	if errno != 0 {
		began := time.Now()
		runtime.Gosched()
		return 0, time.Since(began) < hotWait*time.Millisecond
	}
	return int(n), n > 0
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
			if s := e.sources[-2-ev.Fd]; s != nil {
				s.ready()
			}
		default:
			if s := e.l.streams.get(ev.Fd); s != nil {
				if c, ok := s.own.(*rawConn); ok && c.fd == ev.Pad {
					c.ready(ev.Events)
				}
			}
		}
		if e.l.early.soon { // their outputs do not grow by what else is read
			e.l.early.soon = false
			e.l.wakeDirty()
		}
	}
}

func (e *epoll) close() {
	unix.Close(e.event)
	unix.Close(e.fd)
}
