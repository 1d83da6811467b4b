//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/entrepot/entrepot/internal/gateway"
)

// heard are the signals to a gateway that runs: SIGHUP reloads the configuration, SIGUSR1 writes a dump to the log.
// Those that come before the gateway runs wait for it. OPERATIONS C6
type heard struct{ hup, usr1 chan os.Signal }

func listenForSignals() heard {
	h := heard{make(chan os.Signal, 1), make(chan os.Signal, 1)}
	signal.Notify(h.hup, syscall.SIGHUP)
	signal.Notify(h.usr1, syscall.SIGUSR1)
	return h
}

// obey serves the signals until ctx ends.
func (h heard) obey(ctx context.Context, g *gateway.Gateway) {
	for {
		select {
		case <-ctx.Done():
			signal.Stop(h.hup)
			signal.Stop(h.usr1)
			return
		case <-h.hup:
			g.Reload(ctx)
		case <-h.usr1:
			g.Dump()
		}
	}
}
