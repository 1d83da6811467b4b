package gateway

import (
	"fmt"
	"time"

	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/access"
	"github.com/entrepot/entrepot/internal/auth"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/metrics"
)

// openAccess reads who may log in and what they may do. A mistake there is one of the configuration.
func (g *Gateway) openAccess(s *settings) (*permits, error) {
	g.logins = metrics.NewTiming(metrics.AuthSeconds)
	o := access.Options{Sections: s.sections, Failures: s.limits().authFailures(), Log: g.log}
	o.Observe = func(backend, result string, took time.Duration) { g.logins.Observe(took, backend, result) }
	control, read, problems := access.New(o)
	p := &permits{settings: read}
	if !problems.Failed() {
		problems = append(problems, p.readDevices(s.config)...)
	}
	problems = s.config.Finish(problems)
	if problems.Failed() {
		return nil, problems.Errors()
	}
	g.access = control
	g.warn(problems)
	return p, nil
}

// permits are the sections of access, and the tables of clients that listeners name, by the place of the listener.
type permits struct {
	settings *access.Settings
	devices  map[int][]auth.Device
}

func (p *permits) readDevices(c *config.Config) (problems config.Problems) {
	p.devices = map[int][]auth.Device{}
	for i, l := range c.Listeners {
		if l.Clients == "" {
			continue
		}
		table, wrong := p.settings.Devices(fmt.Sprintf("listeners[%d].clients", i), string(l.Clients))
		problems = append(problems, wrong...)
		p.devices[i] = table
	}
	return problems
}

// doors are what the listeners ask of those who come, by the names that they were bound by.
func (p *permits) doors(c *config.Config, addrs []listen.Addr) map[string]auth.Listener {
	all := map[string]auth.Listener{}
	for i, l := range c.Listeners {
		if l.Address.Scheme.Protocol == "http" {
			all[l.URL] = auth.Listener{Kinds: l.Auth}
			continue
		}
		all[addrs[0].URL] = auth.Listener{Anonymous: *l.Anonymous, Namespace: l.Namespace, Kinds: l.Auth, Devices: p.devices[i]}
		addrs = addrs[1:]
	}
	return all
}

// accessReloader makes new users, roles and backends hold.
type accessReloader struct{ g *Gateway }

var _ Reloader = accessReloader{}

// PrepareReload implements Reloader.
func (r accessReloader) PrepareReload(next *Next) (commit, abandon func(), problems config.Problems) {
	p, problems := readAccess(next.Config, next.Sections)
	if problems.Failed() {
		return nil, nil, problems
	}
	return func() { r.g.access.Use(p.settings, p.doors(next.Config, next.Addrs)) }, nil, problems
}

// readAccess reads the sections and the files that they name. OPERATIONS C21, C24
func readAccess(c *config.Config, sections map[string]any) (*permits, config.Problems) {
	read, problems := access.Read(access.Options{Sections: sections, Failures: (&settings{sections: sections}).limits().authFailures()})
	if problems.Failed() {
		return nil, problems
	}
	p := &permits{settings: read}
	return p, append(problems, p.readDevices(c)...)
}

// decisions is the metrics source of logins and rules.
func (g *Gateway) decisions(emit metrics.Emit) {
	emit("entrepot_auth_queue", float64(g.access.Waiting()))
	for a := range core.Action(core.ActionCount) {
		name := a.String()
		denied, allowed := g.access.Decisions(a)
		emit("entrepot_acl_decisions_total", float64(allowed), name, "allow")
		emit("entrepot_acl_decisions_total", float64(denied), name, "deny")
	}
}
