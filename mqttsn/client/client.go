// Package client is an MQTT-SN 1.2 client over UDP ("MQTT For Sensor Networks
// (MQTT-SN) Protocol Specification", version 1.2, 14 November 2013).
//
// A Client may be used by several goroutines. Each call waits for its answer
// and repeats what is lost; one goroutine reads.
package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/entrepot/entrepot/mqttsn/packet"
)

type state uint8

const (
	idle state = iota // no session: QoS -1 alone
	connecting
	active
	asleep
	awake
	ended
)

// Client is one connection to a gateway.
type Client struct {
	// Immutable.
	opt    Options
	conn   net.Conn
	done   chan struct{} // closed when the client has ended
	window chan struct{}
	began  time.Time
	wg     sync.WaitGroup

	heard atomic.Int64 // since began, when a datagram came last
	sent  atomic.Int64

	control sync.Mutex // held during an exchange without message id

	// Guarded by mu.
	mu       sync.Mutex
	state    state
	err      error
	nextID   uint16
	answers  map[uint16]*wait // by message id
	answer   *wait            // of the exchange without message id
	topics   topics
	received map[uint16]struct{} // QoS 2 messages that wait for PUBREL
	slept    time.Duration       // since began, when Sleep was last answered

	// Guarded by wmu.
	wmu  sync.Mutex
	wbuf []byte
}

// Open makes a client without a session: it can publish with QoS -1, search
// for the gateway, and Connect. ctx bounds nothing but the opening.
func Open(ctx context.Context, addr string, o Options) (*Client, error) {
	o = o.withDefaults()
	conn, err := o.Dial(ctx, "udp", addr)
	if err != nil {
		return nil, fmt.Errorf("mqttsn: %w", err)
	}
	c := &Client{
		opt: o, conn: conn,
		done:     make(chan struct{}),
		window:   make(chan struct{}, o.Window),
		began:    time.Now(),
		answers:  map[uint16]*wait{},
		topics:   newTopics(o.Predefined),
		received: map[uint16]struct{}{},
	}
	c.wg.Go(c.read)
	return c, nil
}

// Dial opens a client and connects it. The session must be ended with
// Disconnect or Close.
func Dial(ctx context.Context, addr string, o Options) (*Client, error) {
	c, err := Open(ctx, addr, o)
	if err != nil {
		return nil, err
	}
	if err := c.Connect(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	c.wg.Go(c.keepAlive)
	return c, nil
}

// Done is closed when the client has ended: by Close, by the gateway, by a
// gateway that no longer answers. Err tells why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the client ended; nil while it lives.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close drops the socket without a word and waits for the client's
// goroutines. The gateway takes it for a lost client.
func (c *Client) Close() error {
	c.end(ErrClosed)
	c.wg.Wait()
	return nil
}

// end lets every call fail with err. The first reason stays.
func (c *Client) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == ended {
		return
	}
	c.state, c.err = ended, err
	close(c.done)
	_ = c.conn.Close()
}

func (c *Client) stateNow() state {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// setState changes the state unless the client has ended.
func (c *Client) setState(s state) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != ended {
		c.state = s
	}
}

// ready reports why an exchange of an active session cannot be started.
func (c *Client) ready() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case ended:
		return c.err
	case asleep, awake:
		return ErrAsleep
	case active:
		return nil
	}
	return ErrNoSession
}

func (c *Client) send(p packet.Packet) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.wbuf = p.AppendTo(c.wbuf[:0])
	c.sent.Store(int64(time.Since(c.began)))
	_, err := c.conn.Write(c.wbuf)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil // an ICMP answer to an earlier datagram; the read reports it
	}
	return err
}

// read takes datagrams until the socket is closed.
func (c *Client) read() {
	buf := make([]byte, packet.MaxLen)
	for {
		n, err := c.conn.Read(buf)
		switch {
		case err == nil:
			c.heard.Store(int64(time.Since(c.began)))
			c.input(buf[:n])
		case errors.Is(err, syscall.ECONNREFUSED) && c.stateNow() == active:
			// The gateway restarts: repetition bridges that.
		default:
			c.end(fmt.Errorf("mqttsn: %w", err))
			return
		}
	}
}

func (c *Client) input(datagram []byte) {
	t, body, err := packet.Open(datagram)
	if err != nil {
		return
	}
	switch t {
	case packet.PUBLISH:
		c.onPublish(body)
	case packet.PUBREL:
		c.onPubrel(body)
	case packet.REGISTER:
		c.onRegister(body)
	case packet.PINGREQ:
		_ = c.send(packet.Bare{Of: packet.PINGRESP})
	default:
		c.onAnswer(t, body)
	}
}
