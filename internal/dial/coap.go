package dial

import (
	"context"
	"errors"
	"sync"

	"github.com/entrepot/entrepot/coap/client"
	"github.com/entrepot/entrepot/coap/message"
)

// coapConn speaks CoAP to a publish-subscribe server. One request is on its way at a time (NSTART), in the order of the
// calls.
type coapConn struct {
	c       *client.Client
	o       Options
	jobs    chan coapJob
	stop    context.CancelFunc
	stopped chan struct{}

	once  sync.Once
	ended error         // why an observation ended; written before over is closed
	over  chan struct{} // closed when an observation has ended, or the client
}

type coapJob struct {
	ctx  context.Context
	m    client.Message
	done func(error)
}

func dialCoAP(ctx context.Context, o Options) (Conn, error) {
	opts := client.Options{ClientID: o.ClientID, User: o.User, Password: string(o.Password)}
	if o.Address.Scheme.DTLS() {
		opts.Secure = o.associate
	}
	c, err := client.Dial(ctx, o.Address.HostPort(), opts)
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	conn := &coapConn{c: c, o: o, jobs: make(chan coapJob, max(o.Window, 1)), stop: stop, stopped: make(chan struct{}), over: make(chan struct{})}
	go conn.work(running)
	go func() {
		<-c.Done()
		conn.finish(nil)
	}()
	return conn, nil
}

// work publishes one after the other until stop; what then still waits is refused.
func (c *coapConn) work(ctx context.Context) {
	defer close(c.stopped)
	for {
		select {
		case <-ctx.Done():
			for {
				select {
				case j := <-c.jobs:
					j.done(&Error{Unreachable, ctx.Err()})
				default:
					return
				}
			}
		case j := <-c.jobs:
			j.done(coapError(c.c.Publish(j.ctx, j.m)))
		}
	}
}

// coapError sorts the response codes.
func coapError(err error) error {
	var e *client.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case message.Unauthorized:
		return &Error{Login, err}
	case message.Forbidden, message.BadRequest, message.NotFound, message.MethodNotAllowed:
		return &Error{Denied, err}
	}
	return &Error{Failed, err}
}

// Publish implements Conn.
func (c *coapConn) Publish(ctx context.Context, m Message, done func(error)) {
	j := coapJob{ctx, client.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retain, ContentType: m.ContentType,
		Expiry: m.Expiry, ReplyTo: m.ReplyTo, Correlation: m.Correlation}, done}
	select {
	case c.jobs <- j:
	case <-c.stopped:
		done(&Error{Unreachable, errorText("the connection is closed")})
	case <-ctx.Done():
		done(&Error{Unreachable, ctx.Err()})
	}
}

// Subscribe implements Conn.
func (c *coapConn) Subscribe(ctx context.Context, filter string, qos int) (int, error) {
	qos = min(qos, 1)
	err := c.c.Observe(ctx, filter, qos, func(m client.Message) { c.o.OnMessage(fromCoAP(m)) }, c.finish)
	return qos, coapError(err)
}

func fromCoAP(m client.Message) Message {
	in := Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retain, ContentType: m.ContentType,
		ReplyTo: m.ReplyTo, Correlation: m.Correlation}
	for _, p := range m.Properties {
		in.Headers = append(in.Headers, Header{p[0], p[1]})
	}
	return in
}

// finish ends the connection: an observation that the server has ended is not made up for.
func (c *coapConn) finish(why error) {
	c.once.Do(func() {
		c.ended = why
		c.stop()
		close(c.over)
	})
}

// Done implements Conn.
func (c *coapConn) Done() <-chan struct{} { return c.over }

// Err implements Conn.
func (c *coapConn) Err() error {
	select {
	case <-c.over:
		if c.ended != nil {
			return coapError(c.ended)
		}
	default:
	}
	return coapError(c.c.Err())
}

// Close implements Conn.
func (c *coapConn) Close(ctx context.Context) error {
	err := c.c.Close(ctx)
	c.stop()
	<-c.stopped
	<-c.over
	return err
}
