package mqttsn

import (
	"log/slog"

	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

const (
	logRate = 50  // lines a second; datagrams are cheap to forge
	logText = 256 // octets of a client id that a line shows
)

// events is the log of an endpoint's clients, at a bounded rate. Client ids
// are attributes, which the handler escapes; payloads are never logged (X9).
type events struct {
	log     *slog.Logger
	rate    limit.Bucket
	skipped uint64
}

func newEvents(l *slog.Logger) events {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return events{log: l}
}

// write logs one event of a client. reason OK is left out.
func (v *events) write(now core.Time, event string, p *peer, r core.Reason) {
	if !v.rate.Take(now, 1, logRate, logRate) {
		v.skipped++
		return
	}
	if v.skipped > 0 {
		v.log.Warn("log.suppressed", "protocol", Name, "lines", v.skipped)
		v.skipped = 0
	}
	attrs := []any{"protocol", Name, "listener", p.e.listener, "client", p.id[:min(len(p.id), logText)], "addr", p.at.addr.String()}
	if r != core.OK {
		attrs = append(attrs, "reason", r.String())
	}
	v.log.Info(event, attrs...)
}
