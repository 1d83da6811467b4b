package overload

import (
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

// Where the levels shed, brake and refuse are entered, in points: hundredths of the memory limit; hundredths of the CPU's
// worst delay.
var (
	memorySteps = [3]float64{70, 80, 90}              // O2, O3, O4
	cpuSteps    = [3]float64{12.5, 50, 100}           // 250 ms, 1 s, 2 s
	worstDelay  = float64(2*time.Second) / 100        // a point of it
	diskSteps   = [3]float64{100, never[1], never[2]} // of the reserve; it has one step
	spare       = 256                                 // descriptors that O4 leaves
	calm        = core.Time(5000)                     // milliseconds below before a level is left
	hysteresis  = 5.0                                 // points below where it was entered
	reserveMost = int64(1 << 30)                      // O6: min(5 %, 1 GiB)
	never       = [3]float64{1e18, 1e18, 1e18}        // not entered
	fileSteps   = [3]float64{never[0], never[0], 100} // it has one step too
	steps       = [resources]*[3]float64{&memorySteps, &diskSteps, &cpuSteps, &fileSteps}
)

// rung is where one resource stands.
type rung struct {
	level core.Level
	below core.Time // since when it could be left; 0: it could not
}

// step moves to the level of so many points: up at once, down when it has been calm for a while.
func (r *rung) step(points float64, at *[3]float64, now core.Time) {
	entered := levelAt(points, at)
	if entered >= r.level {
		r.level, r.below = entered, 0
		return
	}
	stays := levelAt(points+hysteresis, at)
	switch {
	case stays >= r.level:
		r.below = 0
	case r.below == 0:
		r.below = now
	case now-r.below >= calm:
		r.level, r.below = max(entered, stays), 0
	}
}

func levelAt(points float64, at *[3]float64) core.Level {
	level := core.LevelNormal
	for i, enter := range at {
		if points >= enter {
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
		p[Disk] = 100 * float64(m.reserve(r)) / float64(max(r.DiskFree, 1))
	}
	p[CPU] = float64(r.Delay) / worstDelay
	if r.Descriptors >= 0 && r.Descriptors+spare >= r.MaxOpen {
		p[Descriptors] = 100
	}
	return p
}

// reserve is the free space that is left to deletions and acknowledgements.
func (m *Monitor) reserve(r *Reading) int64 {
	if m.o.Reserve > 0 {
		return m.o.Reserve
	}
	return min(r.DiskTotal/20, reserveMost)
}
