package auth

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
)

// waiting is how many logins may wait for a hash worker (U11).
const waiting = 256

// Workers bound how many passwords are hashed at once, and so the memory that this takes.
type Workers struct {
	places chan struct{}
	queued atomic.Int64
}

// NewWorkers makes a bound of n; 0 takes half the processors, at least one.
func NewWorkers(n int) *Workers {
	if n <= 0 {
		n = max(1, runtime.NumCPU()/2)
	}
	return &Workers{places: make(chan struct{}, n)}
}

// Do runs fn when a place is free. ErrBusy refuses when too many wait, or when the context ends first.
func (w *Workers) Do(ctx context.Context, fn func()) error {
	if w.queued.Add(1) > int64(waiting+cap(w.places)) {
		w.queued.Add(-1)
		return ErrBusy
	}
	defer w.queued.Add(-1)
	select {
	case w.places <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
	defer func() { <-w.places }()
	fn()
	return nil
}

// Waiting is how many wait for a place or have one.
func (w *Workers) Waiting() int { return int(w.queued.Load()) }
