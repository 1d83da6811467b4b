package gateway

import (
	"strings"
)

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
	g.swapping.RLock()
	defer g.swapping.RUnlock()
	addrs, admins := g.server.Addrs(), g.admin
	var all []Listening
	for _, l := range g.now().config.Listeners {
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
