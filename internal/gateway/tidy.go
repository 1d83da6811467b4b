package gateway

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/overload"
)

// tidier gives the memory of what has ended back to the system once the gateway has little to do. The collector by itself
// waits until the heap has grown to five times of what lives (GOGC 400): a gateway whose clients have all connected and keep
// still would never get there, and would hold the garbage of their handshakes as long as they stay.
//
// Garbage counts for the levels of memory, too: one that was entered for what lived would stay as long as what has died since
// is not collected, and whoever is slowed down by it makes no new garbage. So at a level it collects without waiting for quiet.
//
// It costs at most a hundredth of the time, at a level a tenth: after a collection it rests for a hundred times as long as that
// took, or ten times.
type tidier struct {
	last  uint64    // bytes allocated until the last look
	left  uint64    // the least that was held since the last collection: what cannot be given back
	calm  int       // looks in a row at which little was new
	rests time.Time // nothing is done before
}

const (
	tidyEvery = 200 * time.Millisecond
	tidyCalm  = 2        // so many looks in a row are quiet
	tidyQuiet = 64 << 10 // bytes that are allocated between two of them
	tidyLeast = 1 << 20  // bytes that are worth it, and
	tidyShare = 4        // this part of what could not be given back the last time
	tidyRest  = time.Second / 2
	tidyTimes = 100 // as long as it took, or
	tidyShort = 10  // at a level
)

// heap is what the runtime tells of its heap, in bytes.
type heap struct {
	allocated uint64 // since the start
	held      uint64 // taken from the system for objects, reachable or not
	short     bool   // memory has a level
}

// due tells that a collection is worth its while.
func (x *tidier) due(now time.Time, h heap) bool {
	if h.allocated-x.last < tidyQuiet {
		x.calm++
	} else {
		x.calm = 0
	}
	x.last, x.left = h.allocated, min(x.left, h.held)
	return !now.Before(x.rests) && (h.short || x.calm >= tidyCalm && h.held > x.left+max(tidyLeast, x.left/tidyShare))
}

// done follows a collection that began then.
func (x *tidier) done(began, now time.Time, left heap) {
	x.calm, x.last, x.left = 0, left.allocated, left.held
	times := time.Duration(tidyTimes)
	if left.short {
		times = tidyShort
	}
	x.rests = now.Add(max(tidyRest, times*now.Sub(began)))
}

// run looks until the context ends.
func (x *tidier) run(ctx context.Context, read func() heap, collect func()) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if began := time.Now(); x.due(began, read()) {
			collect()
			x.done(began, time.Now(), read())
		}
	}
}

// tidy gives memory back until the context ends.
func (g *Gateway) tidy(ctx context.Context) {
	read := heapReader()
	new(tidier).run(ctx, func() heap {
		h := read()
		h.short = g.monitor.Level(overload.Memory) > core.LevelNormal
		return h
	}, debug.FreeOSMemory)
}

// heapReader reads the heap of this process.
func heapReader() func() heap {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	return func() heap {
		metrics.Read(samples)
		h := heap{allocated: samples[0].Value.Uint64()}
		for _, s := range samples[1:] {
			h.held += s.Value.Uint64()
		}
		return h
	}
}
