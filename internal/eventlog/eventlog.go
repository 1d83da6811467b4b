// Package eventlog is the handler below the gateway's log: however often an event happens, its lines stay few.
//
// It is defined by docs/operations.md, section Log: the message of a line is its event, and what an event has beyond its
// rate becomes one line that tells how many there were.
package eventlog

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultRate = 50               // lines a second of one event, as many at once (L31)
	every       = 10 * time.Second // between two lines that sum up
	maxEvents   = 256              // told apart; what comes beyond them shares one rate
	other       = "other"
)

// Limiter bounds the lines of each event. Its handlers are those of [Limiter.Handler] and what is derived of them.
type Limiter struct {
	// Immutable.
	next  slog.Handler
	count func(event string) *atomic.Uint64

	rate   atomic.Int64 // lines a second of one event, as many at once
	mu     sync.Mutex   // guards what follows, and the order of the sums
	events map[string]*event
	timer  *time.Timer // runs while lines were held back that no sum has told
	closed bool
}

type event struct {
	tokens float64
	last   time.Time
	held   uint64 // lines since the last sum
	count  *atomic.Uint64
}

// New makes a limiter that writes to next. count is the counter of the lines of an event that were held back; nil for
// none.
func New(next slog.Handler, count func(event string) *atomic.Uint64) *Limiter {
	if count == nil {
		count = func(string) *atomic.Uint64 { return new(atomic.Uint64) }
	}
	l := &Limiter{next: next, count: count, events: map[string]*event{}}
	l.SetRate(defaultRate)
	return l
}

// SetRate makes another rate hold from the next line on, in lines a second.
func (l *Limiter) SetRate(n int) { l.rate.Store(int64(max(1, n))) }

// Handler is the limited handler.
func (l *Limiter) Handler() slog.Handler { return &handler{limiter: l, next: l.next} }

// Close tells what was held back and not told yet. Lines may follow it, but no sums.
func (l *Limiter) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	l.sum()
}

// allow tells how many of n lines of the event may be written now, and with
// take that they are. The others are held back.
func (l *Limiter) allow(name string, now time.Time, n int, take bool) int {
	rate := float64(l.rate.Load())
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.events[name]
	if e == nil {
		if len(l.events) >= maxEvents {
			name = other
		}
		if e = l.events[name]; e == nil {
			e = &event{tokens: rate, last: now}
			l.events[name] = e
		}
	}
	e.tokens = min(rate, e.tokens+rate*now.Sub(e.last).Seconds())
	e.last = now
	allowed := min(n, int(e.tokens))
	if take {
		e.tokens -= float64(allowed)
	}
	if allowed == n {
		return n
	}
	e.held += uint64(n - allowed)
	if e.count == nil {
		e.count = l.count(name)
	}
	e.count.Add(uint64(n - allowed))
	if l.timer == nil && !l.closed {
		l.timer = time.AfterFunc(every, l.due)
	}
	return allowed
}

// due is the timer's call.
func (l *Limiter) due() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = nil
	if !l.closed {
		l.sum()
	}
}

// sum writes a line for each event that lines were held back of. l.mu is held: next does not come back to us.
func (l *Limiter) sum() {
	for name, e := range l.events {
		if e.held == 0 {
			continue
		}
		r := slog.NewRecord(time.Now(), slog.LevelWarn, "log.suppressed", 0)
		r.AddAttrs(slog.String("event", name), slog.Uint64("lines", e.held))
		_ = l.next.Handle(context.Background(), r) // a log that cannot be written has nowhere to say so
		e.held = 0
	}
}

type handler struct {
	limiter *Limiter
	next    slog.Handler
}

var _ slog.Handler = (*handler)(nil)

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	if h.limiter.allow(r.Message, time.Now(), 1, true) == 0 {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// Holds tells how many of n lines of the event would be held back, and counts
// them as such. Who asks before making them saves what they cost.
func (h *handler) Holds(event string, n int) int {
	return n - h.limiter.allow(event, time.Now(), n, false)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.limiter, h.next.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.limiter, h.next.WithGroup(name)}
}
