package overload

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Process is the meter of this process. Make it with [NewProcess].
type Process struct {
	dir     string // of the data; empty: nothing is stored
	samples []metrics.Sample
	reads   int
	due     time.Time // when the next reading should be
	slow    Reading   // what is read less often
}

// slowly is how many readings pass between two looks at disk and descriptors.
const slowly = 10

// NewProcess makes a meter; dir is the data directory, empty for none.
func NewProcess(dir string) *Process {
	return &Process{dir: dir, samples: []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}}
}

// Read implements Meter. It is called every 100 ms; how late it is called is the delay of the run queue.
func (p *Process) Read() Reading {
	now := time.Now()
	if p.reads%slowly == 0 {
		p.slow.DiskFree, p.slow.DiskTotal = Unknown, 0
		if p.dir != "" {
			p.slow.DiskFree, p.slow.DiskTotal = diskOf(p.dir)
		}
		p.slow.Descriptors, p.slow.MaxOpen = descriptors()
	}
	p.reads++
	r := p.slow
	metrics.Read(p.samples)
	r.Memory = int64(p.samples[0].Value.Uint64() - p.samples[1].Value.Uint64()) // what GOMEMLIMIT counts
	r.MemoryLimit = debug.SetMemoryLimit(-1)
	if r.MemoryLimit == math.MaxInt64 {
		r.MemoryLimit = Unknown
	}
	if !p.due.IsZero() {
		r.Delay = max(0, now.Sub(p.due))
	}
	p.due = time.Now().Add(Every)
	return r
}
