package overload

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/entrepot/entrepot/core"
)

// Every is the time between two readings.
const Every = 100 * time.Millisecond

// Options of a monitor.
type Options struct {
	Meter   Meter
	Router  *core.Router // told of every change
	Log     *slog.Logger
	Reserve int64 // free bytes of the disk that are not used up; 0: 5 % of it, at least 64 MiB, at most 1 GiB
	Steps   Steps
}

// Monitor keeps the level. Make it with [New], then [Monitor.Run] it.
type Monitor struct {
	o Options // Immutable.

	mu    sync.Mutex // guards what follows
	at    ladder
	kept  int64 // Options.Reserve
	rungs [resources]rung
	last  Reading
	late  [3]time.Duration // the last delays; the least of them counts, since one may be the machine's pause
	reads int
	seen  core.Pressure
}

// New makes a monitor and takes the first reading.
func New(o Options) *Monitor {
	m := &Monitor{o: o, at: o.Steps.ladder(), kept: o.Reserve}
	m.Step()
	return m
}

// Change makes other steps, and another reserve of the disk, hold from the next reading on.
func (m *Monitor) Change(steps Steps, reserve int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at, m.kept = steps.ladder(), reserve
}

// Run reads until the context ends.
func (m *Monitor) Run(ctx context.Context) {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.Step()
		}
	}
}

// Step takes one reading and tells the router and the log what has changed.
func (m *Monitor) Step() {
	r := m.o.Meter.Read()
	now := m.o.Router.Clock().Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.late[m.reads%len(m.late)] = r.Delay
	m.reads++
	r.Delay = slices.Min(m.late[:])
	m.last = r
	points := m.points(&r)
	var p core.Pressure
	worst := Memory
	for i := range m.rungs {
		m.rungs[i].step(points[i], m.at[i], now)
		level := m.rungs[i].level
		if Resource(i) == Disk { // it refuses by name what is stored, and slows nobody down
			p.DiskFull = level > core.LevelNormal
			continue
		}
		if level > p.Level {
			p.Level, worst = level, Resource(i)
		}
	}
	if p == m.seen {
		return
	}
	m.tell(p, worst, &r)
	m.seen = p
	m.o.Router.SetPressure(p)
}

// tell writes one line for each change. [SECURITY O8]
func (m *Monitor) tell(p core.Pressure, worst Resource, r *Reading) {
	if p.Level != m.seen.Level {
		attrs := []any{"level", p.Level.String(), "was", m.seen.Level.String()}
		if p.Level != core.LevelNormal {
			attrs = append(attrs, "resource", worst.String())
		}
		m.o.Log.Warn("overload.changed", append(attrs, "memory", r.Memory, "memory_limit", r.MemoryLimit, "delay", r.Delay)...)
	}
	if p.DiskFull != m.seen.DiskFull {
		state := map[bool]string{true: "disk full", false: "normal"}
		m.o.Log.Warn("overload.changed", "level", state[p.DiskFull], "was", state[m.seen.DiskFull], "resource", Disk.String(),
			"free", r.DiskFree, "reserve", Reserve(m.kept, r.DiskTotal))
	}
}

// Level is where a resource stands.
func (m *Monitor) Level(of Resource) core.Level {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rungs[of].level
}

// A Status is the state for metrics and health.
type Status struct {
	Levels  map[Resource]core.Level
	Reading Reading
}

// Status is where each resource stands.
func (m *Monitor) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := Status{Levels: map[Resource]core.Level{}, Reading: m.last}
	for i := range m.rungs {
		s.Levels[Resource(i)] = m.rungs[i].level
	}
	return s
}
