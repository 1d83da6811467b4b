package mosquitto

import (
	"net"
	"strconv"
	"strings"
)

// A listener is what the lines of one say.
type listener struct {
	line   *Line // nil: the default listener
	asked  bool  // something asks for the default listener
	host   string
	port   string
	socket string // path of a Unix socket
	lost   bool   // it cannot be served as it was meant, and is left out

	web       bool
	cert, key *Line
	ca, crl   string
	require   bool
	identity  bool // the name in the certificate is the user's
	version   string
	qos       int // 0: not said; else one more than it
	origins   []string
	most      *Line // max_connections

	security
	open bool // anonymous clients are let in
}

// security is what may be a listener's own.
type security struct{ passwords, acl, allowAnonymous *Line }

// holder is what a line's security belongs to.
func (c *converter) holder() *security { return c.security(c.here()) }

// security is what holds for a listener.
func (c *converter) security(l *listener) *security {
	if c.separate {
		return &l.security
	}
	return &c.shared
}

// listener reads `listener PORT [ADDRESS]`.
func (c *converter) listener(l *Line) {
	port, host, _ := strings.Cut(l.value, " ")
	host = strings.TrimSpace(host)
	add := &listener{line: l, asked: true, port: port, host: host}
	c.listeners = append(c.listeners, add)
	switch n, err := strconv.Atoi(port); {
	case err != nil || n < 0 || n > 65535:
		l.lost("the port is not between 0 and 65535")
		add.lost = true
	case n == 0 && strings.HasPrefix(host, "/"):
		add.socket = host
	case n == 0:
		l.lost("port 0 is for the path of a Unix socket")
		add.lost = true
	case strings.HasPrefix(host, "/"):
		l.lost("the path of a Unix socket goes with port 0")
		add.lost = true
	}
}

// port reads the port of the default listener.
func (c *converter) port(l *Line) {
	n, ok := whole(l, 1, 65535)
	if !ok {
		return
	}
	def := c.listeners[0]
	def.asked, def.line, def.port = true, l, strconv.Itoa(n)
}

// listenerKeys belong to the listener above them.
var listenerKeys = map[string]func(h *listener, c *converter, l *Line){
	"bind_address": func(h *listener, _ *converter, l *Line) {
		h.host = l.value
		if h.line == nil {
			h.line = l
		}
	},
	"protocol": func(h *listener, _ *converter, l *Line) {
		switch l.value {
		case "mqtt":
		case "websockets":
			h.web = true
			l.changed("the path is /mqtt, and a browser's page has to be of the same host: else write origins")
		default:
			l.lost("the listener is left out")
			h.lost = true
		}
	},
	"certfile": func(h *listener, c *converter, l *Line) { h.cert, l.value = l, c.file(l) },
	"keyfile":  func(h *listener, c *converter, l *Line) { h.key, l.value = l, c.file(l) },
	"cafile":   func(h *listener, c *converter, l *Line) { h.ca = c.file(l) },
	"crlfile":  func(h *listener, c *converter, l *Line) { h.crl = c.file(l) },
	"capath": func(h *listener, _ *converter, l *Line) {
		l.lost("put the certificates of the folder into one file: tls.client_ca")
	},
	"require_certificate": func(h *listener, _ *converter, l *Line) {
		h.require, _ = truth(l)
	},
	"use_identity_as_username": func(h *listener, _ *converter, l *Line) {
		h.identity, _ = truth(l)
	},
	"use_subject_as_username": func(h *listener, _ *converter, l *Line) {
		if on, ok := truth(l); on || !ok {
			l.lost("auth.cert.user takes a name out of the certificate; the listener is left out")
			h.lost = true
		}
	},
	"psk_hint": func(h *listener, _ *converter, l *Line) {
		l.lost("TLS with pre-shared keys is not spoken here; the listener is left out")
		h.lost = true
	},
	"tls_version": func(h *listener, _ *converter, l *Line) {
		switch l.value {
		case "tlsv1.3":
			h.version = "1.3"
		case "tlsv1.2":
			h.version = "1.2"
		default:
			l.changed("1.2 is the oldest version")
		}
	},
	"ciphers":        func(h *listener, _ *converter, l *Line) { l.changed("the suites are those that are safe today") },
	"ciphers_tls1.3": func(h *listener, _ *converter, l *Line) { l.changed("the suites are those that are safe today") },
	"dhparamfile":    func(h *listener, _ *converter, l *Line) { l.note("not needed: keys are agreed on elliptic curves") },
	"tls_engine":     func(h *listener, _ *converter, l *Line) { l.lost("keys are files") },
	"tls_keyform":    func(h *listener, _ *converter, l *Line) { l.lost("keys are files") },
	"max_connections": func(h *listener, _ *converter, l *Line) {
		if h.most = l; l.value == "-1" {
			h.most = nil
		}
	},
	"max_qos":     maxQoS,
	"maximum_qos": maxQoS, // not in the manual, but in mosquitto
	"mount_point": func(h *listener, _ *converter, l *Line) {
		l.lost("namespaces keep topics apart here; the listener is left out")
		h.lost = true
	},
	"use_username_as_clientid": func(h *listener, _ *converter, l *Line) {
		if on, ok := truth(l); on || !ok {
			l.lost("write client_ids beside the users")
		}
	},
	"http_dir": func(h *listener, _ *converter, l *Line) { l.lost("no files are served") },
	"bind_interface": func(h *listener, _ *converter, l *Line) {
		l.lost("name the address of the interface; the listener is left out")
		h.lost = true
	},
	"socket_domain": func(h *listener, _ *converter, l *Line) {
		any := map[string]string{"ipv4": "0.0.0.0", "ipv6": "::"}[l.value]
		switch {
		case any == "":
			l.lost("it is neither ipv4 nor ipv6")
		case h.host == "":
			h.host = any
		}
	},
	"websockets_origin": func(h *listener, _ *converter, l *Line) { h.origins = append(h.origins, l.value) },
}

func maxQoS(h *listener, _ *converter, l *Line) {
	if n, ok := whole(l, 0, 2); ok {
		h.qos = n + 1
	}
}

// listen settles the listeners, when all lines are read.
func (c *converter) listen() {
	def := c.listeners[0]
	local := len(c.listeners) == 1 && def.line == nil
	switch {
	case local: // nobody asks for one: mosquitto is there for its own machine
		def.host, def.port = "127.0.0.1", "1883"
	case !def.asked:
		c.listeners = c.listeners[1:]
	case def.port == "":
		def.port = "1883"
	}
	for _, l := range c.listeners {
		l.open = local
		if a := c.security(l).allowAnonymous; a != nil {
			l.open, _ = truth(a)
		}
		l.secure()
	}
	c.connections()
}

// secure settles TLS.
func (l *listener) secure() {
	switch {
	case (l.cert == nil) != (l.key == nil):
		have := l.cert
		if have == nil {
			have = l.key
		}
		have.lost("certfile and keyfile come together; the listener is left out")
		l.lost = true
	case l.cert == nil && (l.require || l.identity) && l.line != nil && !l.lost:
		l.line.lost("certificates are asked for, and there is no certfile; the listener is left out")
		l.lost = true
	case l.require && l.ca == "":
		l.cert.lost("certificates are asked for, and there is no cafile; the listener is left out")
		l.lost = true
	}
}

// connections makes one bound of those of the listeners.
func (c *converter) connections() {
	sum, all := 0, true
	for _, l := range c.listeners {
		if l.most == nil {
			all = false
			continue
		}
		n, ok := whole(l.most, 1, 10_000_000)
		all = all && ok
		sum += n
	}
	for _, l := range c.listeners {
		switch {
		case l.most == nil:
		case !all:
			l.most.lost("limits.connections counts all listeners, and another one has no bound")
		case len(c.listeners) > 1:
			l.most.changed("limits.connections counts all listeners: %d", sum)
		}
	}
	if all {
		c.keys.set("limits", "connections", "%d", sum)
	}
}

// url is what is served.
func (l *listener) url() string {
	scheme := "mqtt"
	if l.web {
		scheme = "ws"
	}
	if l.cert != nil {
		scheme += "s"
	}
	if l.socket != "" {
		return scheme + "+unix://" + l.socket
	}
	return scheme + "://" + net.JoinHostPort(strings.Trim(l.host, "[]"), l.port)
}
