package main

import (
	"os"
	"runtime"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// gcPercent keeps the collector from running all the time over a heap of a few megabytes, which costs a fifth of the CPU.
const gcPercent = 400

// memoryShare is the part of the control group's memory that the heap may take.
const memoryShare = 0.9

// tune sets what the runtime cannot know. The number of descriptors needs nothing: Go raises it to the hard limit. OPERATIONS C7
func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	_ = limitMemory(memlimit.FromCgroup) // where there is no group there is nothing to do
	if os.Getenv("GOMAXPROCS") == "" {
		// A loop that waits raw holds its processor; one more lets everything else run.
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

// limitMemory takes the limit of a group, unless GOMEMLIMIT is set.
func limitMemory(group memlimit.Provider) error {
	_, err := memlimit.Set(memlimit.WithProvider(group), memlimit.WithRatio(memoryShare))
	return err
}
