package core

import (
	"sync/atomic"
	"time"
)

// Time is an instant in milliseconds since about the Unix epoch, as a [Clock]
// counts them. Zero means none.
type Time int64

// After is the instant d later, d rounded up to a whole millisecond so that
// no timer fires early.
func (t Time) After(d time.Duration) Time {
	return t + Time((d+time.Millisecond-1)/time.Millisecond)
}

// Until is the duration from now to t; negative when t has passed.
func (t Time) Until(now Time) time.Duration { return time.Duration(t-now) * time.Millisecond }

// Clock reads the time of a router: that at which the last run ended, and what has
// passed since; what passes now is counted by the monotonic clock alone. So no
// step of the wall clock makes a timer, a keep-alive or an expiry early or late.
// Of a store that is new it is the wall time. [SECURITY R6]
type Clock struct {
	start time.Time
	wall  func() time.Time

	base  Time         // at start; immutable once the router is made
	apart atomic.Int64 // milliseconds that the wall clock, as far as it is believed, is ahead of this one
}

// NewClock starts a clock at the wall time of now.
func NewClock() *Clock { return newClock(time.Now) }

func newClock(wall func() time.Time) *Clock {
	c := &Clock{start: time.Now(), wall: wall}
	c.base = max(1, Time(wall().UnixMilli()))
	return c
}

// Behind is how far the wall clock was set ahead since the start; negative when
// it was set back.
func (c *Clock) Behind() time.Duration {
	return c.wall().Round(0).Sub(c.start.Round(0)) - time.Since(c.start) // without their monotonic readings
}

// After is the first instant that is not earlier than d from this very moment,
// which a turn's time may lie behind.
func (c *Clock) After(d time.Duration) Time { return c.base.After(time.Since(c.start) + d) }

// Now is the current instant. It never goes back.
func (c *Clock) Now() Time { return c.base + Time(time.Since(c.start)/time.Millisecond) }

// Of is the instant at which a wall clock that is right shows w; 0 for none.
func (c *Clock) Of(w time.Time) Time {
	if w.IsZero() {
		return 0
	}
	return max(1, Time(w.UnixMilli()-c.apart.Load()))
}

// Wall is what a wall clock that is right shows at t.
func (c *Clock) Wall(t Time) time.Time { return time.UnixMilli(int64(t) + c.apart.Load()) }
