package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// Options tell how to connect. Zero values mean the defaults named.
type Options struct {
	Version   packet.Version // default: 5.0
	ClientID  string         // default: the server makes one
	User      string
	Password  []byte
	KeepAlive time.Duration // whole seconds, at most 65535; 0: none
	Resume    bool          // Clean Start 0
	Expiry    time.Duration // of the session, whole seconds; before 5.0 anything above 0 means Clean Session 0
	Will      *Message
	Auth      Mechanism // enhanced authentication; 5.0. nil: none
	Window    int       // publishes of QoS 1 and 2 that wait for their acknowledgement; default 64
	// OnMessage receives what arrives, one message at a time, in order. A
	// message of QoS 1 or 2 is acknowledged when it returns. Topic and payload
	// may be kept.
	OnMessage func(Message)
}

// Refused is what the server answered with a code that refuses.
type Refused struct {
	Packet packet.Type
	Code   packet.Code
	Text   string // the code's name, or the Reason String that came with it
}

func (e *Refused) Error() string {
	return fmt.Sprintf("mqtt: %s: %s (0x%02x)", e.Packet, e.Text, byte(e.Code))
}

var (
	errClosed   = errors.New("mqtt: the connection is closed")
	errSilent   = errors.New("mqtt: the server does not answer")
	errUnasked  = errors.New("mqtt: a packet that was not asked for")
	errAlias    = errors.New("mqtt: a topic alias above the maximum that was offered")
	errTooLarge = errors.New("mqtt: the message is larger than the server accepts")
)

// Client is one connection. Its methods may be called from several goroutines.
type Client struct {
	// Immutable after Dial.
	o       Options
	conn    net.Conn
	present bool
	id      string
	maxOut  int // the server's Maximum Packet Size; 0: none
	window  chan struct{}
	flush   chan struct{}
	done    chan struct{}
	work    sync.WaitGroup

	mu       sync.Mutex
	out      *bufio.Writer       // Guarded by mu.
	scratch  []byte              // Guarded by mu.
	lastID   uint16              // Guarded by mu.
	flights  map[uint16]*flight  // Guarded by mu: publishes on their way.
	requests map[uint16]*request // Guarded by mu: SUBSCRIBE and UNSUBSCRIBE.
	wrote    time.Time           // Guarded by mu.
	pinged   bool                // Guarded by mu: PINGRESP is owed.
	reauth   *reauth             // Guarded by mu: a later login.
	ended    bool                // Guarded by mu.
	err      error               // Guarded by mu.
	held     map[uint16]struct{} // Owned by the reader: inbound QoS 2.
	aliases  map[uint16]string   // Owned by the reader.
}

// Dial connects to a URL of the schemes mqtt, mqtts, mqtt+unix, ws and wss
// (their host:port given) and logs in. The context bounds that alone. A
// refusal is a *Refused.
func Dial(ctx context.Context, t Target, o Options) (*Client, error) {
	conn, err := t.dial(ctx)
	if err != nil {
		return nil, err
	}
	return New(ctx, conn, o)
}

// New logs in over a connection that exists, and owns it from now.
func New(ctx context.Context, conn net.Conn, o Options) (*Client, error) {
	if o.Version == 0 {
		o.Version = packet.V5
	}
	if o.Window <= 0 {
		o.Window = 64
	}
	if o.OnMessage == nil {
		o.OnMessage = func(Message) {}
	}
	c := &Client{
		o: o, conn: conn, id: o.ClientID, out: bufio.NewWriterSize(conn, 64<<10), wrote: time.Now(),
		flush: make(chan struct{}, 1), done: make(chan struct{}),
		flights: map[uint16]*flight{}, requests: map[uint16]*request{},
		held: map[uint16]struct{}{}, aliases: map[uint16]string{},
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	r := newReader(conn)
	err := c.login(r)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	c.work.Go(func() { c.read(r) })
	c.work.Go(c.write)
	return c, nil
}

// Present tells that the server had a session of this client.
func (c *Client) Present() bool { return c.present }

// ClientID is the identifier in use, also when the server chose it.
func (c *Client) ClientID() string { return c.id }

// Done is closed when the connection has ended; Err tells why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the connection ended; nil after Close.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close sends DISCONNECT, so that no will is published, and waits until
// everything has ended. The context bounds the waiting.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	if !c.ended {
		c.append(&packet.Disconnect{})
		c.out.Flush() //nolint:errcheck // the end is reported by the reader
	}
	c.mu.Unlock()
	c.end(nil)
	ended := make(chan struct{})
	go func() { c.work.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Abort cuts the connection without a word.
func (c *Client) Abort() { c.end(errClosed) }

// end closes the connection once; everything that waits fails.
func (c *Client) end(err error) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.ended, c.err = true, err
	flights, requests := c.flights, c.requests
	c.flights, c.requests = nil, nil
	c.mu.Unlock()
	c.conn.Close()
	close(c.done)
	if err == nil {
		err = errClosed
	}
	for _, f := range flights {
		f.done(err)
	}
	for _, r := range requests {
		r.answer <- reply{err: err}
	}
}

// append writes a packet into the buffer. mu is held.
func (c *Client) append(p packet.Packet) {
	c.scratch = p.AppendTo(c.scratch[:0], c.o.Version)
	c.out.Write(c.scratch) //nolint:errcheck // a bufio.Writer keeps its error for Flush
	c.wrote = time.Now()
}

// send writes a packet that needs no identifier, soon.
func (c *Client) send(p packet.Packet) {
	c.mu.Lock()
	if !c.ended {
		c.append(p)
	}
	c.mu.Unlock()
	c.kick()
}

func (c *Client) kick() {
	select {
	case c.flush <- struct{}{}:
	default:
	}
}

// write flushes what was appended, many packets a write, and keeps the
// connection alive.
func (c *Client) write() {
	var tick <-chan time.Time
	if c.o.KeepAlive > 0 {
		ticker := time.NewTicker(c.o.KeepAlive / 2)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-c.done:
			return
		case <-tick:
			if c.ping() {
				c.end(errSilent)
				return
			}
		case <-c.flush:
		}
		c.mu.Lock()
		err := c.out.Flush()
		c.mu.Unlock()
		if err != nil {
			c.end(err)
			return
		}
	}
}

// ping asks for a sign of life; true when the last one was not answered.
func (c *Client) ping() (silent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pinged {
		return time.Since(c.wrote) > c.o.KeepAlive
	}
	if time.Since(c.wrote) >= c.o.KeepAlive/2 {
		c.append(&packet.Ping{Type: packet.PINGREQ})
		c.pinged = true
	}
	return false
}

// newID is an identifier that nothing uses. mu is held.
func (c *Client) newID() uint16 {
	for {
		c.lastID++
		if c.lastID == 0 || c.flights[c.lastID] != nil || c.requests[c.lastID] != nil {
			continue
		}
		return c.lastID
	}
}
