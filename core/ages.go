package core

import (
	"maps"
	"sync/atomic"
)

// ages relates the instants of records to the time of this run.
//
// The times of runs are one: a run begins where the last one ended, and the time
// between is what the wall clock has counted meanwhile. Where that cannot be, or is
// much, the wall clock may be wrong, and nobody may lose anything by that: the run
// begins in doubt, as if no time had passed. When the wall clock has agreed with
// the monotonic one for a while, the rest is caught up: what was loaded is made
// older by it, in memory at once (catchUp), and in records when they are read. What
// is written in a run that began in doubt bears its number, since it is not to be
// made older; later runs know by how much its time was behind. [SECURITY R6]
type ages struct {
	// Immutable after the start.
	run     uint8          // number of this run, from 1; 0: it did not begin in doubt
	numbers uint8          // the last number that was given
	behind  map[uint8]Time // earlier runs that began in doubt: how far their time was behind that of the runs after them

	late atomic.Int64 // milliseconds that what was loaded is older than it was taken for; not 0 once it is caught up
}

// mostRuns is how many runs that began in doubt are told apart. The time of the
// oldest is taken for that of a newer one then.
const mostRuns = 255

// runShift is where the number of a run stands in an instant's record.
const (
	runShift = 48
	runMask  = 1<<runShift - 1
)

// put appends an instant, 0 for none. loaded tells that it is one that was loaded
// and has not been made older since.
func (x *ages) put(b []byte, at Time, loaded bool) []byte {
	v := uint64(max(0, min(at, runMask)))
	if x != nil && v != 0 && !loaded {
		v |= uint64(x.run) << runShift
	}
	return putUint(b, v)
}

// time reads an instant. loaded tells that it may have to be made older.
func (r *reader) time() (at Time, loaded bool) {
	v := r.uint()
	at = Time(v & runMask)
	if v>>runShift > mostRuns { // of a release that knew no runs: as good as never
		return runMask, false
	}
	run, x := uint8(v>>runShift), r.ages
	if at == 0 || x == nil || run != 0 && run == x.run {
		return at, false
	}
	at += x.behind[run]
	if x.run == 0 {
		return at, false
	}
	late := Time(x.late.Load())
	return max(1, at-late), late == 0
}

// clockNote is what the store keeps of the clocks.
type clockNote struct {
	at      Time // of the run
	wall    Time // what the wall clock says then, as far as it is believed
	numbers uint8
	behind  map[uint8]Time
}

var clockKey = []byte{keyClock}

// note is that of an instant of this run. It is told as the runs after this one
// have it.
func (x *ages) note(at, wall Time) clockNote {
	late := Time(x.late.Load())
	n := clockNote{at: at + late, wall: wall, numbers: x.numbers, behind: maps.Clone(x.behind)}
	if x.run != 0 {
		if n.behind == nil {
			n.behind = map[uint8]Time{}
		}
		n.behind[x.run] = late
	}
	return n
}

func appendClock(b []byte, n clockNote) []byte {
	b = putUint(b, uint64(n.at))
	b = putUint(b, uint64(n.wall))
	b = append(b, n.numbers)
	b = putUint(b, uint64(len(n.behind)))
	for run, behind := range n.behind {
		b = putUint(append(b, run), uint64(behind))
	}
	return b
}

func (r *reader) clock() (n clockNote) {
	n.at, n.wall, n.numbers = Time(r.uint()), Time(r.uint()), r.byte()
	n.behind = map[uint8]Time{}
	for k := r.count(); k > 0 && !r.bad; k-- {
		n.behind[r.byte()] = Time(r.uint())
	}
	r.bad = r.bad || n.at <= 0 || n.wall <= 0
	return n
}
