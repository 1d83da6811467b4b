package core

import "time"

const (
	// believed is how long a gateway may have been away without a doubt about its
	// clock. Beyond it, and when time has gone back, the clock may be wrong.
	believed = 30 * time.Minute
	// agreement is how long the wall clock and the monotonic one must go together
	// until the wall clock is believed. [SECURITY R6]
	agreement = time.Minute
	// slack is what they may differ in that time: NTP at work.
	slack = time.Second
)

// agreeing is what is known of the wall clock while the router runs. It belongs to
// the goroutine that calls CheckClock.
type agreeing struct {
	ahead  time.Duration // how far it was set ahead since the start
	since  Time
	agreed bool
	noted  Time
}

// beginTime makes the time of this run follow that of the last one.
func (r *Router) beginTime() error {
	c := r.clock
	r.agreeing.since, r.agreeing.noted = c.base, c.base
	v, err := r.store.Get(clockKey)
	if err != nil || v == nil {
		return err
	}
	read := &reader{b: v}
	n := read.clock()
	if read.err() != nil {
		return damaged(clockKey, errRecord)
	}
	x := &r.ages
	x.behind, x.numbers = n.behind, n.numbers
	away := (c.base - n.wall).Until(0) // base is the wall time yet
	c.apart.Store(int64(n.wall - n.at))
	c.base = n.at + max(0, c.base-n.wall)
	if away > believed || away < -slack {
		x.numbers = x.numbers%mostRuns + 1
		x.run, c.base = x.numbers, n.at
		delete(x.behind, x.run)
		r.log.Warn("config.warning", "reason", "clock", "away", away.Round(time.Second), "lastRun", c.Wall(n.at))
	}
	r.agreeing.since, r.agreeing.noted = c.base, c.base
	return nil
}

// noteTime keeps for the next start what time it is.
func (r *Router) noteTime(t *Turn) {
	t.set(clockKey, appendClock(nil, r.ages.note(t.Now, max(1, Time(r.clock.Wall(t.Now).UnixMilli())))))
	r.agreeing.noted = t.Now
}

// CheckClock compares the wall clock with the monotonic one; one goroutine calls it
// every few seconds. ahead is how far the wall clock was set ahead since the start,
// negative if it was set back. When both have gone together for a minute, the wall
// clock is believed: what expires at a time of day follows it, and what was loaded
// in doubt is caught up.
func (r *Router) CheckClock(t *Turn) (ahead time.Duration) {
	x := &r.agreeing
	ahead = r.clock.Behind()
	switch {
	case (ahead - x.ahead).Abs() > slack:
		x.ahead, x.since, x.agreed = ahead, t.Now, false
	case !x.agreed && t.Now >= x.since.After(agreement):
		x.agreed = true
		r.believe(t)
	}
	if t.Now >= x.noted.After(agreement) {
		r.noteTime(t)
	}
	return ahead
}

// believe takes the wall clock for right.
func (r *Router) believe(t *Turn) {
	c := r.clock
	apart := r.clock.wall().UnixMilli() - int64(c.Now())
	late := apart - c.apart.Swap(apart)
	if r.ages.run != 0 && late > 0 && r.ages.late.Load() == 0 {
		r.ages.late.Store(late)
		r.catchUp(t, Time(late))
	}
	r.noteTime(t)
}
