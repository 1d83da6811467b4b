package gateway

import (
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strings"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/internal/admin"
	"github.com/entrepot/entrepot/internal/metrics"
	"github.com/entrepot/entrepot/internal/standard"
)

type adminListener struct {
	server   *admin.Server
	listener net.Listener
	url      string
}

// bindAdmin takes the addresses of the http:// listeners.
func (g *Gateway) bindAdmin() error {
	section := g.options.Config.Admin
	o := admin.Options{State: g, Timeout: section.Timeout, Log: g.log}
	if section.Metrics {
		o.Metrics = metrics.Handler(metrics.New(g.metrics, g.build, g.state, g.certificates, g.decisions, g.overload), g.logins)
	}
	for _, l := range g.options.Config.Listeners {
		if l.Address.Scheme.Protocol != "http" {
			continue
		}
		ln, err := net.Listen("tcp", l.Address.HostPort())
		if err != nil {
			e := &listen.BindError{URL: l.URL, Err: err}
			if e.InUse() {
				e.Process, e.PID = listen.Holder("tcp", l.Address.HostPort())
			}
			return e
		}
		o.AnyHost = !l.Address.Loopback()
		o.Viewer = g.viewer(l.URL)
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		g.admin = append(g.admin, &adminListener{server: admin.New(o), listener: ln, url: "http://" + net.JoinHostPort(l.Address.Host, port)})
	}
	return nil
}

// bindRooms makes the rooms and takes their addresses.
func (g *Gateway) bindRooms(host *adapters.Host) error {
	shared, err := makeRooms(host, g.options.Sections)
	if err != nil {
		return err
	}
	o := listen.Options{Host: host, Rooms: shared, Quiet: !g.options.Config.Log.Connections}
	for _, l := range g.options.Config.Listeners {
		if l.Address.Scheme.Protocol == "http" {
			continue
		}
		ll := listen.Listener{URL: l.URL, Origins: l.Origins, Mode: fs.FileMode(l.Mode), Group: l.Group}
		if l.Own {
			if ll.Rooms, err = makeRooms(host, l.Sections); err != nil {
				return err
			}
		}
		if l.ProxyProtocol != nil {
			ll.Proxies = l.ProxyProtocol.From
		}
		for name, value := range l.Headers {
			if ll.Headers == nil {
				ll.Headers = http.Header{}
			}
			ll.Headers.Set(name, value)
		}
		if ll.PSK, err = g.openKeys(l); err != nil {
			return fmt.Errorf("%s: %w", l.URL, err)
		}
		if ll.TLS, err = g.openTLS(l, len(o.Listeners), ll.Rooms, shared); err != nil {
			return fmt.Errorf("%s: %w", l.URL, err)
		}
		o.Listeners = append(o.Listeners, ll)
	}
	if g.server, err = listen.New(o); err != nil {
		return &UsageError{err}
	}
	return g.server.Bind()
}

// makeRooms makes the room of each protocol that has a section, and lists it under its schemes.
func makeRooms(host *adapters.Host, sections map[string]any) (map[string]adapters.Room, error) {
	rooms := map[string]adapters.Room{}
	for _, r := range standard.Protocols() {
		c, ok := sections[r.Name].(adapters.Config)
		if !ok {
			continue
		}
		room, err := r.New(host, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
		for _, s := range r.Schemes {
			rooms[s] = room
		}
	}
	return rooms, nil
}

// A UsageError is a listener that this binary cannot serve.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return strings.ReplaceAll(e.Err.Error(), "\n", "; ") }

// Unwrap returns the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// A Listening is one bound address, for the start-up table and the log.
type Listening struct {
	Protocol string // as people read it: mqtt; mqtt, stomp; admin
	URL      string
	Note     string
	Insecure bool
	TLS      bool
}

var notes = map[string]string{
	"mqtt": "3.1, 3.1.1, 5.0", "ws": "/mqtt, /stomp", "mqttsn": "1.2, udp", "coap": "udp", "stomp": "1.0, 1.1, 1.2", "amqp": "0-9-1",
	"http": "health, metrics",
}

// Listening lists the bound addresses in the order of the configuration.
func (g *Gateway) Listening() []Listening {
	addrs, admins := g.server.Addrs(), g.admin
	var all []Listening
	for _, l := range g.options.Config.Listeners {
		out := Listening{Protocol: l.Address.Scheme.Protocol, Insecure: l.Insecure, TLS: l.TLS != nil || l.PSK != "", Note: notes[l.Address.Scheme.Protocol]}
		switch out.Protocol {
		case "http":
			out.Protocol, out.URL = "admin", admins[0].url
			admins = admins[1:]
		case "ws":
			out.Protocol = "mqtt, stomp"
			fallthrough
		default:
			out.URL = addrs[0].URL
			addrs = addrs[1:]
		}
		all = append(all, out)
	}
	return all
}
