package listen

import (
	"errors"
	"log/slog"
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
	// loggingIn tells that the allowance before the login has ended.
	loggingIn()
	// release gives the socket back at once.
	release()
}

// gatherer is a transport that writes from several places.
type gatherer interface {
	gather(pieces [][]byte) error
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
	counts *counters
	rest   *rest // nil: nothing waits
	peer   origin
	at     int32 // place in the loop's table

	// Here because they take no room here.
	fd     int32  // of a rawConn
	early  uint16 // place of what Direct has appended, 0: nothing
	events uint8  // that epoll watches of a rawConn

	phase   phase
	reason  core.Reason
	paused  bool // by the room
	blocked bool // the transport was told not to read
	replay  bool // kept input must be given again
	wakeDue bool // a wake-up was held back
	held    bool // input was, since the last tick, because output waits
	away    bool // a limit refused it: the gate has not counted it
	braked  bool // it published as much as it may for now
}

// attend does what was posted.
func (s *stream) attend(bits uint32) {
	if bits&bitEvict != 0 {
		s.evict(core.Reason(bits >> reasonShift))
	}
	if bits&bitReady != 0 {
		s.wake()
	} else if bits&bitEarly != 0 {
		s.writeEarly()
	}
}

// takenOver tells that the same client has come by another connection.
func takenOver(bits uint32) bool {
	return bits&bitEvict != 0 && core.Reason(bits>>reasonShift) == core.TakenOver
}

// start opens the room on a connection that the gate admitted. loop, own and
// counts are set; since is when it was accepted.
func (s *stream) start(info adapters.Info, room adapters.StreamRoom, since core.Time) {
	l := s.loop
	s.peer = originOf(&info)
	s.at = l.streams.add(s)
	l.live++
	limits := s.counts.of.limits()
	s.some().allowance = int32(min(limits.PreauthBytes, 1<<30))
	s.counts.connected()
	s.until(since.After(limits.PreauthDeadline)) // PROXY header, TLS and the upgrade included (L1)
	if !s.roomOpen(info, room) {
		s.gone(core.Internal)
	} else if l.stopping {
		s.Evict(core.ShuttingDown)
	}
}

// PeerAddr is the peer as logs show it.
func (s *stream) PeerAddr() string { return s.peer.String() }

func (s *stream) until(at core.Time) {
	s.setDeadline(at)
	s.loop.wheel.arm(&s.link, at)
}

// LoggingIn ends L1 and L3 and begins L2.
func (s *stream) LoggingIn() {
	if s.phase == unauthenticated {
		s.phase = loggingIn
		s.own.loggingIn()
		s.until(s.loop.turn.Now.After(s.counts.of.limits().PreauthExchange))
	}
}

// Authenticated counts the login.
func (s *stream) Authenticated() { s.authenticated(true) }

// Connected logs the client.
func (s *stream) Connected() {
	if !s.was.known {
		s.was.known = true
		if e := s.loop.server.events; e.wants(slog.LevelInfo) {
			e.client(slog.LevelInfo, "client.connected", s.counts, identity(s.conn), s.PeerAddr(), core.OK)
		}
	}
}

// authenticated gives the place among the unauthenticated back; login is
// false at the end of a connection that has not logged in.
func (s *stream) authenticated(login bool) {
	if s.was.counted {
		return
	}
	s.was.counted = true
	if s.phase == unauthenticated {
		s.own.loggingIn()
	}
	s.loop.server.gate.Authenticated(s.peer.addr())
	s.counts.authenticated(login)
	if s.phase <= loggingIn {
		s.phase = open
		s.setDeadline(0)
	}
}

// Ended is for datagram peers.
func (s *stream) Ended(core.Reason) {}

func (s *stream) evict(r core.Reason) {
	if s.phase > open {
		return
	}
	out := s.output()
	out.Join()
	if !s.roomEvict(r, out) {
		s.gone(core.Internal)
		return
	}
	out.CloseAfterFlush(r)
	s.flush(out)
}

// expire is the wheel's call: a tick or one of the loop's own deadlines. The
// tick comes first, so that a room may say what ends it at the same time.
func (s *stream) expire(now core.Time) {
	if s.phase <= open && s.stall() != 0 && now >= s.stall() {
		s.evict(core.SlowConsumer)
	}
	if s.phase <= open && s.tick != 0 && now >= s.tick {
		s.tick = 0
		out := s.output()
		out.Held = s.held
		s.held = s.braked || s.own.waiting() > s.counts.of.limits().WriteBuffer
		if !s.roomTick(out) {
			s.failed()
			return
		}
		more := out.More
		if s.flush(out) && more {
			s.again()
		}
		s.replayKept()
	}
	if s.brake() != 0 && now >= s.brake() {
		s.unbrake()
	}
	if s.deadline() != 0 && now >= s.deadline() {
		s.late()
	}
	if s.phase == closed {
		return
	}
	for _, at := range [...]core.Time{s.deadline(), s.stall(), s.tick, s.brake()} {
		s.loop.wheel.arm(&s.link, at)
	}
}

// late ends what passed the deadline of its phase.
func (s *stream) late() {
	s.setDeadline(0)
	if s.phase <= loggingIn {
		s.gone(core.IdleTimeout)
	} else if s.phase >= flushing {
		s.gone(s.reason)
	}
}

// close follows CloseAfterFlush: flush, tell the room, half-close, linger.
func (s *stream) close(r core.Reason) {
	if s.phase == unauthenticated {
		s.own.loggingIn() // what is discarded from here on is no reason for another farewell, which might come first
	}
	s.reason = r
	s.setKept(nil)
	if s.own.waiting() > 0 {
		s.phase = flushing
		s.setStall(s.loop.turn.Now.After(s.counts.of.limits().WriteStall))
		s.until(s.loop.turn.Now.After(linger))
	} else {
		s.leave(r)
		s.phase = lingering
		s.setStall(0)
		s.until(s.loop.turn.Now.After(linger))
		s.own.finish(r)
		if s.was.ended {
			s.gone(r)
			return
		}
	}
	if s.blocked && !s.was.ended {
		s.blocked = false
		s.own.reading(true) // what comes is discarded
	}
}

// eof follows the end of the peer's stream. Who closed only its sending half
// still gets what waits for it when the room has ended the connection.
func (s *stream) eof(r core.Reason) {
	if s.phase == flushing {
		s.was.ended = true
		s.own.reading(false)
		return
	}
	s.gone(r)
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
	s.note(0)
	s.phase = closed
	s.setDeadline(0)
	s.setKept(nil)
	s.dropEarly()
	s.loop.wheel.remove(&s.link)
	s.loop.streams.remove(s.at)
	s.loop.live--
	s.own.release()
	if s.away {
		s.loop.server.turnedAway.Add(-1)
		return
	}
	s.counts.of.left()
}

// leave tells the room and the counters, once.
func (s *stream) leave(r core.Reason) {
	if s.phase >= lingering {
		return
	}
	early := !s.was.counted
	s.roomClose(r)
	if s.away {
		return
	}
	s.authenticated(false)
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
