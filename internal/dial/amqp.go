package dial

import (
	"context"
	"errors"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/entrepot/entrepot/amqp/client"
)

// amqpConn speaks AMQP 0-9-1: topics on amq.topic, queues by the default exchange.
type amqpConn struct{ *client.Client }

func dialAMQP(ctx context.Context, o Options) (Conn, error) {
	c, err := client.Dial(ctx, o.Address.HostPort(), client.Options{
		Name: o.ClientID, User: o.User, Password: string(o.Password), Heartbeat: o.KeepAlive, Window: o.Window, TLS: o.TLS,
		OnMessage: func(m client.Message) { o.OnMessage(fromAMQP(m)) },
	})
	if err != nil {
		return nil, amqpError(err, Login)
	}
	return amqpConn{c}, nil
}

// amqpError tells a refused login from a refused topic: both are 403.
func amqpError(err error, forbidden Kind) error {
	var e *amqp091.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case amqp091.AccessRefused, amqp091.NotAllowed:
		return &Error{forbidden, err}
	case amqp091.PreconditionFailed:
		return &Error{Denied, err}
	}
	return &Error{Failed, err}
}

// Publish implements Conn.
func (c amqpConn) Publish(ctx context.Context, m Message, done func(error)) {
	out := client.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retain, ContentType: m.ContentType, Expiry: m.Expiry,
		ReplyTo: m.ReplyTo, Correlation: m.Correlation, Headers: make([]client.Header, len(m.Headers))}
	for i, h := range m.Headers {
		out.Headers[i] = client.Header(h)
	}
	c.Client.Publish(ctx, out, func(err error) { done(amqpError(err, Denied)) })
}

// Subscribe implements Conn.
func (c amqpConn) Subscribe(ctx context.Context, filter string, qos int) (int, error) {
	granted, err := c.Client.Subscribe(ctx, filter, qos)
	return granted, amqpError(err, Denied)
}

// Err implements Conn.
func (c amqpConn) Err() error { return amqpError(c.Client.Err(), Denied) }

func fromAMQP(m client.Message) Message {
	in := Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retain, Redelivered: m.Redelivered, ContentType: m.ContentType,
		Expiry: m.Expiry, ReplyTo: m.ReplyTo, Correlation: m.Correlation}
	for _, h := range m.Headers {
		in.Headers = append(in.Headers, Header(h))
	}
	return in
}
