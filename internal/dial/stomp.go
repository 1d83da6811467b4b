package dial

import (
	"context"
	"errors"

	"github.com/entrepot/entrepot/stomp/client"
)

// stompConn speaks STOMP.
type stompConn struct{ *client.Client }

func dialSTOMP(ctx context.Context, o Options) (Conn, error) {
	address := o.Address.HostPort()
	if o.Address.Scheme.WebSocket {
		address = o.Address.Scheme.Name + "://" + address + o.Address.Path
	}
	c, err := client.Dial(ctx, address, client.Options{
		Version: o.Version, ClientID: o.ClientID, User: o.User, Password: string(o.Password), Heartbeat: o.KeepAlive, Window: o.Window, TLS: o.TLS,
		OnMessage: func(m client.Message) { o.OnMessage(fromSTOMP(m)) },
	})
	if err != nil {
		return nil, stompError(err)
	}
	return stompConn{c}, nil
}

// stompError sorts what an ERROR frame says.
func stompError(err error) error {
	var e *client.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Message {
	case "Bad CONNECT":
		return &Error{Login, err}
	case "access_refused", "Invalid destination", "Unknown destination":
		return &Error{Denied, err}
	case "not_implemented", "Version mismatch":
		return &Error{Usage, err}
	}
	return &Error{Failed, err}
}

// Publish implements Conn.
func (c stompConn) Publish(ctx context.Context, m Message, done func(error)) {
	out := client.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retain, ContentType: m.ContentType, Expiry: m.Expiry,
		ReplyTo: m.ReplyTo, Correlation: m.Correlation, Headers: make([]client.Header, len(m.Headers))}
	for i, h := range m.Headers {
		out.Headers[i] = client.Header(h)
	}
	c.Client.Publish(ctx, out, func(err error) { done(stompError(err)) })
}

// Subscribe implements Conn.
func (c stompConn) Subscribe(ctx context.Context, filter string, qos int) (int, error) {
	granted, err := c.Client.Subscribe(ctx, filter, qos)
	return granted, stompError(err)
}

// Err implements Conn.
func (c stompConn) Err() error { return stompError(c.Client.Err()) }

func fromSTOMP(m client.Message) Message {
	in := Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retain, Redelivered: m.Redelivered, ContentType: m.ContentType,
		Expiry: m.Expiry, ReplyTo: m.ReplyTo, Correlation: m.Correlation}
	for _, h := range m.Headers {
		in.Headers = append(in.Headers, Header(h))
	}
	return in
}
