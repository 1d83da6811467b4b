// Package gateway puts the parts together: store, router, rooms, sockets, health and metrics, from a configuration to a
// running process and to its clean end.
//
// It is defined by docs/operations.md: all listeners are bound or none, and nothing is accepted before the gateway is ready.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/access"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/eventlog"
	"github.com/entrepot/entrepot/internal/metrics"
	"github.com/entrepot/entrepot/internal/overload"
	"github.com/entrepot/entrepot/internal/standard"
	"github.com/entrepot/entrepot/internal/sys"
)

// Memory is the word of node.data that keeps nothing on disk.
const Memory = "memory"

// Options of a gateway.
type Options struct {
	Config *config.Config
	// Sections are the structures that the configuration was decoded into, as [Sections] made them.
	Sections map[string]any
	Log      *slog.Logger // default: discards
	Version  string
	Commit   string
	Meter    overload.Meter // of memory, disk, CPU and descriptors; default: this process
}

// Gateway is one gateway of this process. Make it with [Open], then [Gateway.Run] it.
type Gateway struct {
	// Immutable after Open.
	options Options
	lines   *eventlog.Limiter
	log     *slog.Logger
	metrics *adapters.Metrics
	store   core.Store
	closers []func() error // of the store
	access  *access.Control
	logins  *metrics.Timing
	router  *core.Router
	server  *listen.Server
	admin   []*adminListener
	secured []securedListener
	monitor *overload.Monitor
	events  *sys.Events // nil: nobody asked for them

	started  atomic.Bool
	stopping atomic.Bool
	draining atomic.Bool
	ended    sync.Once
}

// Open takes the data directory and every address, or returns an error and leaves nothing behind. Nothing is accepted yet.
// A taken address is a *[listen.BindError].
func Open(o Options) (*Gateway, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{options: o, metrics: adapters.NewMetrics()}
	g.lines = eventlog.New(o.Log.Handler(), func(event string, n uint64) { g.metrics.Counter("log_suppressed_total", event).Add(n) })
	g.log = slog.New(g.lines.Handler())
	if err := g.open(); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

func (g *Gateway) open() error {
	if err := g.openStore(); err != nil {
		return err
	}
	limits := g.limits()
	settings, err := g.openAccess()
	if err != nil {
		return err
	}
	if g.router, err = core.New(core.Options{Store: g.store, Log: g.log, Limits: limits.core(), Observer: g.observer(), Authorizer: g.access}); err != nil {
		return fmt.Errorf("the store in %s cannot be read: %w", g.options.Config.Node.Data, err)
	}
	g.access.Changed = g.router.Recheck
	g.openOverload()
	host := &adapters.Host{Router: g.router, Log: g.log, Auth: g.access, Limits: limits.adapters(), Version: g.options.Version, Metrics: g.metrics}
	if err := g.bindRooms(host); err != nil {
		return err
	}
	tables, err := g.devices(settings)
	if err != nil {
		return err
	}
	g.access.Use(settings, g.doors(tables))
	if err := g.bindAdmin(); err != nil {
		ended, end := context.WithCancel(context.Background())
		end()
		return errors.Join(err, g.server.Serve(ended)) // gives the addresses back
	}
	return nil
}

func (g *Gateway) limits() *Limits {
	if l, ok := g.options.Sections["limits"].(*Limits); ok {
		return l
	}
	return DefaultLimits()
}

// Run serves until the context ends, then stops in order: nobody new, farewells, answers under way, the store.
// It returns within five seconds, and nil when all went well. It is called once.
func (g *Gateway) Run(ctx context.Context) error {
	defer g.close()
	var wg sync.WaitGroup
	defer wg.Wait()
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	failed := make(chan error, 1+len(g.admin))
	for _, a := range g.admin {
		wg.Go(func() { report(failed, a.server.Serve(a.listener)) })
	}
	wg.Go(func() { report(failed, g.server.Serve(serving)) })
	told := &refusals{metrics: g.metrics, log: g.log, told: map[refusal]uint64{}}
	wg.Go(func() { told.run(serving) })
	wg.Go(func() { g.monitor.Run(serving) })
	publisher := g.publisher()
	wg.Go(func() { publisher.Run(serving) })
	g.started.Store(true)
	g.log.Info("ready")
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	g.stopping.Store(true)
	g.log.Info("stopping")
	g.router.Stop()
	stop()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	for _, a := range g.admin {
		err = errors.Join(err, a.server.Shutdown(end))
	}
	wg.Wait()
	err = errors.Join(err, g.close())
	g.log.Info("stopped")
	return err
}

// report passes an error on, if it is one.
func report(to chan<- error, err error) {
	if err != nil {
		to <- err
	}
}

// close ends what was opened, in the reverse order; only its first call does anything.
func (g *Gateway) close() (err error) {
	g.ended.Do(func() {
		for _, a := range g.admin {
			_ = a.listener.Close() // closed already, if it was served
		}
		if g.router != nil {
			g.router.Close()
		}
		for _, c := range g.closers {
			err = errors.Join(err, c())
		}
		g.lines.Close()
	})
	return err
}

// Sections makes the structures of all sections that the gateway and its protocols have, at their defaults.
func Sections() map[string]any {
	all := map[string]any{"limits": DefaultLimits(), "store": DefaultStore(), "sys": DefaultSys()}
	maps.Copy(all, access.Sections())
	for _, r := range standard.Protocols() {
		all[r.Name] = r.Config()
	}
	return all
}

// Protocols maps the protocol of a listener to the sections whose keys it may repeat.
func Protocols() map[string][]string {
	all := map[string][]string{}
	for _, r := range standard.Protocols() {
		all[r.Name] = []string{r.Name}
		if r.Name == "mqtt" || r.Name == "stomp" {
			all["ws"] = append(all["ws"], r.Name)
		}
	}
	return all
}
