package core

import (
	"encoding/binary"
	"time"
)

// Some of the messages that clients publish carry the instant at which they were accepted, so that the rooms can tell how
// long a delivery took: about one in a millisecond of each turn's owner. Where fewer are published, each does.

const (
	acceptedKey = 1                      // of the frame that holds the instant; the rooms' keys are above 1<<16
	mostUntimed = 1023                   // messages between two that are timed
	longUntimed = 100 * time.Millisecond // after which the next one is
)

// sampler chooses the messages of a turn that are timed.
type sampler struct {
	left  int // messages before the next one
	every int // messages between the last two
	at    Time
}

// begins follows the time of a pass.
func (s *sampler) begins(now Time) {
	if now.Until(s.at) > longUntimed {
		s.left, s.every = 0, 0
	}
}

// counts tells whether one of so many messages is to be timed.
func (s *sampler) counts(n int, now Time) bool {
	s.left -= n
	return s.left < 0 && s.chooses(now)
}

// chooses sets the distance to the next: longer while two fall into one millisecond.
func (s *sampler) chooses(now Time) bool {
	if now == s.at {
		s.every = min(2*s.every+1, mostUntimed)
	} else {
		s.every /= 2
	}
	s.at, s.left = now, s.every
	return true
}

// Elapsed is the time since the clock was started, finer than Now.
func (c *Clock) Elapsed() time.Duration { return time.Since(c.start) }

// accept notes in the message that it is accepted now.
func (t *Turn) accept(m *Message) { m.accepted(t.router.clock.Elapsed()) }

func (m *Message) accepted(at time.Duration) {
	m.SetFrame(acceptedKey, binary.LittleEndian.AppendUint64(make([]byte, 0, 8), uint64(at)))
	m.timed = true
}

// Accepted is when the message was accepted, by the clock's Elapsed; false for most. It is not known of a message that has
// been in the store alone, was retained, or has come from another namespace or queue.
func (m *Message) Accepted() (at time.Duration, ok bool) {
	if !m.timed {
		return 0, false
	}
	b := m.Frame(acceptedKey)
	if b == nil {
		return 0, false
	}
	return time.Duration(binary.LittleEndian.Uint64(b)), true
}

// Accepted is when the first message of the run was accepted, as [Message.Accepted].
func (r *Run) Accepted() (at time.Duration, ok bool) { return r.accepted, r.timed }
