package gateway

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
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
	o := access.Options{Sections: s.sections, Log: g.log}
	o.Observe = func(backend, result string, took time.Duration) { g.logins.Observe(took, backend, result) }
	control, read, err := access.New(o)
	if err != nil {
		return nil, &UsageError{err}
	}
	g.access = control
	for _, w := range read.Warnings {
		g.log.Warn("config.warning", "reason", w)
	}
	p := &permits{settings: read}
	if err := p.readDevices(s.config); err != nil {
		return nil, &UsageError{err}
	}
	return p, nil
}

// permits are the sections of access, and the tables of clients that listeners name, by the place of the listener.
type permits struct {
	settings *access.Settings
	devices  map[int][]auth.Device
}

func (p *permits) readDevices(c *config.Config) error {
	p.devices = map[int][]auth.Device{}
	for i, l := range c.Listeners {
		if l.Clients == "" {
			continue
		}
		table, err := p.settings.Devices(string(l.Clients))
		if err != nil {
			return fmt.Errorf("%s: %w", l.URL, err)
		}
		p.devices[i] = table
	}
	return nil
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
func readAccess(c *config.Config, sections map[string]any) (p *permits, problems config.Problems) {
	read, err := access.Read(access.Options{Sections: sections})
	if err == nil {
		p = &permits{settings: read}
		err = p.readDevices(c)
	}
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			problems = append(problems, accessProblem(c, line))
		}
		return nil, problems
	}
	for _, w := range read.Warnings {
		problem := accessProblem(c, w)
		problem.Warning = true
		problems = append(problems, problem)
	}
	return p, problems
}

var (
	placed = regexp.MustCompile(`^(.+?):(\d+): (.+)$`)
	keyed  = regexp.MustCompile(`^((?:auth|acl|roles|users)\.[a-z_.0-9\[\]]+): `)
)

// accessProblem shows a mistake where its text says that it is.
func accessProblem(c *config.Config, text string) config.Problem {
	for i, l := range c.Listeners {
		if rest, ok := strings.CutPrefix(text, l.URL+": "); ok {
			return c.Problem(config.CodeAccess, fmt.Sprintf("listeners[%d].clients", i), rest)
		}
	}
	if m := placed.FindStringSubmatch(text); m != nil {
		line, _ := strconv.Atoi(m[2])
		return config.Problem{Code: config.CodeAccess, File: m[1], Line: line, Column: 1, Message: m[3]}
	}
	path := "auth"
	if m := keyed.FindStringSubmatch(text); m != nil {
		path = m[1]
	}
	return c.Problem(config.CodeAccess, path, text)
}

// actions are the actions of an authorizer as the metric has them.
var actions = [core.ActionCount]string{"publish", "retain", "subscribe", "share", "deliver", "will", "queue"}

// decisions is the metrics source of logins and rules.
func (g *Gateway) decisions(emit metrics.Emit) {
	emit("entrepot_auth_queue", float64(g.access.Waiting()))
	for a, name := range actions {
		denied, allowed := g.access.Decisions(core.Action(a))
		emit("entrepot_acl_decisions_total", float64(allowed), name, "allow")
		emit("entrepot_acl_decisions_total", float64(denied), name, "deny")
	}
}
