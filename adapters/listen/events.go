package listen

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

const (
	eventRate    = 50               // lines a second of one event (L31)
	summaryEvery = 10 * time.Second // one line tells what was held back
)

// events writes the log of connections, each event at a bounded rate.
type events struct {
	log         *slog.Logger
	clock       *core.Clock
	connections bool // client.disconnected is wanted

	mu    sync.Mutex
	rates map[string]*eventCount // Guarded by mu.
}

type eventCount struct {
	rate       limit.Bucket
	suppressed uint64
	summary    core.Time
}

// allow reports whether a line of the event may be written now, and how many
// were not since the last summary when one is due.
func (e *events) allow(event string) (ok bool, suppressed uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.rates[event]
	if c == nil {
		c = new(eventCount)
		e.rates[event] = c
	}
	now := e.clock.Now()
	if ok = c.rate.Take(now, 1, eventRate, eventRate); !ok {
		c.suppressed++
	}
	if c.suppressed > 0 && now >= c.summary {
		c.summary = now.After(summaryEvery)
		suppressed, c.suppressed = c.suppressed, 0
	}
	return ok, suppressed
}

func (e *events) write(level slog.Level, event string, attrs ...any) {
	ok, suppressed := e.allow(event)
	if ok {
		e.log.Log(context.Background(), level, event, attrs...)
	}
	if suppressed > 0 {
		e.log.Warn("log.suppressed", "event", event, "lines", suppressed)
	}
}

// addrText is an address as logs show it.
func addrText(a netip.AddrPort) string {
	if !a.IsValid() {
		return "unix"
	}
	return a.String()
}

// ended logs the end of a connection; early: before the login.
func (e *events) ended(s *stream, r core.Reason, early bool) {
	if early {
		if why := preauthReason(r); why != "" {
			e.preauthClosed(s.counts, s.addrText(), why, nil)
		}
		return
	}
	if e.connections {
		e.write(slog.LevelInfo, "client.disconnected", "protocol", s.counts.protocol,
			"listener", s.counts.listener, "addr", s.addrText(), "reason", r.String())
	}
}

// maxError bounds what a line says of an error, which may hold text of the
// peer (G2).
const maxError = 256

func (e *events) preauthClosed(c *counters, addr, why string, err error) {
	attrs := []any{"protocol", c.protocol, "listener", c.listener, "addr", addr, "reason", why}
	if err != nil {
		text := err.Error()
		attrs = append(attrs, "error", strings.ToValidUTF8(text[:min(len(text), maxError)], ""))
	}
	e.write(slog.LevelInfo, "preauth.closed", attrs...)
}

// denied logs a login that was refused before its room saw it.
func (e *events) denied(c *counters, addr netip.AddrPort, reason string) {
	e.write(slog.LevelInfo, "auth.denied", "protocol", c.protocol, "listener", c.listener, "addr", addrText(addr), "reason", reason)
}

func (e *events) refused(c *counters, addr netip.AddrPort, r limit.Refusal) {
	e.write(slog.LevelWarn, "limit.refused", "protocol", c.protocol, "listener", c.listener, "addr", addrText(addr), "limit", string(r))
}

// panicked logs a defect with its stack, once for each that is told apart by
// its text.
func (e *events) panicked(protocol string, p any, stack []byte) {
	text := fmt.Sprint(p)
	e.mu.Lock()
	_, seen := e.rates["panic "+text]
	if !seen && len(e.rates) < 256 {
		e.rates["panic "+text] = new(eventCount)
	}
	e.mu.Unlock()
	if seen {
		e.write(slog.LevelError, "panic.recovered", "protocol", protocol, "panic", text)
		return
	}
	e.write(slog.LevelError, "panic.recovered", "protocol", protocol, "panic", text, "stack", string(stack))
}
