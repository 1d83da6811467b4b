package rig

import (
	"os"
	"runtime"
)

// Footprint is what the process holds.
type Footprint struct {
	Heap        int64 // bytes
	Goroutines  int
	Descriptors int
}

// Measure collects garbage and looks.
func Measure() Footprint {
	runtime.GC()
	runtime.GC() // what the first one's finalizers and pools let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	f := Footprint{Heap: int64(m.HeapAlloc), Goroutines: runtime.NumGoroutine()}
	for _, dir := range []string{"/proc/self/fd", "/dev/fd"} {
		if open, err := os.ReadDir(dir); err == nil {
			f.Descriptors = len(open)
			break
		}
	}
	return f
}

// storeFiles is how many descriptors a store on disk may hold more: it opens, closes and collects when it sees fit.
const storeFiles = 8

// Flat waits until the process holds what it held before, and at most so many bytes more. [S12]
func (g *Gateway) Flat(before Footprint, allowed int64) {
	g.Helper()
	if err := Until("the end of all goroutines", func() bool { return runtime.NumGoroutine() <= before.Goroutines }); err != nil {
		g.Errorf("%v: %d of them, %d before\n%s", err, runtime.NumGoroutine(), before.Goroutines, Stacks())
	}
	allowed += StoreHeap
	var after Footprint
	if err := Until("memory and descriptors", func() bool {
		after = Measure()
		return after.Heap <= before.Heap+allowed && after.Descriptors <= before.Descriptors+storeFiles
	}); err != nil {
		g.Errorf("before: %+v\nafter:  %+v\nallowed: %d bytes more", before, after, allowed)
	}
	g.Logf("heap %d KiB before, %d KiB after; %d goroutines, %d descriptors", before.Heap>>10, after.Heap>>10, after.Goroutines, after.Descriptors)
}

// Stacks are those of all goroutines.
func Stacks() []byte {
	b := make([]byte, 1<<20)
	return b[:runtime.Stack(b, true)]
}
