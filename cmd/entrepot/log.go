package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/eventlog"
	"github.com/entrepot/entrepot/internal/gateway"
	"github.com/entrepot/entrepot/internal/unreadable"
)

// output is where the log of the moment goes.
type output struct {
	handler slog.Handler
	close   func()
}

// openOutput makes the handler of the section.
func openOutput(c config.Log, stderr io.Writer) (*output, error) {
	to := &output{close: func() {}}
	out := stderr
	if c.File != "" {
		f, err := os.OpenFile(c.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("log.file: %s cannot be opened: %s", c.File, unreadable.Why(err))
		}
		out, to.close = f, func() { _ = f.Close() }
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		to.close()
		return nil, fmt.Errorf("log.level: %w", err)
	}
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: eventlog.Attribute}
	if c.Format == "text" || c.Format == "auto" && isTerminal(out) {
		to.handler = slog.NewTextHandler(out, o)
	} else {
		to.handler = slog.NewJSONHandler(out, o)
	}
	return to, nil
}

// logbook is the log of the process. A reload gives it another output, and opens its file anew in any case, so that a
// file which was moved away is let go.
type logbook struct {
	stderr io.Writer
	now    atomic.Pointer[output]
}

var _ gateway.Reloader = (*logbook)(nil)

// logger makes the log of the section.
func logger(c config.Log, stderr io.Writer) (*slog.Logger, *logbook, error) {
	b := &logbook{stderr: stderr}
	to, err := openOutput(c, stderr)
	if err != nil {
		return nil, nil, err
	}
	b.now.Store(to)
	return slog.New(page{book: b, open: func(h slog.Handler) slog.Handler { return h }}), b, nil
}

func (b *logbook) close() { b.now.Load().close() }

// PrepareReload implements gateway.Reloader.
func (b *logbook) PrepareReload(next *gateway.Next) (commit, abandon func(), problems config.Problems) {
	to, err := openOutput(next.Config.Log, b.stderr)
	if err != nil {
		return nil, nil, config.Problems{next.Config.Problem(config.CodeFile, "log.file", err.Error())}
	}
	return func() { b.now.Swap(to).close() }, to.close, nil
}

// page is a handler that writes to whatever the output is by then.
type page struct {
	book *logbook
	open func(slog.Handler) slog.Handler // adds attributes and groups
}

func (p page) handler() slog.Handler { return p.open(p.book.now.Load().handler) }

// Enabled implements slog.Handler.
func (p page) Enabled(ctx context.Context, l slog.Level) bool {
	return p.book.now.Load().handler.Enabled(ctx, l)
}

// Handle implements slog.Handler.
func (p page) Handle(ctx context.Context, r slog.Record) error { return p.handler().Handle(ctx, r) }

// WithAttrs implements slog.Handler.
func (p page) WithAttrs(attrs []slog.Attr) slog.Handler {
	return page{p.book, func(h slog.Handler) slog.Handler { return p.open(h).WithAttrs(attrs) }}
}

// WithGroup implements slog.Handler.
func (p page) WithGroup(name string) slog.Handler {
	return page{p.book, func(h slog.Handler) slog.Handler { return p.open(h).WithGroup(name) }}
}
