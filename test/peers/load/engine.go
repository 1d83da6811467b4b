package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/entrepot/entrepot/internal/bench"
)

// patience is the longest wait for an answer.
const patience = 60 * time.Second

// Engine is one locked thread with its connections. It is used by the goroutine that made it alone.
type Engine struct {
	ep       int
	conns    []*Conn // by descriptor
	flows    []*Flow
	touched  []*Conn
	read     []byte
	scratch  []byte
	events   [512]unix.EpollEvent
	began    time.Time
	now      time.Duration // at the last read
	running  bool          // flows send as soon as there is room
	err      error
	connacks uint64

	Ledgers  int              // of new connections, before they subscribe
	Poll     bool             // never sleep, so that what takes time is the peer and not the waking up of this core
	Latency  *bench.Histogram // nil: not measured
	Sent     uint64
	Received uint64 // publishes
	Acked    uint64 // PUBACK and PUBCOMP
	Subacks  uint64
	Arrived  func(c *Conn) // called for each publish of a connection without ledgers; may be nil
}

// New locks the calling goroutine to its thread, on the given core, or on any with -1.
func New(core int) (*Engine, error) {
	runtime.LockOSThread()
	if core >= 0 {
		if err := Pin(core); err != nil {
			return nil, err
		}
	}
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &Engine{ep: ep, read: make([]byte, 256<<10), scratch: make([]byte, 0, 256<<10), began: time.Now()}, nil
}

// Pin keeps the calling thread, and what it starts, on one core.
func Pin(core int) error {
	var set unix.CPUSet
	set.Set(core)
	return unix.SchedSetaffinity(0, &set)
}

// Close ends all connections and lets the thread go.
func (e *Engine) Close() {
	for _, c := range e.conns {
		if c != nil {
			c.Close()
		}
	}
	unix.Close(e.ep)
	runtime.UnlockOSThread()
}

func (e *Engine) add(c *Conn) error {
	for len(e.conns) <= c.fd {
		e.conns = append(e.conns, nil)
	}
	e.conns[c.fd] = c
	return unix.EpollCtl(e.ep, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)})
}

// Now is the time of the engine's clock.
func (e *Engine) Now() time.Duration { return time.Since(e.began) }

// CPU is what the locked thread has used.
func CPU() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// Until turns until something holds, a connection ends or the time is up.
func (e *Engine) Until(done func() bool, atMost time.Duration) error {
	end := e.Now() + atMost
	for !done() {
		if e.err != nil {
			return e.err
		}
		if e.Now() > end {
			return errors.New("nothing more came")
		}
		e.turn(10 * time.Millisecond)
	}
	return e.err
}

// Idle turns for a while.
func (e *Engine) Idle(d time.Duration) error {
	end := e.Now() + d
	for e.Now() < end && e.err == nil {
		e.turn(min(10*time.Millisecond, end-e.Now()))
	}
	return e.err
}

// Run lets the flows send as fast as their windows allow, until the time is up or all have reached their limits.
func (e *Engine) Run(d time.Duration) error {
	e.running = true
	for _, f := range e.flows {
		f.conn.touch()
	}
	e.settle()
	end := e.Now() + d
	for e.Now() < end && e.err == nil && !e.finished() {
		e.turn(10 * time.Millisecond)
	}
	e.running = false
	return e.err
}

// finished tells whether all flows have a limit, and are through.
func (e *Engine) finished() bool {
	for _, f := range e.flows {
		if f.Limit == 0 || f.Sent < f.Limit || f.Back < f.Limit*max(f.Fan, 1) {
			return false
		}
	}
	return len(e.flows) > 0
}

// Pace lets the flows send one after the other at a fixed rate of all together, however the answers come.
func (e *Engine) Pace(rate float64, d time.Duration) error {
	gap := time.Duration(float64(time.Second) / rate)
	next := e.Now()
	end := next + d
	for i := 0; e.err == nil; {
		now := e.Now()
		if now >= end {
			break
		}
		for next <= now {
			e.flows[i%len(e.flows)].Send(1, next)
			next += gap
			i++
		}
		e.turn(max(0, next-e.Now()))
	}
	return e.err
}

// Drain turns until everything that was sent has come back, or nothing has moved for two seconds.
func (e *Engine) Drain() error {
	last, quiet := uint64(0), e.Now()
	for e.err == nil {
		open := false
		for _, f := range e.flows {
			open = open || f.Back < f.Sent*max(f.Fan, 1)
		}
		if n := e.Received + e.Acked; n != last {
			last, quiet = n, e.Now()
		}
		if !open && e.Now()-quiet > 20*time.Millisecond || e.Now()-quiet > 2*time.Second {
			break
		}
		e.turn(5 * time.Millisecond)
	}
	return e.err
}

// turn waits once and serves what came.
func (e *Engine) turn(wait time.Duration) {
	if e.Poll {
		wait = 0
	}
	n := e.wait(wait)
	for i := range e.events[:n] {
		ev := &e.events[i]
		c := e.conns[ev.Fd]
		if c == nil {
			continue
		}
		if ev.Events&unix.EPOLLOUT != 0 {
			c.flush()
		}
		if ev.Events&^unix.EPOLLOUT != 0 && c.fd >= 0 {
			e.receive(c)
		}
	}
	e.settle()
}

// settle writes what the turn has to say: acknowledgements, then new messages.
func (e *Engine) settle() {
	for i := 0; i < len(e.touched); i++ {
		c := e.touched[i]
		c.touched = false
		if c.fd < 0 {
			continue
		}
		if len(c.acks) > 0 {
			c.Write(c.acks)
			c.acks = c.acks[:0]
		}
		if f := c.flow; f != nil && e.running && len(c.out) == 0 {
			if n := f.room(); n > 0 {
				f.Send(n, e.Now())
			}
		}
	}
	e.touched = e.touched[:0]
}

// wait is a raw system call: the thread does nothing else, and nobody need take its processor.
func (e *Engine) wait(d time.Duration) int {
	t := unix.NsecToTimespec(int64(max(d, 0)))
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(e.ep), uintptr(unsafe.Pointer(&e.events[0])),
		uintptr(len(e.events)), uintptr(unsafe.Pointer(&t)), 0, 0)
	if errno != 0 {
		if errno != unix.EINTR {
			e.err = errno
		}
		return 0
	}
	return int(n)
}

func write(fd int, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

// receive reads once and handles every whole packet.
func (e *Engine) receive(c *Conn) {
	kept := copy(e.read, c.tail)
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(&e.read[kept])), uintptr(len(e.read)-kept))
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
		return
	case errno != 0:
		c.fail(errno)
		return
	case n == 0:
		c.fail(io.EOF)
		return
	}
	if e.Latency != nil {
		e.now = e.Now()
	}
	b := e.read[:kept+int(n)]
	for len(b) > 0 {
		header, rest := head(b)
		if header < 0 || header+rest > len(e.read) {
			c.fail(fmt.Errorf("packet of %d bytes", rest))
			return
		}
		if header == 0 || header+rest > len(b) {
			break
		}
		c.packet(b[0], b[header:header+rest])
		b = b[header+rest:]
	}
	c.tail = append(c.tail[:0], b...)
}

// packet handles one packet.
func (c *Conn) packet(first byte, b []byte) {
	e := c.e
	if len(b) < 2 && first>>4 != pingresp {
		c.fail(io.ErrUnexpectedEOF)
		return
	}
	switch first >> 4 {
	case publish:
		c.published(first, b)
	case puback, pubcomp:
		e.Acked++
		if c.flow != nil && c.flow.Fan == 0 {
			c.flow.Back++
			c.touch()
		}
	case pubrec:
		c.acks = append(c.acks, 0x62, 2, b[0], b[1])
		c.touch()
	case pubrel:
		c.acks = append(c.acks, 0x70, 2, b[0], b[1])
		c.touch()
	case connack:
		e.connacks++
		if b[1] != 0 {
			c.fail(fmt.Errorf("CONNACK % x", b))
		}
	case suback:
		e.Subacks++
		for _, code := range b[2:] {
			if code > 2 {
				c.fail(fmt.Errorf("SUBACK %#x", code))
			}
		}
	case unsuback, pingresp:
	default:
		c.fail(fmt.Errorf("packet %#x", first))
	}
}

func (c *Conn) published(first byte, b []byte) {
	e := c.e
	body := 2 + int(binary.BigEndian.Uint16(b))
	if qos := first >> 1 & 3; qos > 0 && len(b) >= body+2 {
		reply := byte(puback << 4)
		if qos == 2 {
			reply = pubrec << 4
		}
		c.acks = append(c.acks, reply, 2, b[body], b[body+1])
		c.touch()
		body += 2
	}
	e.Received++
	c.Count++
	if len(c.Ledgers) == 0 || len(b) < body+MinPayload {
		if e.Arrived != nil {
			e.Arrived(c)
		}
		return
	}
	b = b[body:]
	from := binary.BigEndian.Uint32(b[8:])
	if int(from) >= len(c.Ledgers) {
		c.fail(fmt.Errorf("a message of publisher %d", from))
		return
	}
	c.Ledgers[from].Add(binary.BigEndian.Uint64(b[12:]))
	if e.Latency != nil {
		e.Latency.Add(e.now - time.Duration(binary.BigEndian.Uint64(b)))
	}
	if f := e.flows[from]; f.Fan > 0 {
		f.Back++
		f.conn.touch()
	}
}
