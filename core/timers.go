package core

import (
	"container/heap"
	"sync"
	"time"
)

// timers runs what core has to do at a time: wills, session ends, idle
// queues. One goroutine, one heap of alarms; each thing that lives has one
// alarm, which is moved, not set anew, so the heap is as large as what lives.
type timers struct {
	r    *Router
	wake chan struct{}
	done chan struct{}
	end  chan struct{}

	mu   sync.Mutex
	heap alarmHeap
	now  []waker
}

// alarm is the one timer of something. What it wakes looks whether it still
// applies: it may have been taken from the heap just before it was cancelled.
type alarm struct {
	// Guarded by timers.mu.
	at    Time
	place int // in the heap, from 1; 0: not set

	what waker // immutable from the first time on that it is set
}

// waker is what an alarm wakes.
type waker interface{ wake(t *Turn) }

// wakeFunc is a waker that is a function.
type wakeFunc func(t *Turn)

func (f wakeFunc) wake(t *Turn) { f(t) }

func newAlarm(fn func(t *Turn)) *alarm { return &alarm{what: wakeFunc(fn)} }

func newTimers(r *Router) *timers {
	return &timers{r: r, wake: make(chan struct{}, 1), done: make(chan struct{}), end: make(chan struct{})}
}

// sooner runs the alarm in a turn of its own at the given time or at most 100
// ms after it, never before. One that is set for earlier stays: what it
// wakes sets it anew.
func (x *timers) sooner(a *alarm, at Time) {
	x.mu.Lock()
	switch {
	case a.place == 0:
		a.at = at
		heap.Push(&x.heap, a)
	case at < a.at:
		a.at = at
		heap.Fix(&x.heap, a.place-1)
	}
	first := a.place == 1
	x.mu.Unlock()
	if first {
		x.kick()
	}
}

// cancel takes an alarm from the heap; nil and one that is not set are fine.
func (x *timers) cancel(a *alarm) {
	if a == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if a.place != 0 {
		heap.Remove(&x.heap, a.place-1)
	}
}

// soon runs fn in a turn of its own as soon as possible, for work that may
// not run under the caller's locks.
func (x *timers) soon(fn func(*Turn)) {
	x.mu.Lock()
	x.now = append(x.now, wakeFunc(fn))
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
		for _, what := range due {
			what.wake(t)
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
func (x *timers) due(now Time) (all []waker, wait time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	all, x.now = x.now, nil
	for len(x.heap) > 0 && x.heap[0].at <= now {
		all = append(all, heap.Pop(&x.heap).(*alarm).what)
	}
	wait = time.Hour
	if len(x.heap) > 0 {
		wait = min(wait, x.heap[0].at.Until(now))
	}
	return all, wait
}

// pending is the number of alarms that are set.
func (x *timers) pending() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.heap)
}

type alarmHeap []*alarm

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}

func (h *alarmHeap) Push(x any) {
	a := x.(*alarm)
	*h = append(*h, a)
	a.place = len(*h)
}

func (h *alarmHeap) Pop() any {
	old := *h
	n := len(old) - 1
	a := old[n]
	old[n] = nil
	*h = old[:n]
	a.place = 0
	return a
}
