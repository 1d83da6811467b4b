package core_test

import (
	"strings"
	"time"

	"github.com/entrepot/entrepot/core"
)

// remake ends a session or the named queue with all that it holds, and makes it anew. Where that cannot be stored now, the
// queue is over until whole has made it.
func (s *storm) remake(q *stormQueue) {
	if q.name != "work" || s.rng.IntN(2) == 0 { // else its consumer is there when it ends
		s.detach(q)
	}
	q.over, s.remade = true, true
	for _, x := range q.copies {
		x.held = false
		s.ended(x)
	}
	made := s.renewSession
	if q.name == "work" {
		made = s.renewQueue
	}
	if !made(q) {
		return
	}
	s.step++
	s.synced, q.over = s.step, false // what was done before was submitted before
}

// renewQueue deletes the named queue, declares and binds it.
func (s *storm) renewQueue(q *stormQueue) bool {
	p := s.attach(core.Client{})
	if p == nil {
		return false
	}
	_, reason := p.Delete(p.turn, "work", false, false)
	s.detach(q)
	seq := uint64(0)
	if reason == core.OK || reason == core.NotFound {
		if _, _, _, _, reason = p.Declare(p.turn, core.QueueSpec{Name: "work", Durable: true}); reason == core.OK {
			seq, _, reason = p.Bind(p.turn, "work", core.Subscription{Filter: "all", QoS: 2})
		}
	}
	made := s.stored(p, seq, reason)
	p.Detach(p.turn, core.Normal)
	p.turn.End()
	return made
}

// renewSession is a clean start.
func (s *storm) renewSession(q *stormQueue) bool {
	if q.ids != nil {
		q.ids = map[uint64]int{}
	}
	c := q.client
	c.Clean = true
	if q.peer = s.attach(c); q.peer == nil {
		return false
	}
	reason := core.OK
	grants, seq, _ := q.peer.Subscribe(q.peer.turn, q.subs, nil)
	for _, g := range grants {
		if g.Reason != core.OK {
			reason = g.Reason
		}
	}
	if !s.stored(q.peer, seq, reason) {
		s.detach(q)
		return false
	}
	return true
}

// stored waits until what was submitted is safe; false: it could not be.
func (s *storm) stored(p *stormPeer, seq uint64, reason core.Reason) bool {
	switch reason {
	case core.OK:
	case core.Unavailable, core.DiskFull:
		p.turn.End()
		return false
	default:
		s.fail("made anew: %v", reason)
	}
	return s.wait(p, "made anew", func() bool { return p.Safe() >= seq }) && !p.Failed(seq)
}

// whole makes what is over anew. Meanwhile nobody publishes, so that it is known what each queue is to get.
func (s *storm) whole() bool {
	for _, q := range s.books {
		if !q.over {
			continue
		}
		if s.remake(q); q.over {
			if s.lost.Load() {
				s.ops += " | lost"
				s.cut(0)
			}
			<-time.After(time.Millisecond) // the outage takes its time
			return false
		}
	}
	return true
}

// endedInPart tells that what a start has found is what a crash may leave of the end of a queue: entries of one that is not
// there any more, which the start removes.
func (s *storm) endedInPart(said string) bool {
	s.orphans = s.router.Stats().Orphans
	return s.remade && strings.Count(said, "store.orphans") == 1 && strings.Contains(said, `first="a queue that is not there"`)
}
