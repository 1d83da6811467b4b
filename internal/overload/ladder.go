package overload

import (
	"math"
	"time"

	"github.com/entrepot/entrepot/core"
)

// Resource is what may run short.
type Resource uint8

// The resources.
const (
	Memory Resource = iota
	Disk
	CPU
	Descriptors
	resources
)

// String is the label of the metric.
func (r Resource) String() string {
	return [...]string{"memory", "disk", "cpu", "descriptors"}[r]
}

// Steps are where the levels shed, brake and refuse are entered, O2 to O4. An empty list is never.
type Steps struct {
	Memory []float64       // hundredths of the memory limit, ascending
	CPU    []time.Duration // delays of the run queue, ascending
}

// DefaultSteps are those of docs/operations.md.
func DefaultSteps() Steps {
	return Steps{Memory: []float64{70, 80, 90}, CPU: []time.Duration{250 * time.Millisecond, time.Second, 2 * time.Second}}
}

const (
	point        = 20 * time.Millisecond // of delay
	spare        = 256                   // descriptors that O4 leaves
	calm         = core.Time(5000)       // milliseconds below before a level is left
	hysteresis   = 5.0                   // points below where it was entered; of a low step at most the fifths that follow
	fifths       = 0.4
	reserveMost  = int64(1 << 30) // O6: min(5 %, 1 GiB)
	reserveLeast = int64(64 << 20)
)

// ladder is where each resource's levels are entered, in points.
type ladder [resources][]float64

func (s Steps) ladder() (l ladder) {
	never := math.Inf(1)
	l[Memory] = s.Memory
	l[Disk] = []float64{100} // of the reserve; it has one step
	for _, delay := range s.CPU {
		l[CPU] = append(l[CPU], float64(delay)/float64(point))
	}
	l[Descriptors] = []float64{never, never, 100} // it has one step too
	return l
}

// rung is where one resource stands.
type rung struct {
	level core.Level
	below core.Time // since when it could be left; 0: it could not
}

// step moves to the level of so many points: up at once, down when it has been calm for a while.
func (r *rung) step(points float64, at []float64, now core.Time) {
	entered := levelAt(points, at, 0)
	if entered >= r.level {
		r.level, r.below = entered, 0
		return
	}
	stays := levelAt(points, at, hysteresis)
	switch {
	case stays >= r.level:
		r.below = 0
	case r.below == 0:
		r.below = now
	case now-r.below >= calm:
		r.level, r.below = max(entered, stays), 0
	}
}

// levelAt is the highest level that is entered so many points below its step.
func levelAt(points float64, at []float64, below float64) core.Level {
	level := core.LevelNormal
	for i, enter := range at {
		if points >= enter-min(below, fifths*enter) {
			level = core.Level(i + 1)
		}
	}
	return level
}

// points turns a reading into the points of each resource.
func (m *Monitor) points(r *Reading) (p [resources]float64) {
	if r.MemoryLimit > 0 {
		p[Memory] = 100 * float64(r.Memory) / float64(r.MemoryLimit)
	}
	if r.DiskFree >= 0 {
		p[Disk] = 100 * float64(Reserve(m.kept, r.DiskTotal)) / float64(max(r.DiskFree, 1))
	}
	p[CPU] = float64(r.Delay) / float64(point)
	if r.Descriptors >= 0 && r.Descriptors+spare >= r.MaxOpen {
		p[Descriptors] = 100
	}
	return p
}

// Reserve is the free space, in bytes, that is left to deletions and acknowledgements on a disk of total bytes: the one
// that store.reserve sets, or where it is 0 the twentieth part, at most 1 GiB, and at least what the store may need to write
// down what it has promised: its logs once more as tables, and what a compaction begins. Of a disk that is smaller than twice
// that it is the half. SECURITY O6
func Reserve(set, total int64) int64 {
	if set > 0 {
		return set
	}
	return min(max(total/20, reserveLeast), total/2, reserveMost)
}
