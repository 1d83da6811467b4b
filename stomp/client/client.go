package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/entrepot/entrepot/stomp/frame"
)

// Options tell how to connect. Zero values mean the defaults named.
type Options struct {
	Version   string // 1.0, 1.1 or 1.2; default: the highest that both speak
	ClientID  string // client-id header
	User      string
	Password  string
	Host      string        // host header, default /
	Heartbeat time.Duration // asked for in both directions; 0: none
	Window    int           // publishes that wait for their RECEIPT; default 64
	TLS       *tls.Config   // nil: no TLS
	// OnMessage receives what arrives, one message at a time, in order. A
	// message of a QoS 1 subscription is acknowledged when it returns.
	OnMessage func(Message)
}

// Error is what the server said in an ERROR frame.
type Error struct {
	Message string // its message header
	Body    string
}

func (e *Error) Error() string {
	if e.Body == "" {
		return "stomp: " + e.Message
	}
	return "stomp: " + e.Message + ": " + e.Body
}

var errClosed = errors.New("stomp: the connection is closed")

// Client is one connection. Publish and Subscribe may be called from several
// goroutines.
type Client struct {
	// Immutable after Dial.
	o       Options
	conn    net.Conn
	version frame.Version
	window  chan struct{}
	flush   chan struct{}
	done    chan struct{}
	work    sync.WaitGroup
	send    time.Duration // heart-beats to the server
	receive time.Duration // and from it

	mu      sync.Mutex
	out     *bufio.Writer          // Guarded by mu.
	scratch []byte                 // Guarded by mu.
	wrote   time.Time              // Guarded by mu.
	n       int                    // Guarded by mu: receipts and subscriptions.
	waiting map[string]func(error) // Guarded by mu: by receipt.
	acked   map[string]bool        // Guarded by mu: subscriptions with ACK.
	closing bool                   // Guarded by mu: DISCONNECT was sent.
	ended   bool                   // Guarded by mu.
	err     error                  // Guarded by mu.
}

// Dial connects to host:port, or to ws://host:port/path or wss://, and logs in. The
// context bounds that alone. What the server refuses is an *Error.
func Dial(ctx context.Context, address string, o Options) (*Client, error) {
	conn, err := connect(ctx, address, o.TLS)
	if err != nil {
		return nil, err
	}
	if o.Window <= 0 {
		o.Window = 64
	}
	if o.OnMessage == nil {
		o.OnMessage = func(Message) {}
	}
	c := &Client{
		o: o, conn: conn, out: bufio.NewWriterSize(conn, 32<<10), window: make(chan struct{}, o.Window),
		flush: make(chan struct{}, 1), done: make(chan struct{}), waiting: map[string]func(error){}, acked: map[string]bool{},
	}
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	r := &reader{conn: conn, buf: make([]byte, 32<<10)}
	if err := c.login(r); err != nil {
		stop()
		conn.Close()
		return nil, errors.Join(ctx.Err(), err)
	}
	if !stop() {
		conn.Close()
		return nil, ctx.Err()
	}
	conn.SetDeadline(time.Time{})
	c.work.Go(func() { c.read(r) })
	c.work.Go(c.write)
	return c, nil
}

// reader yields the frames of a connection.
type reader struct {
	conn  net.Conn
	parse frame.Parser
	buf   []byte
	rest  []byte
	f     frame.Frame
}

// next blocks for one frame; silence is the longest wait for octets, 0: any.
func (r *reader) next(silence time.Duration) (*frame.Frame, error) {
	for {
		n, ok, err := r.parse.Next(r.rest, &r.f)
		if err != nil {
			return nil, err
		}
		if r.rest = r.rest[n:]; ok {
			return &r.f, nil
		}
		if silence > 0 {
			r.conn.SetReadDeadline(time.Now().Add(silence))
		}
		n, err = r.conn.Read(r.buf)
		if n == 0 && err != nil {
			return nil, err
		}
		r.rest = r.buf[:n]
	}
}

func (c *Client) login(r *reader) error {
	f := &frame.Frame{Command: frame.Connect}
	version := c.o.Version
	switch version {
	case "":
		version = "1.0,1.1,1.2"
	case "1.0", "1.1", "1.2":
	default:
		return fmt.Errorf("stomp: there is no version %q", version)
	}
	f.Add("accept-version", version)
	f.Add("host", or(c.o.Host, "/"))
	add(f, "login", c.o.User)
	add(f, "passcode", c.o.Password)
	add(f, "client-id", c.o.ClientID)
	beat := strconv.FormatInt(c.o.Heartbeat.Milliseconds(), 10)
	f.Add("heart-beat", beat+","+beat)
	c.out.Write(f.AppendTo(nil, frame.VersionNone))
	if err := c.out.Flush(); err != nil {
		return err
	}
	a, err := r.next(0)
	switch {
	case err != nil:
		return err
	case a.Command == frame.Error:
		return serverError(a)
	case a.Command != frame.Connected:
		return fmt.Errorf("stomp: %v instead of CONNECTED", a.Command)
	}
	v, _ := a.Get("version")
	if c.version, _ = frame.ParseVersion(or(string(v), "1.0")); c.version == frame.VersionNone {
		return fmt.Errorf("stomp: the server speaks version %q", v)
	}
	r.parse.Version = c.version
	r.parse.Limits = frame.Limits{Headers: 1000, Line: 64 << 10, Body: 1 << 30}
	c.agree(a)
	return nil
}

// agree computes the heart-beats of both directions.
func (c *Client) agree(a *frame.Frame) {
	v, _ := a.Get("heart-beat")
	var sx, sy int64
	if _, err := fmt.Sscanf(string(v), "%d,%d", &sx, &sy); err != nil || c.o.Heartbeat <= 0 {
		return
	}
	if sy > 0 {
		c.send = max(c.o.Heartbeat, time.Duration(sy)*time.Millisecond)
	}
	if sx > 0 {
		c.receive = max(c.o.Heartbeat, time.Duration(sx)*time.Millisecond)
	}
}

func add(f *frame.Frame, name, value string) {
	if value != "" {
		f.Add(name, value)
	}
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

func serverError(f *frame.Frame) *Error {
	m, _ := f.Get("message")
	return &Error{Message: string(m), Body: trim(string(f.Body))}
}

func trim(s string) string {
	for len(s) > 0 && (s[len(s)-1] == '\n' || s[len(s)-1] == '\r') {
		s = s[:len(s)-1]
	}
	return s
}

// Done is closed when the connection has ended; Err tells why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the connection ended, nil while it lives and after Close.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// end notes the first reason of the end and tells everybody who waits.
func (c *Client) end(err error) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	if c.closing {
		err = nil // the end was asked for
	}
	c.ended, c.err = true, err
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	close(c.done)
	c.conn.Close()
	if err == nil {
		err = errClosed
	}
	for _, done := range waiting {
		done(err)
	}
}
