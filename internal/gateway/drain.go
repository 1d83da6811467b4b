package gateway

import "context"

// Drain sends clients to the servers that the configuration names (mqtt.server_reference): newcomers at once and from now
// on, those that are connected in slices. It returns true when nobody is left that is to go, false when ctx, or the gateway,
// ended before. The gateway is not ready until [Gateway.Undrain]. Call it while [Gateway.Run] runs.
func (g *Gateway) Drain(ctx context.Context) bool {
	g.draining.Store(true)
	g.log.Info("draining")
	done := g.server.Drain(ctx)
	g.log.Info("drained", "complete", done)
	return done
}

// Undrain lets clients in again.
func (g *Gateway) Undrain() {
	g.server.Undrain()
	g.draining.Store(false)
}
