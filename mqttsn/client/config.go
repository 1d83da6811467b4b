package client

import (
	"context"
	"net"
	"time"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

// Options configure a Client. The zero value of a field is its default.
type Options struct {
	ClientID   string        // 1 to 65,000 octets; a gateway may refuse more than 23
	Resume     bool          // keep the session of an earlier connection (CleanSession 0)
	KeepAlive  time.Duration // default 60 s, at most 65,535 s
	Will       *Will
	User       string // sent with Password by AUTH, an extension, ahead of each CONNECT; "": no AUTH
	Password   string
	OnMessage  func(Message)     // called on the reading goroutine: it must not wait for this client
	Predefined map[uint16]string // ids that both sides know

	RetryInterval time.Duration // T_RETRY; default 10 s
	MaxRetries    int           // N_RETRY; default 4
	Window        int           // QoS 1 and 2 publishes unacknowledged at a time; default 1, as the text demands

	// Dial opens the socket; nil: UDP. What it returns keeps the bounds of
	// datagrams.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Will is published by the gateway when this client is lost.
type Will struct {
	Topic   string
	QoS     packet.QoS // 0..2
	Retain  bool
	Payload []byte
}

// Message is an incoming PUBLISH. Payload is valid during the call only.
type Message struct {
	Topic   string // "" for a predefined id that Options.Predefined lacks
	Kind    packet.TopicKind
	TopicID uint16
	QoS     packet.QoS
	Retain  bool
	Dup     bool
	Payload []byte
}

func (o Options) withDefaults() Options {
	if o.KeepAlive == 0 {
		o.KeepAlive = time.Minute
	}
	o.KeepAlive = min(o.KeepAlive, 65535*time.Second)
	if o.RetryInterval == 0 {
		o.RetryInterval = 10 * time.Second
	}
	if o.MaxRetries == 0 {
		o.MaxRetries = 4
	}
	if o.Window == 0 {
		o.Window = 1
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	return o
}

// seconds rounds a duration up to the unit of the wire.
func seconds(d time.Duration) uint16 {
	return uint16(min((d+time.Second-1)/time.Second, 65535))
}
