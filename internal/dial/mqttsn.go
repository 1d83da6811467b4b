package dial

import (
	"bytes"
	"context"
	"errors"
	"net"

	"github.com/entrepot/entrepot/mqttsn/client"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// mqttsnConn speaks MQTT-SN 1.2.
type mqttsnConn struct {
	*client.Client
	session bool
}

func dialMQTTSN(ctx context.Context, o Options) (Conn, error) {
	opts := client.Options{ClientID: o.ClientID, Resume: o.Session > 0, KeepAlive: o.KeepAlive, Window: o.Window,
		User: o.User, Password: string(o.Password),
		OnMessage: func(m client.Message) {
			o.OnMessage(Message{Topic: m.Topic, Payload: bytes.Clone(m.Payload), QoS: int(m.QoS), Retain: m.Retain, Redelivered: m.Dup})
		}}
	if o.Address.Scheme.DTLS() {
		opts.Dial = func(ctx context.Context, _, addr string) (net.Conn, error) { return o.associate(ctx, addr) }
	}
	open := client.Dial
	if o.Connectionless {
		open = client.Open
	}
	c, err := open(ctx, o.Address.HostPort(), opts)
	if err != nil {
		return nil, mqttsnError(err)
	}
	return &mqttsnConn{c, !o.Connectionless}, nil
}

func mqttsnError(err error) error {
	var refused *client.Refused
	switch {
	case errors.As(err, &refused) && refused.By == packet.CONNACK && refused.Code == packet.NotSupported:
		return &Error{Login, err}
	case errors.As(err, &refused) && refused.Code != packet.Congestion:
		return &Error{Denied, err}
	case errors.Is(err, client.ErrTopic), errors.Is(err, client.ErrTooLarge):
		return &Error{Denied, err}
	case errors.Is(err, client.ErrTimeout), errors.Is(err, client.ErrDisconnected):
		return &Error{Unreachable, err}
	}
	return err
}

// Publish implements Conn. One message is on its way at a time, as the specification demands, unless Options.Window is set.
func (c *mqttsnConn) Publish(ctx context.Context, m Message, done func(error)) {
	topic := client.Name(m.Topic)
	if m.QoS < 0 && len(m.Topic) == 2 {
		topic = client.Short(m.Topic)
	}
	c.PublishAsync(ctx, topic, packet.QoS(m.QoS), m.Retain, m.Payload, func(err error) { done(mqttsnError(err)) })
}

// Subscribe implements Conn.
func (c *mqttsnConn) Subscribe(ctx context.Context, filter string, qos int) (int, error) {
	granted, err := c.Client.Subscribe(ctx, client.Name(filter), packet.QoS(qos))
	return int(granted), mqttsnError(err)
}

// Err implements Conn.
func (c *mqttsnConn) Err() error { return mqttsnError(c.Client.Err()) }

// Close implements Conn.
func (c *mqttsnConn) Close(ctx context.Context) error {
	if !c.session {
		return c.Client.Close()
	}
	return mqttsnError(c.Disconnect(ctx))
}
