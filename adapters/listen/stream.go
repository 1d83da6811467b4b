package listen

import (
	"errors"
	"net/netip"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

const (
	lowWater = 64 << 10        // a room is not woken while more than this waits for its peer
	linger   = 2 * time.Second // after the flush, for the peer's end; and between two signs of it while flushing
	keepMore = 1 << 20         // input kept beyond the largest message, before a room that hoards is stopped
)

// transport is the socket side of a stream. The loop calls it.
type transport interface {
	// write sends b and keeps what the peer does not take.
	write(b []byte) error
	// waiting is what it keeps, in bytes.
	waiting() int
	// reading turns input on and off.
	reading(on bool)
	// finish half-closes, when nothing waits any more. Input goes on.
	finish(r core.Reason)
	// release gives the socket back at once.
	release()
}

type phase uint8

const (
	unauthenticated phase = iota // L1 runs
	loggingIn                    // L2 runs
	open
	flushing  // the room has ended it, bytes wait
	lingering // all was written, the peer's end is awaited
	closed
)

// stream drives the room of one connection. Owned by the loop.
type stream struct {
	link
	conn   adapters.Conn
	tr     transport
	counts *counters
	addr   netip.Addr
	port   uint16

	phase   phase
	reason  core.Reason
	paused  bool // by the room
	blocked bool // the transport was told not to read
	replay  bool // kept input must be given again
	wakeDue bool // a wake-up was held back
	counted bool // as authenticated

	allowance int32     // L3: bytes before LoggingIn
	at        int32     // place in the loop's table
	deadline  core.Time // of the phase
	stall     core.Time // while bytes wait: when the peer counts as stalled
	kept      []byte    // input that was not consumed
}

// attend does what was posted.
func (s *stream) attend(bits uint32) {
	if bits&bitEvict != 0 {
		s.evict(core.Reason(bits >> reasonShift))
	}
	if bits&bitReady != 0 {
		s.wake()
	}
}

// start opens the room on a connection that the gate admitted. loop, own and
// counts are set.
func (s *stream) start(tr transport, info adapters.Info, room adapters.StreamRoom) {
	l := s.loop
	s.tr = tr
	s.addr, s.port = info.Remote.Addr(), info.Remote.Port()
	s.at = l.streams.add(s)
	l.live++
	limits := &l.server.limits
	s.allowance = int32(min(limits.PreauthBytes, 1<<30))
	s.counts.connected()
	s.until(l.turn.Now.After(limits.PreauthDeadline))
	if !s.roomOpen(info, room) {
		s.gone(core.Internal)
	} else if l.stopping {
		s.Evict(core.ShuttingDown)
	}
}

func (s *stream) until(at core.Time) {
	s.deadline = at
	s.loop.wheel.arm(&s.link, at)
}

// LoggingIn ends L1 and L3 and begins L2.
func (s *stream) LoggingIn() {
	if s.phase == unauthenticated {
		s.phase = loggingIn
		s.until(s.loop.turn.Now.After(s.loop.server.limits.PreauthExchange))
	}
}

// Authenticated gives the place among the unauthenticated back.
func (s *stream) Authenticated() {
	if s.counted {
		return
	}
	s.counted = true
	s.loop.server.gate.Authenticated(s.addr)
	s.counts.authenticated()
	if s.phase <= loggingIn {
		s.phase, s.deadline = open, 0
	}
}

// Ended is for datagram peers.
func (s *stream) Ended(core.Reason) {}

// feed takes bytes that arrived. They are the caller's again afterwards.
func (s *stream) feed(in []byte) {
	if s.phase > open {
		return
	}
	if s.phase == unauthenticated {
		s.allowance -= int32(len(in))
	}
	if len(s.kept) > 0 {
		s.kept = append(s.kept, in...)
		s.keep(s.input(s.kept))
	} else {
		s.keep(s.input(in))
	}
	s.replayKept()
	switch {
	case s.phase == unauthenticated && s.allowance < 0:
		s.gone(core.TooLarge)
	case s.phase <= open && len(s.kept) > s.loop.server.limits.MessageBytes+keepMore:
		s.gone(core.TooLarge)
	}
}

// keep stores what the room left: a torn packet, or all while it pauses.
func (s *stream) keep(rest []byte) {
	switch {
	case len(rest) == 0 || s.phase > open:
		s.kept = nil
	case len(s.kept) >= len(rest) && cap(s.kept) < 4*len(rest)+lowWater && &s.kept[len(s.kept)-1] == &rest[len(rest)-1]:
		if len(rest) < len(s.kept) {
			s.kept = append(s.kept[:0], rest...)
		}
	default:
		s.kept = append([]byte(nil), rest...)
	}
}

func (s *stream) replayKept() {
	for s.replay && s.mayRead() {
		s.replay = false
		s.keep(s.input(s.kept))
	}
}

func (s *stream) mayRead() bool {
	return s.phase <= open && !s.paused && s.tr.waiting() <= s.loop.server.limits.WriteBuffer
}

// input gives the room what arrived, and returns what it left.
func (s *stream) input(in []byte) []byte {
	for len(in) > 0 {
		if !s.mayRead() {
			s.replay = s.replay || !s.paused
			return in
		}
		out := s.loop.output()
		n, err, ok := s.roomInput(in, out)
		if !ok || n < 0 || n > len(in) {
			s.gone(core.Internal)
			return nil
		}
		in = in[n:]
		if err != nil {
			out.CloseAfterFlush(reasonOf(err))
		}
		more := out.More
		s.joinWake(out)
		if !s.flush(out) {
			return nil
		}
		if !more {
			return in
		}
		s.again()
	}
	return nil
}

// joinWake lets the answers and the deliveries of one input leave in one
// write.
func (s *stream) joinWake(out *adapters.Output) {
	if _, closing := out.Closing(); closing || out.Full() || s.state.Load()&bitReady == 0 || s.tr.waiting() > lowWater {
		return
	}
	s.state.And(^uint32(bitReady))
	out.More = false
	if !s.roomWake(out) {
		out.CloseAfterFlush(core.Internal)
		return
	}
	if out.More {
		s.again()
	}
}

// wake follows Ready.
func (s *stream) wake() {
	switch {
	case s.phase > open:
		return
	case s.tr.waiting() > lowWater:
		s.wakeDue = true
		return
	}
	out := s.loop.output()
	if !s.roomWake(out) {
		s.gone(core.Internal)
		return
	}
	more := out.More
	if s.flush(out) && more {
		s.again()
	}
	s.replayKept()
}

func (s *stream) evict(r core.Reason) {
	if s.phase > open {
		return
	}
	out := s.loop.output()
	if !s.roomEvict(r, out) {
		s.gone(core.Internal)
		return
	}
	out.CloseAfterFlush(r)
	s.flush(out)
}

// flush sends the output and does what else it asks for; false: the
// connection has ended.
func (s *stream) flush(out *adapters.Output) bool {
	if len(out.B) > 0 {
		if err := s.tr.write(out.B); err != nil {
			s.gone(core.ConnectionLost)
			return false
		}
	}
	if s.stall == 0 && s.tr.waiting() > 0 {
		s.watchStall()
	}
	paused, resumed := out.Reading()
	switch {
	case paused:
		s.paused = true
	case resumed:
		s.paused, s.replay = false, true
	}
	if r, closing := out.Closing(); closing {
		s.close(r)
		return false
	}
	s.setReading()
	return true
}

// watchStall starts the time that a peer may leave bytes waiting (L16).
func (s *stream) watchStall() {
	s.stall = s.loop.turn.Now.After(s.loop.server.limits.WriteStall)
	s.loop.wheel.arm(&s.link, s.stall)
}

func (s *stream) setReading() {
	if blocked := !s.mayRead(); blocked != s.blocked {
		s.blocked = blocked
		s.tr.reading(!blocked)
	}
}

// drained follows progress of what waited.
func (s *stream) drained() {
	n := s.tr.waiting()
	switch {
	case n == 0:
		s.stall = 0
	case s.stall != 0:
		s.watchStall()
	}
	switch {
	case s.phase == flushing && n == 0:
		s.close(s.reason)
	case s.phase == flushing:
		s.until(s.loop.turn.Now.After(linger))
	case s.phase <= open:
		if s.wakeDue && n <= lowWater {
			s.wakeDue = false
			s.again()
		}
		s.replayKept()
		if s.phase <= open {
			s.setReading()
		}
	}
}

// expire is the wheel's call: a tick or one of the loop's own deadlines.
func (s *stream) expire(now core.Time) {
	if s.deadline != 0 && now >= s.deadline {
		s.late()
	}
	if s.phase <= open && s.stall != 0 && now >= s.stall {
		s.evict(core.SlowConsumer)
	}
	if s.phase <= open && s.tick != 0 && now >= s.tick {
		s.tick = 0
		out := s.loop.output()
		if !s.roomTick(out) {
			s.gone(core.Internal)
			return
		}
		more := out.More
		if s.flush(out) && more {
			s.again()
		}
		s.replayKept()
	}
	if s.phase == closed {
		return
	}
	for _, at := range [...]core.Time{s.deadline, s.stall, s.tick} {
		s.loop.wheel.arm(&s.link, at)
	}
}

// late ends what passed the deadline of its phase.
func (s *stream) late() {
	s.deadline = 0
	if s.phase <= loggingIn {
		s.gone(core.IdleTimeout)
	} else if s.phase >= flushing {
		s.gone(s.reason)
	}
}

// close follows CloseAfterFlush: flush, tell the room, half-close, linger.
func (s *stream) close(r core.Reason) {
	s.reason = r
	s.until(s.loop.turn.Now.After(linger))
	if s.tr.waiting() > 0 {
		s.phase = flushing
	} else {
		s.leave(r)
		s.phase = lingering
		s.tr.finish(r)
	}
	s.kept = nil
	if s.blocked {
		s.blocked = false
		s.tr.reading(true) // what comes is discarded
	}
}

// gone ends the connection at once, for the reason given unless it was
// ending for another.
func (s *stream) gone(r core.Reason) {
	if s.phase == closed {
		return
	}
	if s.phase < flushing {
		s.reason = r
	}
	s.leave(s.reason)
	s.phase = closed
	s.kept = nil
	s.loop.wheel.remove(&s.link)
	s.loop.streams.remove(s.at)
	s.loop.live--
	s.tr.release()
	s.loop.server.gate.Left()
}

// leave tells the room and the counters, once.
func (s *stream) leave(r core.Reason) {
	if s.phase >= lingering {
		return
	}
	early := !s.counted
	s.roomClose(r)
	s.Authenticated()
	s.counts.disconnected(r, early)
	s.loop.server.events.ended(s, r, early)
}

// reasonOf is the core.Reason of an error that Input returned.
func reasonOf(err error) core.Reason {
	var r core.Reason
	if errors.As(err, &r) {
		return r
	}
	return core.ProtocolError
}
