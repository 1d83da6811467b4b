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

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
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
	Disk     vfs.FS         // below the store; default: the system's
	// Read reads the configuration anew, for [Gateway.Reload], into sections of its own. Default: it cannot be reloaded.
	Read func() (*config.Config, map[string]any, config.Problems)
	// Reloaders take part in a reload.
	Reloaders []Reloader
}

// Gateway is one gateway of this process. Make it with [Open], then [Gateway.Run] it.
type Gateway struct {
	// Immutable after Open.
	options    Options
	log        *slog.Logger
	lines      *eventlog.Limiter
	metrics    *adapters.Metrics
	store      core.Store
	closers    []func() error // of the store
	giveUp     func()         // waits for no disk any more; nil without one
	access     *access.Control
	takeovers  limit.Takeovers
	logins     *metrics.Timing
	syncs      *metrics.Timing // of the store; nothing without one on disk
	deliveries *metrics.Timing // of a sample
	router     *core.Router
	server     *listen.Server
	monitor    *overload.Monitor
	watch      watch // what core tells events to
	failed     chan error

	current atomic.Pointer[settings]
	secured atomic.Pointer[secured]

	// Guarded by reloading.
	reloading sync.Mutex
	floor     *floor
	seen      map[string]fileStamp // the files of access, as they were read
	refused   string               // why those of now are not used
	system    *sys.Publisher
	over      bool // Run has begun to end

	swapping sync.RWMutex     // held while several of what follows and precedes change together
	admin    []*adminListener // Guarded by swapping.

	running  sync.WaitGroup // every goroutine of Run
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
	g := &Gateway{options: o, metrics: adapters.NewMetrics(), syncs: metrics.NewTiming(metrics.FsyncSeconds), deliveries: metrics.NewTiming(metrics.DeliverySeconds), failed: make(chan error, 16)}
	g.metrics.Deliveries(func(from, to string, took time.Duration) { g.deliveries.Observe(took, from, to) })
	g.lines = eventlog.New(o.Log.Handler(), func(event string) *atomic.Uint64 { return g.metrics.Counter("log_suppressed_total", event) })
	g.log = slog.New(g.lines.Handler())
	s := &settings{config: o.Config, sections: o.Sections}
	g.lines.SetRate(rate(s.limits().LogRate))
	g.current.Store(s)
	if err := g.open(s); err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

func (g *Gateway) open(s *settings) error {
	if err := g.openStore(s); err != nil {
		return err
	}
	g.watch.use(g.events(s))
	s.namespaces().dead(func(path, text string) { g.log.Warn("config.warning", "at", path, "reason", text) })
	g.seen = accessFiles(s.config)
	permits, err := g.openAccess(s)
	if err != nil {
		return err
	}
	if g.router, err = core.New(core.Options{Store: g.store, Forget: s.config.Node.Data == Memory, Log: g.log, Limits: s.limits().core(), Tenants: s.namespaces().core(), Observer: &g.watch, Authorizer: g.access}); err != nil {
		return fmt.Errorf("the store in %s cannot be read: %w", s.config.Node.Data, err)
	}
	g.access.Changed = g.router.Recheck
	g.openOverload(s)
	if g.floor, err = lay(g.host(s), s, nil); err != nil {
		return err
	}
	tls := &secured{}
	o, err := g.listeners(s, g.floor, tls)
	if err != nil {
		return err
	}
	g.secured.Store(tls)
	if g.server, err = listen.New(o); err != nil {
		return &UsageError{err}
	}
	if err := g.server.Bind(); err != nil {
		return err
	}
	g.access.Use(permits.settings, permits.doors(s.config, g.server.Addrs()))
	if g.admin, _, err = g.bindAdmin(s, nil); err != nil {
		ended, end := context.WithCancel(context.Background())
		end()
		return errors.Join(err, g.server.Serve(ended)) // gives the addresses back
	}
	return nil
}

// host is what the rooms of a configuration get.
func (g *Gateway) host(s *settings) *adapters.Host {
	return &adapters.Host{Router: g.router, Log: g.log, Auth: g.access, Limits: s.limits().adapters(), Version: g.options.Version, Metrics: g.metrics, Takeovers: &g.takeovers}
}

// Run serves until the context ends, then stops in order: nobody new, farewells, answers under way, the store.
// It returns within five seconds, and nil when all went well. It is called once.
func (g *Gateway) Run(ctx context.Context) error {
	defer g.close()
	defer g.running.Wait()
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g.begin(serving)
	g.started.Store(true)
	g.log.Info("ready")
	var err error
	select {
	case <-ctx.Done():
	case err = <-g.failed:
	}
	g.stopping.Store(true)
	g.log.Info("stopping")
	g.router.Stop()
	g.reloading.Lock() // one that is under way comes first
	g.over = true
	g.reloading.Unlock()
	stop()
	for _, a := range g.admin {
		err = errors.Join(err, stopAdmin(ctx, a))
	}
	g.running.Wait()
	err = errors.Join(err, g.close())
	g.log.Info("stopped")
	return err
}

// begin starts everything that serves until the context ends.
func (g *Gateway) begin(serving context.Context) {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	for _, a := range g.admin {
		g.startAdmin(a)
	}
	g.running.Go(func() { report(g.failed, g.server.Serve(serving)) })
	told := &refusals{metrics: g.metrics, router: g.router, log: g.log, told: map[refusal]uint64{}}
	g.running.Go(func() { told.run(serving) })
	g.running.Go(func() { (&clockWatch{ahead: g.checkClock, log: g.log}).run(serving) })
	g.running.Go(func() { g.monitor.Run(serving) })
	g.running.Go(func() { g.tidy(serving) })
	g.running.Go(func() { g.watchFiles(serving) })
	g.system = g.publisher(g.now())
	g.running.Go(func() { g.system.Run(serving) })
}

// report passes an error on, if it is one.
func report(to chan<- error, err error) {
	if err == nil {
		return
	}
	select {
	case to <- err:
	default: // the first ones tell enough
	}
}

// close ends what was opened, in the reverse order; only its first call does anything.
func (g *Gateway) close() (err error) {
	g.ended.Do(func() {
		for _, a := range g.admin {
			_ = a.socket.Close()
		}
		if g.giveUp != nil {
			defer time.AfterFunc(2*time.Second, g.giveUp).Stop() // what waits for a disk then is not acknowledged
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
	all := map[string]any{"limits": DefaultLimits(), "namespaces": &Namespaces{}, "store": DefaultStore(), "sys": DefaultSys()}
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
