// Package client speaks to a CoAP publish-subscribe server in the style of
// EMQX (/ps/TOPIC): topics become paths, QoS becomes Confirmable or not, and an
// observation of a filter tells the topic of each value by the CBOR envelope.
// It is a thin layer on go-coap's UDP client, for the command line, tests and
// bridges.
//
// Block-wise transfer is done here: go-coap's own answers a Confirmable
// notification that is larger than a block with a GET inside the
// acknowledgement, which no server can accept (RFC 7252, section 4.2).
package client

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/pion/dtls/v3"
	coapdtls "github.com/plgd-dev/go-coap/v3/dtls"
	coap "github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	netclient "github.com/plgd-dev/go-coap/v3/net/client"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/udp"
	udpclient "github.com/plgd-dev/go-coap/v3/udp/client"

	"github.com/entrepot/entrepot/coap/message"
)

// Options of a client. The zero value speaks anonymously to the prefix ps.
type Options struct {
	Prefix   string // path segment before the topic; default ps
	ClientID string // sent with the credentials only
	User     string
	Password string
	// Secure opens an association by DTLS; nil: plain UDP.
	Secure func(ctx context.Context, addr string) (*dtls.Conn, error)
}

// Error is a response of the classes 4 and 5.
type Error struct {
	Code message.Code
	Text string // diagnostic payload
}

func (e *Error) Error() string {
	if e.Text == "" {
		return e.Code.String()
	}
	return e.Code.String() + ": " + e.Text
}

// ErrNotObserving answers Observe when the server gave the value but did not
// enter the client into its list (RFC 7641, section 4.1).
var ErrNotObserving = errors.New("coap: the server takes no more observers")

// Client is a connection: one UDP socket. Its methods may be called from
// several goroutines.
type Client struct {
	o    Options
	conn *udpclient.Conn

	watches sync.WaitGroup // goroutines of the observations
	noted   chan struct{}  // closed with failed

	mu        sync.Mutex
	observing []netclient.Observation // Guarded by mu.
	failed    error                   // Guarded by mu: the last failure of the socket.
}

// Dial opens the socket and pings the server, so that an address where nobody
// answers is an error now. addr is host:port.
func Dial(ctx context.Context, addr string, o Options) (*Client, error) {
	if o.Prefix == "" {
		o.Prefix = "ps"
	}
	c := &Client{o: o, noted: make(chan struct{})}
	conn, err := c.open(ctx, addr)
	if err != nil {
		return nil, err
	}
	c.conn = conn
	pinging, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(conn.Context(), cancel)() // a refused port is known before the time is over
	err = conn.Ping(pinging)
	if err == nil {
		return c, nil
	}
	conn.Close()
	if ctx.Err() == nil {
		<-c.noted
	}
	return nil, errors.Join(c.Err(), err)
}

// open makes the connection.
func (c *Client) open(ctx context.Context, addr string) (*udpclient.Conn, error) {
	o := []udp.Option{options.WithErrors(c.note), options.WithBlockwise(false, 0, 0),
		options.WithMessagePool(pool.New(0, 0))} // a ping that is answered while it is being written gives its message back too early: nothing is used again
	if c.o.Secure == nil {
		return udp.Dial(addr, o...)
	}
	conn, err := c.o.Secure(ctx, addr)
	if err != nil {
		return nil, err
	}
	return coapdtls.Client(conn, append(o, options.WithCloseSocket())...), nil
}

func (c *Client) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = err
		close(c.noted)
	}
}

// Done is closed when the socket has failed or was closed.
func (c *Client) Done() <-chan struct{} { return c.conn.Done() }

// Err is why the socket failed; nil while it has not.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// Close ends the observations and closes the socket.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	all := c.observing
	c.observing = nil
	c.mu.Unlock()
	for _, o := range all {
		if ctx.Err() == nil {
			_ = o.Cancel(ctx) // the server finds out by itself otherwise
		}
	}
	err := c.conn.Close()
	c.watches.Wait()
	return err
}

// request makes a request for a topic or filter.
func (c *Client) request(ctx context.Context, method message.Code, topic string, queries ...string) (*pool.Message, error) {
	tok, err := c.conn.GetToken()
	if err != nil {
		return nil, err
	}
	m := c.conn.AcquireMessage(ctx)
	m.SetCode(codes.Code(method))
	m.SetToken(tok)
	m.AddOptionString(coap.URIPath, c.o.Prefix)
	for _, s := range message.Segments(topic) {
		if len(s) > 255 {
			return nil, fmt.Errorf("coap: a level of %d octets is more than 255", len(s))
		}
		m.AddOptionString(coap.URIPath, s)
	}
	if c.o.User != "" {
		queries = append(queries, "c="+c.o.ClientID, "u="+c.o.User, "p="+c.o.Password)
	}
	for _, q := range queries {
		if len(q) > 255 {
			return nil, fmt.Errorf("coap: a query of %d octets is more than 255", len(q))
		}
		m.AddQuery(q)
	}
	return m, nil
}

func bodyOf(m *pool.Message) ([]byte, error) {
	if m.Body() == nil {
		return nil, nil
	}
	return m.ReadBody()
}

// failure is the Error of a response, nil for a success.
func failure(m *pool.Message, body []byte) error {
	code := message.Code(m.Code())
	if code.Class() < 4 {
		return nil
	}
	return &Error{code, string(body)}
}
