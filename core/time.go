package core

import "time"

// Time is an instant in milliseconds since the Unix epoch, advanced by the
// monotonic clock of the process. Zero means none.
type Time int64

// After is the instant d later, d rounded up to a whole millisecond so that
// no timer fires early.
func (t Time) After(d time.Duration) Time {
	return t + Time((d+time.Millisecond-1)/time.Millisecond)
}

// Until is the duration from now to t; negative when t has passed.
func (t Time) Until(now Time) time.Duration { return time.Duration(t-now) * time.Millisecond }

// Wall is t as a time.Time.
func (t Time) Wall() time.Time { return time.UnixMilli(int64(t)) }

// Clock reads the time of one process: wall time at its start plus what the
// monotonic clock has counted since. So no step of the wall clock makes a
// timer, a keep-alive or an expiry early or late. [SECURITY R6]
type Clock struct {
	start time.Time
	wall  func() time.Time
}

// NewClock starts a clock at the wall time of now.
func NewClock() *Clock { return &Clock{start: time.Now(), wall: time.Now} }

// Behind is how far the wall clock is ahead of this one; negative when it was
// set back.
func (c *Clock) Behind() time.Duration {
	return c.wall().Round(0).Sub(c.start.Round(0)) - time.Since(c.start) // without their monotonic readings
}

// After is the first instant that is not earlier than d from this very moment,
// which a turn's time may lie behind.
func (c *Clock) After(d time.Duration) Time {
	return Time(c.start.UnixMilli()).After(time.Since(c.start) + d)
}

// Now is the current instant. It never goes back.
func (c *Clock) Now() Time {
	return Time(c.start.UnixMilli()) + Time(time.Since(c.start)/time.Millisecond)
}
