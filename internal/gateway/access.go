package gateway

import (
	"github.com/entrepot/entrepot/internal/access"
	"github.com/entrepot/entrepot/internal/auth"
)

// openAccess reads who may log in and what they may do. A mistake there is one of the configuration.
func (g *Gateway) openAccess() (*access.Settings, error) {
	control, settings, err := access.New(access.Options{Sections: g.options.Sections, Log: g.log})
	if err != nil {
		return nil, &UsageError{err}
	}
	g.access = control
	for _, w := range settings.Warnings {
		g.log.Warn("config.warning", "reason", w)
	}
	return settings, nil
}

// doors are what the listeners ask of those who come, by the names that they were bound by.
func (g *Gateway) doors() map[string]auth.Listener {
	doors := map[string]auth.Listener{}
	addrs := g.server.Addrs()
	for _, l := range g.options.Config.Listeners {
		if l.Address.Scheme.Protocol == "http" {
			continue
		}
		doors[addrs[0].URL] = auth.Listener{Anonymous: *l.Anonymous, Namespace: l.Namespace, Kinds: l.Auth}
		addrs = addrs[1:]
	}
	return doors
}
