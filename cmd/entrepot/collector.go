package main

import (
	"context"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// At gcPercent garbage alone fills a small limit of memory before the collector runs, and would count as a shortage, which slows
// publishers down. So where there is a limit, the collector runs as often as it takes to keep the heap with its garbage below the
// levels of memory, as long as what lives allows it.
const (
	heapShare    = 0.6 // of the limit
	leastPercent = 25  // beyond it the runtime's own care of the limit begins
	paceEvery    = 100 * time.Millisecond
)

// percentFor is GOGC for a heap in which so much lives, beside other memory, below a limit. In bytes.
func percentFor(live, other, limit int64) int {
	room := int64(heapShare*float64(limit)) - other - live
	return int(min(max(100*room/max(live, 1), leastPercent), gcPercent))
}

// paceCollector sets GOGC until the context ends.
func paceCollector(ctx context.Context) {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return
	}
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	tick := time.NewTicker(paceEvery)
	defer tick.Stop()
	for percent := gcPercent; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(samples)
		other := int64(samples[1].Value.Uint64())
		for _, s := range samples[2:] {
			other -= int64(s.Value.Uint64())
		}
		next := percentFor(int64(samples[0].Value.Uint64()), other, limit)
		if d := next - percent; d != 0 && (next == gcPercent || max(d, -d) > percent/8) { // setting it stops the world for a moment
			debug.SetGCPercent(next)
			percent = next
		}
	}
}
