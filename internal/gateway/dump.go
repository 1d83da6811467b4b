package gateway

import (
	"bytes"
	"runtime"
	"runtime/pprof"

	"github.com/entrepot/entrepot/internal/eventlog"
)

// maxDump bounds the stacks of a dump, in bytes.
const maxDump = 4 << 20

// Dump writes the state of each listener and the stacks of all goroutines to the log. OPERATIONS C6
func (g *Gateway) Dump() {
	for _, l := range g.server.States() {
		attrs := []any{"protocol", l.Protocol, "listener", l.URL, "accepting", l.Accepting}
		if l.Connections >= 0 {
			attrs = append(attrs, "connections", l.Connections)
		}
		g.log.Info("listener.state", attrs...)
	}
	all, early := g.server.Connections()
	var b bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&b, 2) // into memory
	stacks := b.Bytes()[:min(b.Len(), maxDump)]
	g.log.Info("goroutines", "count", runtime.NumGoroutine(), "connections", all, "unauthenticated", early, eventlog.Stack, string(stacks))
}
