package listen

import "github.com/entrepot/entrepot/core"

// rest is what a stream has while something of it waits, or it has only so long
// for what it does: it goes back to its loop as soon as neither holds, so that
// an idle connection holds none. Owned by the loop.
type rest struct {
	deadline  core.Time // of the phase; before the login there is always one
	allowance int32     // L3: bytes before LoggingIn
	noted     int32     // what counts.waiting holds of it

	kept  []byte    // input that was not consumed
	pend  []byte    // what the kernel did not take
	stall core.Time // while bytes wait: when the peer counts as stalled
	brake core.Time // until then; or when the room is woken because of it
	pace  *pace     // nil until it publishes under a rate
}

// spareRests is how many a loop keeps for those who need one next.
const spareRests = 256

// some is the stream's rest, which it gets if it has none.
func (s *stream) some() *rest {
	if s.rest == nil {
		l := s.loop
		if n := len(l.rests); n > 0 {
			s.rest, l.rests[n-1], l.rests = l.rests[n-1], nil, l.rests[:n-1]
		} else {
			s.rest = new(rest)
		}
	}
	return s.rest
}

// settle gives the rest back if nothing waits.
func (s *stream) settle() {
	x := s.rest
	if x == nil || x.deadline != 0 || x.noted != 0 || x.kept != nil || x.pend != nil || x.stall != 0 || x.brake != 0 || x.pace != nil {
		return
	}
	s.rest = nil
	if l := s.loop; len(l.rests) < spareRests {
		l.rests = append(l.rests, x)
	}
}

func (s *stream) deadline() core.Time {
	if s.rest == nil {
		return 0
	}
	return s.rest.deadline
}

func (s *stream) setDeadline(at core.Time) {
	if at != 0 {
		s.some().deadline = at
	} else if s.rest != nil {
		s.rest.deadline = 0
		s.settle()
	}
}

func (s *stream) noted() int32 {
	if s.rest == nil {
		return 0
	}
	return s.rest.noted
}

func (s *stream) setNoted(n int32) {
	if n != 0 {
		s.some().noted = n
	} else if s.rest != nil {
		s.rest.noted = 0
		s.settle()
	}
}

func (s *stream) kept() []byte {
	if s.rest == nil {
		return nil
	}
	return s.rest.kept
}

func (s *stream) setKept(b []byte) {
	if b != nil {
		s.some().kept = b
	} else if s.rest != nil {
		s.rest.kept = nil
		s.settle()
	}
}

func (s *stream) pend() []byte {
	if s.rest == nil {
		return nil
	}
	return s.rest.pend
}

func (s *stream) setPend(b []byte) {
	if b != nil {
		s.some().pend = b
	} else if s.rest != nil {
		s.rest.pend = nil
		s.settle()
	}
}

func (s *stream) stall() core.Time {
	if s.rest == nil {
		return 0
	}
	return s.rest.stall
}

func (s *stream) setStall(at core.Time) {
	if at != 0 {
		s.some().stall = at
	} else if s.rest != nil {
		s.rest.stall = 0
		s.settle()
	}
}

func (s *stream) brake() core.Time {
	if s.rest == nil {
		return 0
	}
	return s.rest.brake
}

func (s *stream) setBrake(at core.Time) {
	if at != 0 {
		s.some().brake = at
	} else if s.rest != nil {
		s.rest.brake = 0
		s.settle()
	}
}
