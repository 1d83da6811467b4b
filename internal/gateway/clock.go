package gateway

import (
	"context"
	"log/slog"
	"time"
)

const (
	clockEvery  = 10 * time.Second // between two looks
	clockMatter = 10 * time.Second // a step that is smaller is nobody's affair: NTP makes such
)

// clockWatch tells of steps of the system's clock. Whatever has a time runs on the
// monotonic clock, so that no step makes anything expire; core decides when it
// believes the system's clock. [SECURITY R6]
type clockWatch struct {
	ahead func() time.Duration // how far the system's clock was set ahead
	log   *slog.Logger
	told  time.Duration
}

func (w *clockWatch) run(ctx context.Context) {
	tick := time.NewTicker(clockEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.look()
		case <-ctx.Done():
			return
		}
	}
}

// look writes a line for each step, and one when the clocks agree again.
func (w *clockWatch) look() {
	now := w.ahead().Round(time.Second)
	if (now - w.told).Abs() < clockMatter {
		return
	}
	w.told = now
	w.log.Warn("config.warning", "reason", "clock", "ahead", now)
}

// checkClock is core's look at the clock.
func (g *Gateway) checkClock() time.Duration {
	t := g.router.NewTurn(nil)
	defer t.End()
	return g.router.CheckClock(t)
}
