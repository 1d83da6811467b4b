package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Options tell how to connect. Zero values mean the defaults named.
type Options struct {
	Name      string        // connection_name that the server lists
	User      string        // default guest, or whom the certificate of TLS names
	Password  string        // default guest
	Vhost     string        // default /
	Heartbeat time.Duration // default: the server's
	Window    int           // publishes that wait for their confirm; default 64
	Prefetch  int           // deliveries that wait for OnMessage; default 256
	TLS       *tls.Config   // nil: no TLS
	// OnMessage receives what arrives, one message at a time. A message of QoS
	// 1 is acknowledged when it returns. nil for connections that only publish.
	OnMessage func(Message)
}

func (o Options) withDefaults() Options {
	text := func(v *string, d string) {
		if *v == "" {
			*v = d
		}
	}
	text(&o.User, "guest")
	text(&o.Password, "guest")
	text(&o.Vhost, "/")
	if o.Window <= 0 {
		o.Window = 64
	}
	if o.Prefetch <= 0 {
		o.Prefetch = 256
	}
	if o.OnMessage == nil {
		o.OnMessage = func(Message) {}
	}
	return o
}

// Client is one connection. Publish and Subscribe may be called from several
// goroutines.
type Client struct {
	// Immutable.
	o      Options
	conn   *amqp.Connection
	plain  *amqp.Channel // publishes of QoS 0
	sure   *amqp.Channel // publishes that are confirmed
	window chan struct{}
	waits  chan pendingConfirm
	done   chan struct{}
	work   sync.WaitGroup

	publishing sync.Mutex // keeps the order of confirms that of the calls
	receiving  sync.Mutex // OnMessage, one at a time
	mu         sync.Mutex
	err        error           // Guarded by mu.
	ended      bool            // Guarded by mu.
	queues     map[string]bool // Guarded by mu: known to exist.
}

// Dial connects to host:port. The context bounds the connecting alone.
func Dial(ctx context.Context, address string, o Options) (*Client, error) {
	external := o.User == "" && o.TLS != nil && (len(o.TLS.Certificates) > 0 || o.TLS.GetClientCertificate != nil)
	o = o.withDefaults()
	sasl := []amqp.Authentication{&amqp.PlainAuth{Username: o.User, Password: o.Password}}
	if external { // the first that the server offers is taken
		sasl = append([]amqp.Authentication{&amqp.ExternalAuth{}}, sasl...)
	}
	config := amqp.Config{
		SASL:      sasl,
		Vhost:     o.Vhost,
		Heartbeat: o.Heartbeat,
		Properties: amqp.Table{
			"connection_name": o.Name, "product": "entrepot",
			"capabilities": amqp.Table{"consumer_cancel_notify": true, "authentication_failure_close": true},
		},
		TLSClientConfig: o.TLS, Dial: dialer(ctx),
	}
	scheme := "amqp://"
	if o.TLS != nil {
		scheme = "amqps://"
	}
	conn, err := amqp.DialConfig(scheme+address, config)
	if err != nil {
		return nil, err
	}
	c := &Client{
		o: o, conn: conn, window: make(chan struct{}, o.Window), waits: make(chan pendingConfirm, o.Window),
		done: make(chan struct{}), queues: map[string]bool{},
	}
	if err := c.open(); err != nil {
		conn.Close()
		return nil, err
	}
	c.work.Go(c.confirm)
	return c, nil
}

// dialer connects within the context, and puts its deadline on the handshake.
func dialer(ctx context.Context) func(network, address string) (net.Conn, error) {
	return func(network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		deadline, ok := ctx.Deadline()
		if !ok {
			deadline = time.Now().Add(30 * time.Second)
		}
		return conn, conn.SetDeadline(deadline) // the library lifts it after the handshake
	}
}

func (c *Client) open() (err error) {
	closed := c.conn.NotifyClose(make(chan *amqp.Error, 1))
	c.work.Go(func() { c.end(closeError(<-closed)) })
	if c.plain, err = c.channel(); err != nil {
		return err
	}
	if c.sure, err = c.channel(); err != nil {
		return err
	}
	return c.sure.Confirm(false)
}

// channel opens a channel whose end ends the client: what it did is refused.
func (c *Client) channel() (*amqp.Channel, error) {
	ch, err := c.conn.Channel()
	if err != nil {
		return nil, err
	}
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	c.work.Go(func() {
		if e := <-closed; e != nil {
			c.end(closeError(e))
		}
	})
	return ch, nil
}

func closeError(e *amqp.Error) error {
	if e == nil {
		return nil
	}
	return e
}

var errClosed = errors.New("amqp: the connection is closed")

// end notes the first reason of the end.
func (c *Client) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended, c.err = true, err
	close(c.done)
}

// Done is closed when the connection has ended; Err tells why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the connection ended, nil while it lives and after Close.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// failure is what a call is told once the connection has ended.
func (c *Client) failure() error {
	if err := c.Err(); err != nil {
		return err
	}
	return errClosed
}

// Close waits for confirms within the context, then ends the connection.
func (c *Client) Close(ctx context.Context) error {
	for range c.o.Window { // every place free: nothing waits
		select {
		case c.window <- struct{}{}:
			continue
		case <-c.done:
		case <-ctx.Done():
		}
		break
	}
	c.end(nil)
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(10 * time.Second)
	}
	err := c.conn.CloseDeadline(deadline)
	c.work.Wait()
	if err != nil && !errors.Is(err, amqp.ErrClosed) {
		return fmt.Errorf("amqp: close: %w", err)
	}
	return nil
}
