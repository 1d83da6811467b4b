package stomp

import (
	"strconv"
	"strings"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// shortest interval that the server agrees to unless it is configured.
const shortest = 100 * time.Millisecond

// heartbeat keeps the two agreed intervals and when they last mattered.
type heartbeat struct {
	sx, sy          time.Duration // what the server advertises
	send, receive   time.Duration // agreed; 0: none
	idle            time.Duration // silence that ends a connection without receive; 0: none
	lastIn, lastOut core.Time
}

// agree reads the CONNECT's heart-beat header; false when it is malformed
// (ST17).
func (h *heartbeat) agree(f *frame.Frame, cfg *Config) bool {
	h.idle = cfg.IdleTimeout
	v, ok := f.Get("heart-beat")
	if !ok {
		return true
	}
	a, b, ok := strings.Cut(string(v), ",")
	cx, ok1 := millis(a)
	cy, ok2 := millis(b)
	if !ok || !ok1 || !ok2 {
		return false
	}
	h.sx, h.sy = offer(cfg.HeartbeatSend, cy), offer(cfg.HeartbeatReceive, cx)
	if cy > 0 {
		h.send = max(h.sx, cy)
	}
	if cx > 0 {
		h.receive = max(cx, h.sy)
	}
	return true
}

// offer is what the server advertises for an interval that the client wishes.
func offer(configured, wish time.Duration) time.Duration {
	switch {
	case wish == 0:
		return 0
	case configured > 0:
		return configured
	}
	return max(shortest, wish)
}

func millis(s string) (time.Duration, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	return time.Duration(n) * time.Millisecond, err == nil
}

func (h *heartbeat) advertised() string {
	return strconv.FormatInt(h.sx.Milliseconds(), 10) + "," + strconv.FormatInt(h.sy.Milliseconds(), 10)
}

// sendAt is when the next LF is due. A tick may come up to 100 ms late, so it
// is asked for early: the client counts on one within the interval.
func (h *heartbeat) sendAt() core.Time {
	return h.lastOut.After(h.send - min(h.send/4, 100*time.Millisecond))
}

// silentAt is when the client has been silent for too long; false: never.
func (h *heartbeat) silentAt() (core.Time, bool) {
	switch {
	case h.receive > 0:
		return h.lastIn.After(2 * h.receive), true // ST18
	case h.idle > 0:
		return h.lastIn.After(h.idle), true // ST19: off by default
	}
	return 0, false
}

// next is when Tick has something to do; 0: never.
func (h *heartbeat) next() core.Time {
	at, ok := h.silentAt()
	if h.send > 0 && (!ok || h.sendAt() < at) {
		at = h.sendAt()
	}
	return at
}

// next is when a tick is due; 0: never.
func (c *conn) next() core.Time {
	at := c.beat.next()
	if c.loginEnds != 0 && (at == 0 || c.loginEnds < at) {
		at = c.loginEnds
	}
	return at
}

// Tick implements adapters.Driven.
func (c *conn) Tick(t *core.Turn, out *adapters.Output) {
	out.Join()
	switch c.state {
	case awaitConnect: // from CONNECT on the loop watches over the login
		if t.Now < c.deadline {
			c.handle.TickAt(c.deadline)
			return
		}
		c.fail(t, failed(core.IdleTimeout, "Idle", "no login within its time"), "", out)
	case open, draining:
		if out.Held { // what it says is not read, since it does not read
			c.beat.lastIn = t.Now
		}
		if at, ok := c.beat.silentAt(); ok && t.Now >= at && c.state == open && !c.braked {
			c.room.count.timeouts.Add(1)
			c.fail(t, failed(core.IdleTimeout, "Idle", "nothing was received for too long"), "", out)
			return
		}
		if c.loginEnds != 0 && t.Now >= c.loginEnds && c.state == open {
			c.fail(t, fromReason(core.LoginExpired, ""), "", out)
			return
		}
		if c.beat.send > 0 && t.Now >= c.beat.sendAt() {
			out.B = append(out.B, '\n')
			c.beat.lastOut = t.Now
		}
		next := c.next()
		if next != 0 && next <= t.Now { // silence that is ours, not the client's
			next = t.Now.After(time.Second)
		}
		c.handle.TickAt(next)
	}
}

// wrote notes that octets were appended behind start.
func (c *conn) wrote(t *core.Turn, start int, out *adapters.Output) {
	if len(out.B) > start {
		c.beat.lastOut = t.Now
	}
}
