package dial

import (
	"context"
	"errors"

	"github.com/entrepot/entrepot/mqtt/client"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// mqttConn speaks MQTT, over TCP, a Unix socket or WebSocket.
type mqttConn struct{ *client.Client }

var mqttVersions = map[string]packet.Version{"": packet.V5, "5": packet.V5, "5.0": packet.V5, "3.1.1": packet.V311, "3.1": packet.V31}

func dialMQTT(ctx context.Context, o Options) (Conn, error) {
	version, ok := mqttVersions[o.Version]
	if !ok {
		return nil, &Error{Usage, errorText("there is no MQTT " + o.Version + "; the versions are 3.1, 3.1.1 and 5")}
	}
	to := client.Target{Network: "tcp", Address: o.Address.HostPort(), TLS: o.TLS}
	switch {
	case o.Address.Scheme.WebSocket:
		if to.WebSocket = o.Address.Path; to.WebSocket == "" {
			to.WebSocket = "/mqtt"
		}
	case o.Address.Path != "":
		to.Network, to.Address = "unix", o.Address.Path
	}
	c, err := client.Dial(ctx, to, client.Options{
		Version: version, ClientID: o.ClientID, User: o.User, Password: o.Password, KeepAlive: o.KeepAlive,
		Resume: o.Session > 0, Expiry: o.Session, Window: o.Window,
		OnMessage: func(m client.Message) { o.OnMessage(fromMQTT(m)) },
	})
	if err != nil {
		return nil, mqttError(err)
	}
	return mqttConn{c}, nil
}

// mqttError sorts what a code says.
func mqttError(err error) error {
	var e *client.Refused
	if !errors.As(err, &e) {
		return err
	}
	login := e.Packet == packet.CONNACK
	switch {
	case login && e.Code < packet.UnspecifiedError: // of 3.x
		if e.Code == packet.BadUserPassword3 || e.Code == packet.NotAuthorized3 {
			return &Error{Login, err}
		}
		return &Error{Failed, err}
	case login && (e.Code == packet.BadUserNameOrPassword || e.Code == packet.NotAuthorized || e.Code == packet.Banned):
		return &Error{Login, err}
	case e.Code == packet.NotAuthorized, e.Code == packet.TopicNameInvalid, e.Code == packet.TopicFilterInvalid:
		return &Error{Denied, err}
	}
	return &Error{Failed, err}
}

// Publish implements Conn. That nobody listens is a success.
func (c mqttConn) Publish(ctx context.Context, m Message, done func(error)) {
	out := client.Message{Topic: m.Topic, Payload: m.Payload, QoS: byte(m.QoS), Retain: m.Retain, ContentType: m.ContentType,
		Expiry: m.Expiry, ResponseTopic: m.ReplyTo, Correlation: m.Correlation, User: make([]client.Property, len(m.Headers))}
	for i, h := range m.Headers {
		out.User[i] = client.Property{Key: h.Name, Value: h.Value}
	}
	c.Client.Publish(ctx, out, func(err error) { done(mqttError(err)) })
}

// Subscribe implements Conn.
func (c mqttConn) Subscribe(ctx context.Context, filter string, qos int) (int, error) {
	granted, err := c.Client.Subscribe(ctx, client.Subscription{Filter: filter, QoS: byte(qos)})
	return int(granted), mqttError(err)
}

// Err implements Conn.
func (c mqttConn) Err() error { return mqttError(c.Client.Err()) }

func fromMQTT(m client.Message) Message {
	in := Message{Topic: m.Topic, Payload: m.Payload, QoS: int(m.QoS), Retain: m.Retain, Redelivered: m.Redelivered,
		ContentType: m.ContentType, Expiry: m.Expiry, ReplyTo: m.ResponseTopic, Correlation: m.Correlation}
	for _, u := range m.User {
		in.Headers = append(in.Headers, Header{Name: u.Key, Value: u.Value})
	}
	return in
}
