package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
)

// A tally counts publishes that wait for their acknowledgement, and keeps the first failure.
type tally struct {
	mu      sync.Mutex
	pending int           // guarded by mu
	first   error         // guarded by mu
	moved   chan struct{} // holds a token after each end
}

func newTally() *tally { return &tally{moved: make(chan struct{}, 1)} }

// start counts one publish; the result is to be called at its end.
func (t *tally) start() func(error) {
	t.mu.Lock()
	t.pending++
	t.mu.Unlock()
	return t.end
}

func (t *tally) end(err error) {
	t.mu.Lock()
	t.pending--
	if t.first == nil {
		t.first = err
	}
	t.mu.Unlock()
	select {
	case t.moved <- struct{}{}:
	default:
	}
}

func (t *tally) state() (pending int, first error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pending, t.first
}

func (t *tally) failed() bool {
	_, err := t.state()
	return err != nil
}

// wait ends when everything is acknowledged, something failed, the connection ended, or nothing moved for the time-out.
func (t *tally) wait(ctx context.Context, c dial.Conn, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		pending, first := t.state()
		if pending == 0 || first != nil {
			return first
		}
		select {
		case <-t.moved:
			timer.Reset(timeout)
		case <-ctx.Done():
			return ctx.Err()
		case <-c.Done():
			if _, first := t.state(); first != nil {
				return first
			}
			return firstError(c.Err(), errors.New("the connection ended before the acknowledgement"))
		case <-timer.C:
			return &dial.Error{Kind: dial.Unreachable, Err: errors.New("no acknowledgement in time")}
		}
	}
}
