package gateway

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/internal/config"
)

// A Reloader takes part in a reload in two steps, so that everybody takes the new configuration or nobody does.
type Reloader interface {
	// PrepareReload reads what the new configuration says, and changes nothing. commit makes it hold and cannot fail; it
	// is called before a new listener accepts. It is nil when the problems have failed. abandon, which may be nil, is
	// called instead when somebody else refuses.
	PrepareReload(next *Next) (commit, abandon func(), problems config.Problems)
}

// Next is what a reload is about to make hold.
type Next struct {
	Config   *config.Config
	Sections map[string]any
	// Addrs are the bound addresses of the listeners, but for the http:// ones, in the order of the configuration.
	Addrs []listen.Addr
}

// Reload reads the configuration anew and makes all of it hold, or nothing of it: then the problems say why
// ([config.Problems.Failed]). Connections stay, but for those of listeners that are gone, which have limits.drain. It is
// safe to call from any goroutine; one reload comes after the other.
func (g *Gateway) Reload(ctx context.Context) config.Problems {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	before := g.Listening()
	problems := g.reload(ctx)
	result := "ok"
	if problems.Failed() {
		result = "rejected"
	}
	g.metrics.Counter("config_reloads_total", result).Add(1)
	g.warn(problems)
	if !problems.Failed() {
		for _, l := range g.Listening() {
			was := slices.IndexFunc(before, func(b Listening) bool { return b.URL == l.URL })
			if was < 0 {
				g.log.Info("listener.bound", "protocol", l.Protocol, "listener", l.URL)
			}
			if l.Insecure && (was < 0 || !before[was].Insecure) { // SECURITY S14
				g.log.Warn("config.warning", "listener", l.URL, "reason", "anybody who reaches this listener may use it")
			}
		}
		c := g.now().config
		g.log.Info("config.reloaded", "config", c.Source, "sha256", c.Sum[:8], "listeners", len(c.Listeners))
	}
	return problems
}

// warn logs problems.
func (g *Gateway) warn(problems config.Problems) {
	for _, p := range problems {
		event := "config.rejected"
		if p.Warning {
			event = "config.warning"
		}
		g.log.Warn(event, "at", p.Place(), "code", p.Code, "reason", p.Message)
	}
}

func (g *Gateway) reload(ctx context.Context) config.Problems {
	old := g.now()
	switch {
	case g.options.Read == nil:
		return config.Problems{{Code: config.CodeFixed, Message: "this gateway has no configuration that could be read again"}}
	case g.over || g.system == nil:
		return config.Problems{{Code: config.CodeFixed, Message: "the gateway is not running"}}
	}
	c, sections, problems := g.options.Read()
	next := &settings{config: c, sections: sections}
	switch {
	case problems.Failed():
	case c.Empty() && !old.config.Empty(): // what is left of a file that could not be written. SECURITY E10
		problems = append(problems, config.Problem{Code: config.CodeFile, File: c.Source, Message: "the file holds nothing any more"})
	default:
		problems = c.Finish(append(problems, fixed(old, next)...))
	}
	if problems.Failed() {
		return problems
	}
	r := &reload{g: g, next: next}
	if err := r.prepare(); err != nil {
		r.abort()
		problems = append(problems, r.problems...)
		if !r.problems.Failed() {
			problems = append(problems, problemOf(c, err))
		}
		return c.Finish(problems)
	}
	problems = c.Finish(append(problems, r.problems...))
	r.commit(ctx)
	return problems
}

// fixed names what only a start takes.
func fixed(old, next *settings) (problems config.Problems) {
	add := func(path string, same bool) {
		if !same {
			problems = append(problems, next.config.Problem(config.CodeFixed, path, path+" cannot change while the gateway runs"))
			problems[len(problems)-1].Hint = "start the gateway anew, or put the old value back"
		}
	}
	add("node.name", old.config.Node.Name == next.config.Node.Name)
	add("node.data", old.config.Node.Data == next.config.Node.Data)
	was, will := *old.store(), *next.store()
	was.Reserve = will.Reserve // which is the monitor's
	add("store", was == will)
	add("cluster", reflect.DeepEqual(old.sections["cluster"], next.sections["cluster"]))
	return problems
}

// problemOf makes a problem of what went wrong beyond the file.
func problemOf(c *config.Config, err error) config.Problem {
	var be *listen.BindError
	if errors.As(err, &be) {
		return portProblem(c, be)
	}
	return config.Problem{Code: config.CodeFile, File: c.Source, Message: strings.ReplaceAll(err.Error(), "\n", "; ")}
}

// portProblem says at which listener an address could not be taken.
func portProblem(c *config.Config, be *listen.BindError) config.Problem {
	for i, l := range c.Listeners {
		if l.URL == be.URL {
			return c.Problem(config.CodePort, fmt.Sprintf("listeners[%d].url", i), be.Error())
		}
	}
	return config.Problem{Code: config.CodePort, File: c.Source, Message: be.Error()}
}

// reload is one under way.
type reload struct {
	g        *Gateway
	next     *settings
	floor    *floor
	secured  *secured
	change   *listen.Change
	admin    []*adminListener
	fresh    []*adminListener
	seen     map[string]fileStamp
	commits  []func()
	abandons []func()
	problems config.Problems
}

var errRefused = errors.New("refused")

// prepare takes everything that the new configuration needs, and changes nothing.
func (r *reload) prepare() (err error) {
	g := r.g
	if r.floor, err = lay(g.host(r.next), r.next, g.floor); err != nil {
		return err
	}
	r.secured = &secured{old: g.secured.Load()}
	o, err := g.listeners(r.next, r.floor, r.secured)
	if err != nil {
		return err
	}
	if r.admin, r.fresh, err = g.bindAdmin(r.next, g.admin); err != nil {
		return err
	}
	if r.change, err = g.server.Prepare(o); err != nil {
		return err
	}
	r.next.namespaces().dead(func(path, text string) {
		p := r.next.config.Problem(config.CodeAccess, path, text)
		p.Warning = true
		r.problems = append(r.problems, p)
	})
	r.seen = accessFiles(r.next.config)
	next := &Next{Config: r.next.config, Sections: r.next.sections, Addrs: r.change.Addrs()}
	for _, x := range g.reloaders() {
		commit, abandon, problems := x.PrepareReload(next)
		r.problems = append(r.problems, problems...)
		if abandon != nil {
			r.abandons = append(r.abandons, abandon)
		}
		if commit != nil {
			r.commits = append(r.commits, commit)
		}
	}
	if r.problems.Failed() {
		return errRefused
	}
	return nil
}

// reloaders are those who take part.
func (g *Gateway) reloaders() []Reloader {
	return append([]Reloader{accessReloader{g}}, g.options.Reloaders...)
}

// abort gives back what prepare took.
func (r *reload) abort() {
	for _, abandon := range r.abandons {
		abandon()
	}
	if r.change != nil {
		r.change.Abort()
	}
	for _, a := range r.fresh {
		_ = a.socket.Close()
	}
	if r.floor != nil {
		r.floor.undo(r.g.floor)
	}
}

// commit makes the new configuration hold.
func (r *reload) commit(ctx context.Context) {
	g := r.g
	limits := r.next.limits()
	g.swapping.Lock()
	g.router.SetLimits(limits.core())
	g.lines.SetRate(rate(limits.LogRate))
	g.router.SetTenants(r.next.namespaces().core())
	g.monitor.Change(limits.Overload.steps(), int64(r.next.store().Reserve))
	for _, commit := range r.commits {
		commit()
	}
	r.change.Commit(limits.Drain)
	g.swapAdmin(r.admin)
	g.floor, g.seen, g.refused = r.floor, r.seen, ""
	r.secured.old = nil
	g.secured.Store(r.secured)
	old := g.now()
	g.current.Store(r.next)
	g.swapping.Unlock()
	r.secured.refresh()
	if *old.sys() != *r.next.sys() {
		g.watch.use(g.events(r.next))
		g.system.Change(ctx, r.next.sys().Interval, g.watch.to.Load())
	}
}
