package listen

import (
	"math"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// What rooms append by Direct lies in outputs of its own until it is written, at
// the end of the pass at the latest; a room that is woken before joins it. They are the loop's: a connection
// has one only meanwhile.
const (
	earlyMost = 8 << 20   // bytes of all connections; beyond, deliveries wait in their queues
	earlySoon = 512 << 10 // of all: it is written before anything more is read
	earlyOne  = 64 << 10  // of one: as above
	earlyKept = 4 << 20   // of empty outputs
)

// earlier is what a loop holds of them.
type earlier struct {
	bytes int // that were appended
	kept  int // capacity of those that are empty
	soon  bool
	lent  bool // some may refer to the loop's buffer
	outs  []*earlyOutput
	free  []uint16 // places in outs, from 1
}

type earlyOutput struct {
	adapters.Output
	n int // bytes that were appended, here or where they were joined
}

var _ core.Carrier = (*loop)(nil)

// Deliver hands a delivery to a connection of this loop.
func (l *loop) Deliver(t *core.Turn, to core.Sink, d *core.Delivery) bool {
	s := l.receiver(to)
	if s == nil {
		return false
	}
	room, ok := s.conn.(adapters.Direct)
	if !ok {
		return false
	}
	out := s.earlyOutput()
	if out == nil {
		return false
	}
	had := out.Mark()
	did, whole := s.roomDirect(room, t, d, &out.Output)
	return s.appended(out, had, did, whole)
}

// DeliverRun hands a run over.
func (l *loop) DeliverRun(t *core.Turn, to core.Sink, d *core.Delivery, r *core.Run) bool {
	s := l.receiver(to)
	if s == nil {
		return false
	}
	room, ok := s.conn.(adapters.DirectRun)
	if !ok {
		return false
	}
	out := s.earlyOutput()
	if out == nil {
		return false
	}
	had := out.Mark()
	did, whole := s.roomDirectRun(room, t, d, r, &out.Output)
	return s.appended(out, had, did, whole)
}

// receiver is a connection of this loop that may be given something now; nil:
// it may not.
func (l *loop) receiver(to core.Sink) *stream {
	s, ok := to.(*stream)
	if !ok || s.loop != l || s.phase != open || l.filling == s || l.early.bytes >= earlyMost || s.own.waiting() > lowWater {
		return nil
	}
	return s
}

// earlyOutput is the connection's output for Direct; nil: there is none, or it
// is full.
func (s *stream) earlyOutput() *earlyOutput {
	l := s.loop
	if s.early == 0 {
		if s.early = l.early.take(); s.early == 0 {
			return nil
		}
	}
	out := l.early.outs[s.early-1]
	if out.n >= adapters.OutputSoft {
		return nil
	}
	out.Counters(&l.out)
	out.Borrows(l.lends)
	return out
}

// overwrites is called before the loop's buffer is used again: whatever still
// refers to it gets a copy. Mostly it has been written.
func (l *loop) overwrites() {
	if !l.early.lent {
		return
	}
	l.early.lent = false
	for _, out := range l.early.outs {
		out.Own()
	}
}

// appended notes what a call of Direct has appended, and that it is to be written.
func (s *stream) appended(out *earlyOutput, had adapters.Mark, did, whole bool) bool {
	l := s.loop
	l.out.Counters(&out.Output)
	if !whole { // a panic costs the receiver its connection, not the publisher's
		out.Cut(had)
		s.Evict(core.Internal)
		return true
	}
	grown := out.Len() - out.n
	out.n += grown
	l.early.bytes += grown
	l.early.lent = l.early.lent || out.Lent()
	l.early.soon = l.early.soon || l.early.lent || out.n >= earlyOne || l.early.bytes >= earlySoon
	s.mark(bitEarly)
	return did
}

// take returns the place of an empty output; 0: there are too many.
func (e *earlier) take() (place uint16) {
	n := len(e.free)
	switch {
	case n == 0 && len(e.outs) == math.MaxUint16:
		return 0
	case n == 0:
		e.outs = append(e.outs, new(earlyOutput))
		return uint16(len(e.outs))
	}
	place = e.free[n-1]
	e.free = e.free[:n-1]
	e.kept -= cap(e.outs[place-1].B)
	return place
}

// dropEarly gives the connection's output for Direct back to the loop. What
// is in it is lost.
func (s *stream) dropEarly() {
	if s.early == 0 {
		return
	}
	e := &s.loop.early
	out := e.outs[s.early-1]
	e.bytes -= out.n
	out.n = 0
	if out.Reset(); cap(out.B) > keptOutput || e.kept+cap(out.B) > earlyKept {
		out.B = nil
	}
	e.kept += cap(out.B)
	e.free = append(e.free, s.early)
	s.early = 0
}

// output is the loop's output for a call of this connection's room.
func (s *stream) output() *adapters.Output {
	out := s.loop.output()
	s.loop.filling = s
	if s.early != 0 {
		out.Early(&s.loop.early.outs[s.early-1].Output)
	}
	return out
}
