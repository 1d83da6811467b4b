package listen

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

const maxStacks = 256 // defects that are told apart

// events writes the log of connections. How often a line of one event is
// written is the affair of the log's handler.
type events struct {
	log         *slog.Logger
	connections atomic.Bool // client.connected and client.disconnected are wanted

	mu     sync.Mutex
	stacks map[string]struct{} // Guarded by mu: defects whose stack was logged
}

func newEvents(log *slog.Logger, connections bool) *events {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	e := &events{log: log, stacks: map[string]struct{}{}}
	e.connections.Store(connections)
	return e
}

// addrText is an address as logs show it.
func addrText(a netip.AddrPort) string {
	if !a.IsValid() {
		return "unix"
	}
	return a.String()
}

// wants tells whether what becomes of clients is logged.
func (e *events) wants(level slog.Level) bool {
	return e.connections.Load() && e.log.Enabled(context.Background(), level)
}

// client logs what became of a client; reason OK is left out.
func (e *events) client(level slog.Level, event string, c *counters, who adapters.Identity, addr string, r core.Reason) {
	if !e.wants(level) {
		return
	}
	if r == core.TakenOver && event == "client.disconnected" {
		e.client(level, "client.takenover", c, who, addr, core.OK)
	}
	attrs := make([]slog.Attr, 0, 8)
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	add("protocol", c.protocol)
	add("version", who.Version)
	add("listener", c.listener)
	add("client", who.Client)
	if p := who.Principal; p != nil {
		add("principal", p.User)
		if p.Namespace != core.DefaultNamespace {
			add("ns", p.Namespace)
		}
	}
	add("addr", addr)
	if r != core.OK {
		add("reason", r.String())
	}
	e.log.LogAttrs(context.Background(), level, event, attrs...)
}

// ended logs the end of a connection; early: before the login.
func (e *events) ended(s *stream, r core.Reason, early bool) {
	level := slog.LevelInfo
	if early {
		if why := preauthReason(r); why != "" {
			e.preauthClosed(s.counts, s.PeerAddr(), why, nil)
			return
		}
		if r == core.ConnectionLost {
			level = slog.LevelDebug // somebody looked whether we are there
		}
	}
	e.client(level, "client.disconnected", s.counts, identity(s.conn), s.PeerAddr(), r)
}

// identity is who a room says that it serves.
func identity(room any) adapters.Identity {
	if i, ok := room.(adapters.Identified); ok {
		return i.Identity()
	}
	return adapters.Identity{}
}

func (e *events) preauthClosed(c *counters, addr, why string, err error) {
	attrs := []any{"protocol", c.protocol, "listener", c.listener, "addr", addr, "reason", why}
	if err != nil {
		attrs = append(attrs, "error", err) // may hold text of the peer, which the log's handler cuts
	}
	e.log.Info("preauth.closed", attrs...)
}

// denied logs a login that was refused before its room saw it.
func (e *events) denied(c *counters, addr netip.AddrPort, reason string) {
	e.log.Info("auth.denied", "protocol", c.protocol, "listener", c.listener, "addr", addrText(addr), "reason", reason)
}

func (e *events) refused(c *counters, addr netip.AddrPort, r limit.Refusal) {
	e.log.Warn("limit.refused", "protocol", c.protocol, "listener", c.listener, "addr", addrText(addr), "limit", string(r))
}

// panicked logs a defect with its stack, once for each that is told apart by
// its text.
func (e *events) panicked(protocol string, p any, stack []byte) {
	text := fmt.Sprint(p)
	e.mu.Lock()
	_, seen := e.stacks[text]
	if !seen && len(e.stacks) < maxStacks {
		e.stacks[text] = struct{}{}
	}
	e.mu.Unlock()
	if seen {
		e.log.Error("panic.recovered", "protocol", protocol, "panic", text)
		return
	}
	e.log.Error("panic.recovered", "protocol", protocol, "panic", text, "stack", string(stack))
}
