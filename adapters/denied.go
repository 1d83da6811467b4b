package adapters

import (
	"context"
	"log/slog"
)

// Denied writes the one line of the log that a refused login has: by an
// Authenticator, or by a room that asks none. What c does not tell is left
// out; a password is never told.
func Denied(log *slog.Logger, level slog.Level, c *Credentials, why string, more ...slog.Attr) {
	if log == nil || !log.Enabled(context.Background(), level) {
		return
	}
	attrs := []slog.Attr{slog.String("reason", why)}
	for _, a := range [][2]string{{"protocol", c.Protocol}, {"listener", c.Listener}, {"addr", c.Addr}, {"user", c.User}, {"client", c.ClientID}} {
		if a[1] != "" {
			attrs = append(attrs, slog.String(a[0], a[1]))
		}
	}
	log.LogAttrs(context.Background(), level, "auth.denied", append(attrs, more...)...)
}
