package core

import (
	"container/heap"
	"sync"
	"time"
)

// timers runs what core has to do at a time: wills, session ends, idle
// queues. One goroutine, one heap; entries are not cancelled, their functions
// look whether they still apply.
type timers struct {
	r    *Router
	wake chan struct{}
	done chan struct{}
	end  chan struct{}

	mu   sync.Mutex
	heap timerHeap
	now  []func(*Turn)
}

type timer struct {
	at Time
	fn func(*Turn)
}

func newTimers(r *Router) *timers {
	return &timers{r: r, wake: make(chan struct{}, 1), done: make(chan struct{}), end: make(chan struct{})}
}

// at runs fn in a turn of its own at the given time or at most 100 ms after
// it, never before.
func (x *timers) at(at Time, fn func(*Turn)) {
	x.mu.Lock()
	heap.Push(&x.heap, timer{at, fn})
	first := x.heap[0].at == at
	x.mu.Unlock()
	if first {
		x.kick()
	}
}

// soon runs fn in a turn of its own as soon as possible, for work that may
// not run under the caller's locks.
func (x *timers) soon(fn func(*Turn)) {
	x.mu.Lock()
	x.now = append(x.now, fn)
	x.mu.Unlock()
	x.kick()
}

func (x *timers) kick() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

func (x *timers) start() { go x.run() }

func (x *timers) stop() {
	close(x.end)
	<-x.done
}

func (x *timers) run() {
	defer close(x.done)
	t := x.r.NewTurn(nil)
	clock := time.NewTimer(time.Hour)
	defer clock.Stop()
	for {
		t.Begin()
		due, wait := x.due(t.Now)
		for _, fn := range due {
			fn(t)
		}
		t.End()
		if len(due) > 0 {
			continue
		}
		clock.Reset(wait)
		select {
		case <-x.wake:
		case <-clock.C:
		case <-x.end:
			return
		}
	}
}

// due takes what is to run now, and tells how long to wait otherwise.
func (x *timers) due(now Time) (fns []func(*Turn), wait time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	fns, x.now = x.now, nil
	for len(x.heap) > 0 && x.heap[0].at <= now {
		fns = append(fns, heap.Pop(&x.heap).(timer).fn)
	}
	wait = time.Hour
	if len(x.heap) > 0 {
		wait = min(wait, x.heap[0].at.Until(now))
	}
	return fns, wait
}

type timerHeap []timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)        { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	old := *h
	n := len(old) - 1
	x := old[n]
	old[n] = timer{}
	*h = old[:n]
	return x
}
