package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/entrepot/entrepot/internal/config"
)

// maxAttr is the longest text of an attribute that a log line shows, in bytes. OPERATIONS G2
const maxAttr = 256

// logger makes the log of the section; done closes its file.
func logger(c config.Log, stderr io.Writer) (log *slog.Logger, done func(), err error) {
	out, done := stderr, func() {}
	if c.File != "" {
		f, err := os.OpenFile(c.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("log.file: %s cannot be opened: %w", c.File, err)
		}
		out, done = f, func() { _ = f.Close() }
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, nil, fmt.Errorf("log.level: %w", err)
	}
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: attribute}
	if c.Format == "text" || c.Format == "auto" && isTerminal(out) {
		return slog.New(slog.NewTextHandler(out, o)), done, nil
	}
	return slog.New(slog.NewJSONHandler(out, o)), done, nil
}

// attribute writes times with milliseconds and zone (OPERATIONS G5) and cuts long texts, but for stacks.
func attribute(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindTime:
		return slog.String(a.Key, a.Value.Time().Format("2006-01-02T15:04:05.000Z07:00"))
	case slog.KindDuration:
		return slog.String(a.Key, a.Value.Duration().Round(time.Microsecond).String())
	case slog.KindString:
		if s := a.Value.String(); len(s) > maxAttr && a.Key != "stack" {
			return slog.String(a.Key, s[:maxAttr]+"...")
		}
	}
	return a
}
