package listen

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// keptSmall is what a kept rest may take up beyond four times its size, in bytes.
const keptSmall = 4 << 10

// stage puts a torn packet in front of what is read next, where it is small, and
// returns its size.
func (s *stream) stage(buf []byte) (had int) {
	if s.rest == nil || len(s.rest.kept) > len(buf)/4 {
		return 0
	}
	return copy(buf, s.rest.kept)
}

// feed takes bytes that arrived, behind those that stage has put there. They are
// the caller's again afterwards; lends tells that they are the loop's buffer,
// which may be referred to until it overwrites it.
func (s *stream) feed(in []byte, staged int, lends bool) {
	s.counts.carried(adapters.In, len(in)-staged)
	if s.phase > open {
		return
	}
	if s.phase == unauthenticated {
		s.rest.allowance -= int32(len(in) - staged)
	}
	if kept := s.kept(); len(kept) > staged {
		kept = append(kept, in...)
		s.setKept(kept)
		s.keep(s.input(kept))
	} else {
		s.loop.lends = lends
		rest := s.input(in)
		s.loop.lends = false
		s.keep(rest)
	}
	if s.rest == nil && !s.replay { // nothing waits
		return
	}
	s.replayKept()
	switch {
	case s.phase == unauthenticated && s.rest.allowance < 0:
		s.gone(core.TooLarge)
	case s.phase <= open && len(s.kept()) > s.counts.of.limits().MessageBytes+keepMore:
		s.gone(core.TooLarge)
	}
}

// keep stores what the room left: a torn packet, or all while it pauses.
func (s *stream) keep(rest []byte) {
	if len(rest) == 0 && s.rest == nil {
		return
	}
	kept := s.kept()
	switch {
	case len(rest) == 0 || s.phase > open:
		kept = nil
	case len(kept) >= len(rest) && cap(kept) < 4*len(rest)+lowWater && &kept[len(kept)-1] == &rest[len(rest)-1]:
		if len(rest) < len(kept) {
			kept = append(kept[:0], rest...)
		}
	case cap(kept) >= len(rest) && cap(kept) < 4*len(rest)+keptSmall && &kept[len(kept)-1] != &rest[len(rest)-1]:
		kept = append(kept[:0], rest...) // the loop's buffer
	default:
		kept = append([]byte(nil), rest...)
	}
	s.setKept(kept)
}

func (s *stream) replayKept() {
	for s.replay && s.mayRead() {
		s.replay = false
		s.keep(s.input(s.kept()))
	}
}

func (s *stream) mayRead() bool {
	if n := s.own.waiting(); s.braked || n > 0 && n > s.counts.of.limits().WriteBuffer {
		s.held = true
		return false
	}
	return s.phase <= open && !s.paused
}

// input gives the room what arrived, and returns what it left.
func (s *stream) input(in []byte) []byte {
	for len(in) > 0 {
		if !s.mayRead() {
			s.replay = s.replay || !s.paused
			return in
		}
		out := s.output()
		turn := s.loop.turn
		turn.Allow(s.publishes())
		out.Bound(turn)
		n, err, ok := s.roomInput(in, out)
		out.Bound(nil)
		routed := turn.Routed()
		s.loop.portion.routed += routed
		until := turn.Published(routed, max(0, n))
		turn.Allow(core.Unbounded)
		if !ok || n < 0 || n > len(in) {
			s.failed()
			return nil
		}
		in = in[n:]
		s.published(routed, n, until)
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
	if _, closing := out.Closing(); closing || out.Full() || s.state.Load()&bitReady == 0 || s.own.waiting() > lowWater {
		return
	}
	s.state.And(^uint32(bitReady))
	out.More = false
	said := out.Mark()
	if !s.roomWake(out) {
		out.Cut(said)
		if !s.roomEvict(core.Internal, out) {
			out.Cut(said)
		}
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
	case s.own.waiting() > lowWater:
		s.wakeDue = true
		if room, shares := s.conn.(adapters.Stalled); shares && !s.roomStalled(room) {
			s.gone(core.Internal)
		}
		return
	}
	out := s.output()
	if !s.roomWake(out) {
		s.failed()
		return
	}
	more := out.More
	if s.flush(out) && more {
		s.again()
	}
	s.replayKept()
}

// writeEarly writes what Direct has appended, where the room has nothing else to
// say: it is not asked.
func (s *stream) writeEarly() {
	switch {
	case s.early == 0 || s.phase > open: // it was joined, or lost with the connection
	case s.own.waiting() > lowWater:
		s.wakeDue = true
	default:
		s.flush(s.output())
	}
}

// flush sends the output and does what else it asks for; false: the
// connection has ended.
func (s *stream) flush(out *adapters.Output) bool {
	if s.early != 0 {
		if _, closing := out.Closing(); !closing {
			out.Join()
		}
	}
	if n := out.Len(); n > 0 {
		s.loop.turn.Counted()
		s.counts.carried(adapters.Out, n)
		s.loop.made += n
		if err := s.send(out); err != nil {
			s.gone(core.ConnectionLost)
			return false
		}
		out.Written(s.loop.turn)
	}
	s.dropEarly()
	n := s.own.waiting()
	if n > 0 && s.stall() == 0 {
		s.watchStall()
	}
	s.note(n)
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

// send writes an output, from where its parts are if the transport can.
func (s *stream) send(out *adapters.Output) error {
	if out.Lent() {
		if tr, ok := s.own.(gatherer); ok {
			l := s.loop
			l.pieces = out.Pieces(l.pieces[:0])
			err := tr.gather(l.pieces)
			clear(l.pieces)
			return err
		}
		out.Own()
	}
	return s.own.write(out.B)
}

// note counts what waits for the peer.
func (s *stream) note(waiting int) {
	if n, noted := int32(min(waiting, 1<<30)), s.noted(); n != noted {
		s.counts.waiting.Add(uint64(int64(n - noted)))
		s.setNoted(n)
	}
}

// watchStall starts the time that a peer may leave bytes waiting (L16).
func (s *stream) watchStall() {
	at := s.loop.turn.Now.After(s.counts.of.limits().WriteStall)
	s.setStall(at)
	s.loop.wheel.arm(&s.link, at)
}

func (s *stream) setReading() {
	if blocked := !s.mayRead(); blocked != s.blocked {
		s.blocked = blocked
		s.own.reading(!blocked)
	}
}

// drained follows progress of what waited.
func (s *stream) drained() {
	n := s.own.waiting()
	s.note(n)
	switch {
	case s.phase == flushing && n == 0:
		s.close(s.reason)
	case s.phase == flushing: // more time with each sign of life, but not for ever
		s.until(min(s.loop.turn.Now.After(linger), s.stall()))
	case s.phase <= open:
		if n == 0 {
			s.setStall(0)
		} else if s.stall() != 0 {
			s.watchStall()
		}
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
