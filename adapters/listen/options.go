package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// Options of a server.
type Options struct {
	Host *adapters.Host // required: router, log, limits, metrics
	// Rooms are the protocols by the schemes of their listeners. A WebSocket
	// listener serves every adapters.WebSocketRoom among them.
	Rooms     map[string]adapters.Room
	Listeners []Listener
	Loops     int  // event loops; default: GOMAXPROCS less one, at least one
	Quiet     bool // no client.connected and client.disconnected in the log (log.connections: false)
}

// Listener is one address to listen on.
type Listener struct {
	// URL is scheme://host[:port] or scheme+unix:///path. Port 0 takes a free
	// one. Schemes that end in s, and wss, need TLS.
	URL string
	// TLS is for the schemes that need it; its NextProtos are the room's ALPN.
	// DTLS may do with PSK alone.
	TLS *tls.Config
	// PSK finds the key of an identity, for DTLS; nil: certificates alone. It
	// is safe for concurrent use.
	PSK func(identity string) (key []byte, ok bool)
	// Proxies are who connects to this listener, each connection with a PROXY
	// header before anything else (PROXY protocol 1 and 2); nil: nobody has one.
	Proxies []netip.Prefix
	// Origins are the Origin headers that a WebSocket client may send,
	// scheme://host[:port] each; none: the listener's own host, or no Origin.
	Origins []string
	// Headers are sent with every HTTP answer of a WebSocket listener.
	Headers http.Header
	// Mode and Group are of the file of a Unix socket. Zero: 0660, the
	// process's group.
	Mode  fs.FileMode
	Group string
	// Limits are those of this listener's connections, none above those of the
	// host; nil: those.
	Limits *adapters.Limits
	// Rooms are those of this listener, where they are not Options.Rooms.
	Rooms map[string]adapters.Room
}

type kind uint8

const (
	kindStream kind = iota
	kindWebSocket
	kindDatagram
)

// ports are the registered or customary ports of the schemes.
var ports = map[string]string{
	"mqtt": "1883", "mqtts": "8883", "ws": "8083", "wss": "8084", "mqttsn": "1884", "mqttsns": "8884",
	"coap": "5683", "coaps": "5684", "coap+tcp": "5683", "coaps+tcp": "5684",
	"stomp": "61613", "stomps": "61614", "amqp": "5672", "amqps": "5671",
}

// target is a listener's URL, understood.
type target struct {
	scheme  string // without +unix
	kind    kind
	network string // tcp, udp, unix
	addr    string // host:port or path
	secure  bool
	name    string // the URL without credentials
}

func parseTarget(raw string, rooms map[string]adapters.Room) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return target{}, fmt.Errorf("%s: not a URL", raw)
	}
	t := target{scheme: u.Scheme, network: "tcp"}
	if s, ok := strings.CutSuffix(u.Scheme, "+unix"); ok {
		t.scheme, t.network, t.addr = s, "unix", u.Path
		t.name = u.Scheme + "://" + u.Path
		if u.Path == "" {
			return target{}, fmt.Errorf("%s: no path", raw)
		}
	}
	room := rooms[t.scheme]
	_, datagram := room.(adapters.DatagramRoom)
	switch {
	case t.scheme == "ws" || t.scheme == "wss":
		t.kind, t.secure = kindWebSocket, t.scheme == "wss"
	case room == nil:
		return target{}, fmt.Errorf("%s: no protocol has the scheme %s", raw, t.scheme)
	case datagram && t.network == "tcp" && !strings.HasSuffix(t.scheme, "+tcp"):
		t.kind, t.network, t.secure = kindDatagram, "udp", secure(t.scheme, rooms)
	default:
		if _, ok := room.(adapters.StreamRoom); !ok {
			return target{}, fmt.Errorf("%s: %s does not run on streams", raw, room.Name())
		}
		t.secure = secure(t.scheme, rooms)
	}
	if t.network != "unix" {
		if err := t.hostPort(u); err != nil {
			return target{}, err
		}
	}
	return t, nil
}

// secure reports whether the scheme is the TLS variant of another one of the
// same room: mqtts of mqtt, coaps+tcp of coap+tcp, coaps of coap.
func secure(scheme string, rooms map[string]adapters.Room) bool {
	name, plus := strings.CutSuffix(scheme, "+tcp")
	plain, ok := strings.CutSuffix(name, "s")
	if !ok {
		return false
	}
	if plus {
		plain += "+tcp"
	}
	return rooms[plain] != nil && rooms[plain] == rooms[scheme]
}

func (t *target) hostPort(u *url.URL) error {
	port := u.Port()
	if port == "" {
		port = ports[t.scheme]
	}
	if port == "" {
		return fmt.Errorf("%s: no port", u.Redacted())
	}
	t.addr = net.JoinHostPort(u.Hostname(), port)
	t.name = t.scheme + "://" + t.addr
	return nil
}

// named replaces the port by the one that was bound.
func (t *target) bound(a net.Addr) {
	if t.network == "unix" {
		return
	}
	host, _, _ := net.SplitHostPort(t.addr)
	_, port, _ := net.SplitHostPort(a.String())
	t.name = t.scheme + "://" + net.JoinHostPort(host, port)
}

// BindError says that an address could not be bound.
type BindError struct {
	URL     string
	Process string // who holds it, where the system tells; "" otherwise
	PID     int
	Err     error
}

func (e *BindError) Error() string {
	switch {
	case e.Process != "":
		return fmt.Sprintf("%s: address in use by %s (pid %d)", e.URL, e.Process, e.PID)
	case isInUse(e.Err):
		return e.URL + ": address in use"
	}
	var op *net.OpError
	if errors.As(e.Err, &op) {
		return e.URL + ": " + op.Err.Error()
	}
	return e.URL + ": " + e.Err.Error()
}

func (e *BindError) Unwrap() error { return e.Err }

// InUse reports whether somebody else holds the address.
func (e *BindError) InUse() bool { return isInUse(e.Err) }

// protocol names of a WebSocket listener's rooms are told apart by path.
func webSocketRooms(rooms map[string]adapters.Room) map[string]adapters.WebSocketRoom {
	paths := map[string]adapters.WebSocketRoom{}
	for _, r := range rooms {
		if w, ok := r.(adapters.WebSocketRoom); ok {
			for _, p := range w.WebSocket().Paths {
				paths[p] = w
			}
		}
	}
	return paths
}

var _ core.Kicker = (*loop)(nil)
