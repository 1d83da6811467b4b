package core

import "sync/atomic"

// WillCounts counts what became of the wills of one origin.
type WillCounts struct {
	Published atomic.Uint64
	Cancelled atomic.Uint64 // an orderly end, or a client that was back before the delay was over
	Denied    atomic.Uint64 // the right was gone when it was due
	Expired   atomic.Uint64 // its session ended with the gateway, before it was due
	Pending   atomic.Int64  // wills whose delay runs
}

// Wills are the counts of the wills with that origin; it may be kept.
func (r *Router) Wills(origin string) *WillCounts {
	if c, ok := r.wills.Load(origin); ok {
		return c.(*WillCounts)
	}
	c, _ := r.wills.LoadOrStore(origin, new(WillCounts))
	return c.(*WillCounts)
}

func (st *session) counts(w *Will) *WillCounts { return st.ns.r.Wills(w.Message.Origin) }

// delayWill makes the will due at that time. st.mu is held.
func (st *session) delayWill(at Time) {
	if st.willAt == 0 {
		st.counts(st.will).Pending.Add(1)
	}
	st.willAt = at
}

// undelayWill ends the delay, and tells whether it ran. st.mu is held.
func (st *session) undelayWill() (ran bool) {
	if st.lasting == nil || st.willAt == 0 {
		return false
	}
	st.willAt = 0
	st.counts(st.will).Pending.Add(-1)
	return true
}
