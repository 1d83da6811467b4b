package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/eventlog"
)

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
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: eventlog.Attribute}
	if c.Format == "text" || c.Format == "auto" && isTerminal(out) {
		return slog.New(slog.NewTextHandler(out, o)), done, nil
	}
	return slog.New(slog.NewJSONHandler(out, o)), done, nil
}
