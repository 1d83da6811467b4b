package gateway

import (
	"fmt"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/access"
	"github.com/entrepot/entrepot/internal/auth"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/metrics"
)

// openAccess reads who may log in and what they may do. A mistake there is one of the configuration.
func (g *Gateway) openAccess() (*access.Settings, error) {
	g.logins = metrics.NewTiming(metrics.AuthSeconds)
	o := access.Options{Sections: g.options.Sections, Log: g.log}
	o.Observe = func(backend, result string, took time.Duration) { g.logins.Observe(took, backend, result) }
	control, settings, err := access.New(o)
	if err != nil {
		return nil, &UsageError{err}
	}
	g.access = control
	for _, w := range settings.Warnings {
		g.log.Warn("config.warning", "reason", w)
	}
	return settings, nil
}

// devices reads the tables of clients that listeners name, by the place of the listener.
func (g *Gateway) devices(settings *access.Settings) (map[*config.Listener][]auth.Device, error) {
	tables := map[*config.Listener][]auth.Device{}
	for i := range g.options.Config.Listeners {
		l := &g.options.Config.Listeners[i]
		if l.Clients == "" {
			continue
		}
		table, err := settings.Devices(string(l.Clients))
		if err != nil {
			return nil, &UsageError{fmt.Errorf("%s: %w", l.URL, err)}
		}
		tables[l] = table
	}
	return tables, nil
}

// doors are what the listeners ask of those who come, by the names that they were bound by.
func (g *Gateway) doors(tables map[*config.Listener][]auth.Device) map[string]auth.Listener {
	doors := map[string]auth.Listener{}
	addrs := g.server.Addrs()
	for i := range g.options.Config.Listeners {
		l := &g.options.Config.Listeners[i]
		if l.Address.Scheme.Protocol == "http" {
			doors[l.URL] = auth.Listener{Kinds: l.Auth}
			continue
		}
		doors[addrs[0].URL] = auth.Listener{Anonymous: *l.Anonymous, Namespace: l.Namespace, Kinds: l.Auth, Devices: tables[l]}
		addrs = addrs[1:]
	}
	return doors
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
