package gateway

import (
	"errors"
	"os"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/standard"
	"github.com/entrepot/entrepot/internal/sys"
)

// Sys is the section `sys`: what the gateway publishes of itself below $SYS.
type Sys struct {
	// Interval is the time between two values, 1s to 1h; 0 publishes none.
	Interval time.Duration `yaml:"interval"`
	// Events publishes what becomes of each client: connected, disconnected, subscribed, unsubscribed.
	Events bool `yaml:"events"`
}

// DefaultSys is the section when the configuration says nothing.
func DefaultSys() *Sys { return &Sys{Interval: 10 * time.Second} }

// Validate names the key that is out of range.
func (s *Sys) Validate() error {
	if s.Interval != 0 && (s.Interval < time.Second || s.Interval > time.Hour) {
		return errors.New("interval is 1s to 1h, or 0")
	}
	return nil
}

func (g *Gateway) sys() *Sys {
	if s, ok := g.options.Sections["sys"].(*Sys); ok {
		return s
	}
	return DefaultSys()
}

// observer is what core tells events to, nil for nobody.
func (g *Gateway) observer() core.Observer {
	if !g.sys().Events {
		return nil
	}
	g.events = sys.NewEvents(g.node(), g.metrics)
	return g.events
}

// node is the name of this node.
func (g *Gateway) node() string {
	name := g.options.Config.Node.Name
	if name == "" {
		name, _ = os.Hostname()
	}
	if name == "" {
		name = "localhost"
	}
	return name
}

// publisher makes the client of the router that publishes below $SYS.
func (g *Gateway) publisher() *sys.Publisher {
	o := sys.Options{Router: g.router, Metrics: g.metrics, Version: g.options.Version, Interval: g.sys().Interval, Events: g.events}
	for _, r := range standard.Protocols() {
		o.Protocols = append(o.Protocols, r.Name)
	}
	return sys.New(o)
}
