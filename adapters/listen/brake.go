package listen

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

const (
	brakeFor  = 1000 // milliseconds for which a connection that published is not read, while publishers are slowed down
	brakeMore = 500  // and up to so many more, so that they do not all come back at once
	burst     = 1000 // milliseconds of a rate that may be used at once
)

// pace is what one connection has published against its rate (L22): the
// instants at which what it sent would have been sent at that rate.
type pace struct {
	messages, bytes float64
}

// left is how many messages of a rate may come now.
func (x *pace) left(now core.Time, rate int) int {
	return int((float64(now) + burst - max(float64(now), x.messages)) * float64(rate) / 1000)
}

// ahead tells that a rate lets nothing through now.
func (x *pace) ahead(now core.Time, l *adapters.Limits) bool {
	return l.PublishRate > 0 && x.left(now, l.PublishRate) < 1 || l.PublishBytesRate > 0 && x.bytes >= float64(now)+burst
}

// publishes is how many publishes the next call of Input may take.
func (s *stream) publishes() int {
	l := s.loop
	if l.turn.Level() >= core.LevelBrake {
		return 1
	}
	rate := s.counts.of.limits().PublishRate
	switch {
	case rate == 0:
		return core.Unbounded
	case s.rest == nil || s.rest.pace == nil:
		return rate
	}
	return max(1, s.rest.pace.left(l.turn.Now, rate))
}

// published follows Input, which took so many publishes out of so many bytes:
// the connection is read no further for a while when it has to wait. Others
// are read all the while, so consumers and their acknowledgements go on. until is
// what core says of the publisher's own rates and its namespace's.
func (s *stream) published(n, bytes int, until core.Time) {
	if n == 0 || s.phase > open {
		return
	}
	l := s.loop
	limits := s.counts.of.limits()
	if limits.PublishRate > 0 || limits.PublishBytesRate > 0 {
		x := s.some()
		if x.pace == nil {
			x.pace = new(pace)
		}
		until = max(until, spend(&x.pace.messages, l.turn.Now, n, limits.PublishRate), spend(&x.pace.bytes, l.turn.Now, bytes, limits.PublishBytesRate))
	}
	if l.turn.Level() >= core.LevelBrake {
		until = max(until, l.turn.Now+brakeFor+core.Time(s.at)*37%brakeMore)
	}
	if until > l.turn.Now {
		s.braked = true
		s.setBrake(until)
		l.wheel.arm(&s.link, until)
		s.counts.braked()
	}
}

// spend notes n things and returns when the next may come; 0: at once.
func spend(at *float64, now core.Time, n, rate int) core.Time {
	if rate == 0 {
		return 0
	}
	*at = max(*at, float64(now)) + float64(n)*1000/float64(rate)
	if ahead := *at - float64(now); ahead > burst-1000/float64(rate) {
		return now + core.Time(ahead-burst) + core.Time(1000/rate) + 1
	}
	return 0
}

// unbrake reads on. While publishers are still slowed down, the room is woken
// from time to time, so that it can tell a client that waits for a word.
func (s *stream) unbrake() {
	again := s.braked
	s.braked = false
	s.setBrake(0)
	if s.phase > open {
		return
	}
	if s.loop.turn.Level() >= core.LevelBrake {
		s.setBrake(s.loop.turn.Now + brakeFor)
	}
	if s.again(); again {
		s.replay = true
		s.replayKept()
		if s.phase <= open {
			s.setReading()
		}
	}
}
