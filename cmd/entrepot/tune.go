package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// gcPercent keeps the collector from running all the time over a heap of a few megabytes, which costs a fifth of the CPU.
const gcPercent = 400

// memoryShare is the part of the control group's memory that the heap may take.
const memoryShare = 0.9

// tune sets what the runtime cannot know, and goes on doing so until end is called. The number of descriptors needs nothing: Go
// raises it to the hard limit. OPERATIONS C7
func tune(ctx context.Context) (end func()) {
	_ = limitMemory(memlimit.FromCgroup) // where there is no group there is nothing to do
	end = func() {}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
		pacing, stop := context.WithCancel(ctx)
		var pacer sync.WaitGroup
		pacer.Go(func() { paceCollector(pacing) })
		end = func() { stop(); pacer.Wait() }
	}
	if os.Getenv("GOMAXPROCS") == "" {
		// A loop that waits raw holds its processor; one more lets everything else run.
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	return end
}

// limitMemory takes the limit of a group, unless GOMEMLIMIT is set.
func limitMemory(group memlimit.Provider) error {
	_, err := memlimit.Set(memlimit.WithProvider(group), memlimit.WithRatio(memoryShare))
	return err
}
