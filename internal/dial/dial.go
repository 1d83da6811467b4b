// Package dial speaks every protocol of the gateway from one place: a URL's scheme chooses the client. pub, sub, bench
// and the cross-protocol matrix use it.
//
// It is defined by docs/commands.md. Topics and filters are canonical in every scheme (a/b, a/+/#, $queue/NAME); each
// protocol's client makes its own address of them.
package dial

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"time"

	"github.com/entrepot/entrepot/internal/config"
)

// Message is one message to publish, or one that was received.
type Message struct {
	Topic       string
	Payload     []byte
	QoS         int // -1 (MQTT-SN without a session) to 2
	Retain      bool
	Redelivered bool // received before, perhaps
	ContentType string
	Expiry      time.Duration // time left, 0 for none
	ReplyTo     string
	Correlation []byte
	Headers     []Header
}

// Header is one application header.
type Header struct{ Name, Value string }

// Options tell whom to connect to and how.
type Options struct {
	Address  config.Address
	ClientID string // empty: entrepot- and random letters
	Version  string // of the protocol; empty: the newest
	User     string
	Password []byte
	// TLS is for the schemes that need it; nil trusts the system's authorities. Name and ALPN of the server are filled in.
	TLS *tls.Config
	// PSKIdentity and PSK are for DTLS: with them no certificate is needed.
	PSKIdentity string
	PSK         []byte
	// KeepAlive is the interval of the protocol's own sign of life; 0 for 60 s.
	KeepAlive time.Duration
	// Session keeps subscriptions and what they receive for that long after the connection; 0 for not at all.
	Session time.Duration
	// Connectionless opens no session: MQTT-SN, for messages of QoS -1 alone.
	Connectionless bool
	// Window bounds the publishes of QoS 1 and 2 that wait for their acknowledgement; 0 for 64.
	Window int
	// OnMessage receives what arrives, in order, on one goroutine. The connection waits for it: that is the flow control.
	// nil: for connections that only publish. The message and its slices belong to the callee.
	OnMessage func(Message)
}

// Conn is one connection. Publish and Subscribe may be called from several goroutines.
type Conn interface {
	// Publish sends a message and calls done once, from any goroutine: with nil when the server has acknowledged it (QoS 1
	// and 2) or the connection has taken it (QoS 0), or with the reason why not. Messages are sent in the order of the
	// calls. Publish waits while the window is full.
	Publish(ctx context.Context, m Message, done func(error))
	// Subscribe returns the granted QoS when the server has confirmed the filter.
	Subscribe(ctx context.Context, filter string, qos int) (granted int, err error)
	// Done is closed when the connection has ended; Err tells why.
	Done() <-chan struct{}
	Err() error
	// Close ends the connection in the protocol's own words.
	Close(ctx context.Context) error
}

// Send publishes one message and waits for what Publish promises.
func Send(ctx context.Context, c Conn, m Message) error {
	result := make(chan error, 1)
	c.Publish(ctx, m, func(err error) { result <- err })
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return &Error{Kind: Unreachable, Err: ctx.Err()}
	}
}

// dialers holds the client of each protocol.
var dialers = map[string]func(context.Context, Options) (Conn, error){
	"mqtt":   dialMQTT,
	"mqttsn": dialMQTTSN,
	"amqp":   dialAMQP,
	"stomp":  dialSTOMP,
	"coap":   dialCoAP,
}

// Dial connects. The error is an [Error].
func Dial(ctx context.Context, o Options) (Conn, error) {
	protocol := o.Protocol()
	d, ok := dialers[protocol]
	scheme := o.Address.Scheme
	if !ok || scheme.Protocol == "coap" && scheme.Network == "tcp" {
		return nil, &Error{Kind: Usage, Err: errorText("a client for " + o.Address.Scheme.Name + ":// is not part of this version")}
	}
	if o.ClientID == "" {
		o.ClientID = RandomID()
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = time.Minute
	}
	if o.Window <= 0 {
		o.Window = 64
	}
	if o.OnMessage == nil {
		o.OnMessage = func(Message) {}
	}
	o.TLS = o.secure()
	c, err := d(ctx, o)
	if err != nil {
		return nil, classify(err)
	}
	return c, nil
}

// RandomID is a client identifier that nobody else has.
func RandomID() string { return "entrepot-" + rand.Text()[:10] }

// Protocol is what is spoken at the address: on WebSocket the path decides.
func (o Options) Protocol() string {
	if !o.Address.Scheme.WebSocket {
		return o.Address.Scheme.Protocol
	}
	if o.Address.Path == "/stomp" {
		return "stomp"
	}
	return "mqtt"
}
