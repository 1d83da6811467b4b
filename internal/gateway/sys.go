package gateway

import (
	"errors"
	"os"
	"sync/atomic"
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

// events are what observes clients, nil when nobody asked for it.
func (g *Gateway) events(s *settings) *sys.Events {
	if !s.sys().Events {
		return nil
	}
	return sys.NewEvents(g.node(), g.metrics)
}

// watch passes core's events on to whom they are for now.
type watch struct{ to atomic.Pointer[sys.Events] }

var (
	_ core.Observer  = (*watch)(nil)
	_ core.Attentive = (*watch)(nil)
)

func (w *watch) use(e *sys.Events) { w.to.Store(e) }

// Attends implements core.Attentive.
func (w *watch) Attends() bool { return w.to.Load() != nil }

// Observe implements core.Observer.
func (w *watch) Observe(e core.Event) {
	if to := w.to.Load(); to != nil {
		to.Observe(e)
	}
}

// node is the name of this node.
func (g *Gateway) node() string {
	name := g.now().config.Node.Name
	if name == "" {
		name, _ = os.Hostname()
	}
	if name == "" {
		name = "localhost"
	}
	return name
}

// publisher makes the client of the router that publishes below $SYS.
func (g *Gateway) publisher(s *settings) *sys.Publisher {
	o := sys.Options{Router: g.router, Metrics: g.metrics, Version: g.options.Version, Interval: s.sys().Interval, Events: g.watch.to.Load()}
	for _, r := range standard.Protocols() {
		o.Protocols = append(o.Protocols, r.Name)
	}
	return sys.New(o)
}
