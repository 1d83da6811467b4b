package gateway

import (
	"encoding/json"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/admin"
)

// connections are those of the rooms that list them, for the admin listeners.
type connections []adapters.Lister

// listers are the rooms that list their connections. What they know outlives a
// change of their settings, and is the same in those that listeners have of their own.
func (r *rooms) listers() (all connections) {
	for _, name := range slices.Sorted(maps.Keys(r.made)) {
		if l, ok := r.made[name].(adapters.Lister); ok {
			all = append(all, l)
		}
	}
	return all
}

// All implements admin.Connections.
func (x connections) All() iter.Seq[admin.Connection] {
	return func(yield func(admin.Connection) bool) {
		for _, l := range x {
			for c := range l.Connections() {
				if !yield(connectionOf(&c)) {
					return
				}
			}
		}
	}
}

// Find implements admin.Connections.
func (x connections) Find(name string) (admin.Connection, bool) {
	for _, l := range x {
		if c, ok := l.Connection(name); ok {
			return connectionOf(&c), true
		}
	}
	return admin.Connection{}, false
}

// Close implements admin.Connections.
func (x connections) Close(name, why string) bool {
	return slices.ContainsFunc(x, func(l adapters.Lister) bool { return l.Disconnect(name, why) })
}

// connectionOf is a connection in RabbitMQ's words: its vhost "/" is the default
// namespace.
func connectionOf(c *adapters.Connection) admin.Connection {
	vhost := c.Namespace
	if vhost == core.DefaultNamespace {
		vhost = "/"
	}
	properties := c.Properties
	if !json.Valid(properties) { // one client must not spoil the list of all
		properties = []byte("{}")
	}
	return admin.Connection{
		Name: c.Name, Given: c.Given, User: c.User, Vhost: vhost, Protocol: c.Protocol, Mechanism: c.Mechanism, State: c.State, Type: "network",
		PeerHost: host(c.Remote), PeerPort: int(c.Remote.Port()), Host: host(c.Local), Port: int(c.Local.Port()), TLS: c.TLS,
		Since: c.Since.UnixMilli(), Channels: c.Channels, ChannelMax: c.ChannelMax, FrameMax: c.FrameMax, Heartbeat: int(c.Heartbeat / time.Second),
		Properties: properties,
	}
}

// host is the address without its port; "unix" of a Unix socket.
func host(a netip.AddrPort) string {
	if !a.IsValid() {
		return "unix"
	}
	return a.Addr().String()
}
