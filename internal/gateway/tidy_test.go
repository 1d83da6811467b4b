package gateway

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// world of a heap whose collections take a time and leave what lives.
type fakeHeap struct {
	mu sync.Mutex // guards all of it
	heap
	lives       uint64
	takes       time.Duration
	collections []time.Duration // since the start
}

func tidying(t *testing.T, f func(h *fakeHeap)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, start := &fakeHeap{lives: 100 << 20, takes: 50 * time.Millisecond}, time.Now()
		h.held = h.lives
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			new(tidier).run(ctx, func() heap {
				h.mu.Lock()
				defer h.mu.Unlock()
				return h.heap
			}, func() {
				h.mu.Lock()
				h.collections = append(h.collections, time.Since(start))
				takes := h.takes
				h.mu.Unlock()
				time.Sleep(takes)
				h.mu.Lock()
				h.held = h.lives
				h.mu.Unlock()
			})
		}()
		f(h)
		cancel()
		<-done
	})
}

// pass lets time pass in which so many bytes are allocated each 200 ms, and all of them become garbage.
func (h *fakeHeap) pass(d time.Duration, bytes uint64) {
	for ; d > 0; d -= tidyEvery {
		h.mu.Lock()
		h.allocated += bytes
		h.held += bytes
		h.mu.Unlock()
		time.Sleep(tidyEvery)
		synctest.Wait()
	}
}

func (h *fakeHeap) want(t *testing.T, what string, n int) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.collections) != n {
		t.Fatalf("%s: collected at %v, want %d times", what, h.collections, n)
	}
}

func TestGarbageGoesBackWhenItIsQuiet(t *testing.T) {
	tidying(t, func(h *fakeHeap) {
		h.pass(time.Minute, 0)
		h.want(t, "what a start leaves is collected once", 1)
		h.pass(10*time.Second, 2<<20)
		h.want(t, "a hundred megabytes come, and none is quiet", 1)
		h.pass(time.Second, 0)
		h.want(t, "then it is", 2)
		h.pass(time.Hour, 1<<10)
		h.want(t, "18 megabytes in an hour are not worth it", 2)
		h.pass(2*time.Hour, 1<<10)
		h.want(t, "25 are", 4)
	})
}

// SECURITY O1: a level is not kept by what has died since the last collection.
func TestGarbageGoesBackAtALevelOfMemory(t *testing.T) {
	tidying(t, func(h *fakeHeap) {
		h.mu.Lock()
		h.lives, h.held = 200<<20, 200<<20
		h.mu.Unlock()
		h.pass(10*time.Second, 0)
		h.want(t, "what a start leaves is collected once", 1)
		h.mu.Lock()
		h.lives, h.short = 20<<20, true
		h.mu.Unlock()
		h.pass(2*tidyEvery, 2<<20) // neither quiet nor more than before
		h.want(t, "at a level", 2)
		h.mu.Lock()
		h.short = false
		h.mu.Unlock()
		h.pass(10*time.Second, 2<<20)
		h.want(t, "without one", 2)
	})
}

func TestCollectionsTakeAHundredthOfTheTime(t *testing.T) {
	tidying(t, func(h *fakeHeap) {
		h.mu.Lock()
		h.takes = 2 * time.Second
		h.mu.Unlock()
		h.pass(5*time.Minute, 0)
		for range 100 { // bursts, with quiet between them
			h.pass(tidyEvery, 100<<20)
			h.pass(9*tidyEvery, 0)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if n := len(h.collections); n < 2 || n > 3 {
			t.Fatalf("in ten minutes collected at %v", h.collections)
		}
		for i := 1; i < len(h.collections); i++ {
			if rest := h.collections[i] - h.collections[i-1]; rest < tidyTimes*h.takes {
				t.Errorf("%v after the one before", rest)
			}
		}
	})
}

// The reader sees garbage, and that it is gone.
func TestWhatIsHeldIsRead(t *testing.T) {
	read := heapReader()
	before := read()
	garbage := make([][]byte, 64)
	for i := range garbage {
		garbage[i] = make([]byte, 1<<20)
	}
	with := read()
	if with.allocated < before.allocated+64<<20 || with.held < 64<<20 {
		t.Errorf("%+v before 64 MiB, %+v after", before, with)
	}
	runtime.KeepAlive(garbage)
	garbage = nil
	debug.FreeOSMemory()
	if after := read(); after.held+60<<20 > with.held {
		t.Errorf("%+v with 64 MiB, %+v without", with, after)
	}
}
