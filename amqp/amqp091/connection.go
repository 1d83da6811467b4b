package amqp091

import (
	"errors"
	"io"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/amqp/amqp091/wire"
	"github.com/entrepot/entrepot/amqp/exchange"
	"github.com/entrepot/entrepot/core"
)

// state is where a connection stands (section 3).
type state uint8

const (
	starting  state = iota // start was sent
	loggingIn              // credentials are being checked
	tuning                 // tune was sent
	opening                // tune-ok came
	attaching              // open came, the session is being attached
	open
	refusing // the login was refused: that is said when its time has come
	leaving  // close-ok was sent: the client closes the socket
	ended    // the last word was said
)

// Conn is one connection.
type Conn struct {
	// Immutable.
	l      *Listener
	handle adapters.Handle
	info   adapters.Info

	// Of the call under way; nil between calls.
	t   *core.Turn
	out *adapters.Output

	state     state
	deadline  core.Time // of the handshake (AQ12), of the refusal (AQ10), or of the client's end after close-ok
	refused   core.Reason
	startedAt core.Time // start-ok came
	client    client
	login     *adapters.Login
	principal *core.Principal
	loginEnds core.Time // 0: never
	session   *core.Session
	listed    *listed // from open on
	space     *exchange.Space
	frameMax  uint32 // in force
	channels  map[uint16]*channel
	chanMax   int
	heart     heartbeat
	partial   int        // octets of incomplete bodies
	waiting   *answer    // a reply that waits for the store; nothing is read meanwhile
	reading   bool       // false: paused
	blocked   bool       // connection.blocked was sent
	dirty     []*channel // with confirms to write
	backlog   []*consumer
	outgoing  exchange.Outgoing
	scratch   []core.Delivery
	lent      core.Lent // what is being published
}

// client is what start-ok said about the client.
type client struct {
	user          string
	password      []byte
	name          string // connection_name
	mechanism     string
	properties    wire.Table // until it is listed
	cancelNotify  bool
	mayBlock      bool // capability connection.blocked
	failureCloses bool
}

// answer is a reply that leaves when the session's watermark reaches seq. One
// without seq is tried when the session is woken, until it can be given.
type answer struct {
	seq  uint64
	send func(failed bool)
}

var (
	_ adapters.Conn       = (*Conn)(nil)
	_ adapters.Direct     = (*Conn)(nil)
	_ adapters.DirectRun  = (*Conn)(nil)
	_ adapters.Identified = (*Conn)(nil)
)

// Open makes the connection and sends start: the protocol header was read.
func (l *Listener) Open(h adapters.Handle, info adapters.Info, t *core.Turn, out *adapters.Output) *Conn {
	c := &Conn{l: l, handle: h, info: info, reading: true}
	c.frameMax = uint32(l.config.FrameMaxBeforeOpen)
	c.deadline = t.Now.After(l.config.LoginTimeout)
	c.outgoing = exchange.Outgoing{Codec: l.codec, Lost: func(from, field string) {
		l.host.Metrics.Lost(from, exchange.Protocol, field)
	}}
	defer c.enter(t, out)()
	c.start()
	return c
}

// enter begins a call of the loop; the result ends it. What was delivered before
// comes before what the call appends.
func (c *Conn) enter(t *core.Turn, out *adapters.Output) func() {
	out.Join()
	c.t, c.out = t, out
	before := len(out.B)
	return func() {
		c.flushConfirms()
		if len(out.B) > before {
			c.l.count.frames[adapters.Out].Add(wire.Count(out.B[before:]))
			c.heart.lastOut = t.Now
		}
		c.schedule()
		c.t, c.out = nil, nil
	}
}

// Input implements adapters.Conn.
func (c *Conn) Input(t *core.Turn, in []byte, out *adapters.Output) (consumed int, err error) {
	defer c.enter(t, out)()
	c.heart.lastIn = t.Now
	frames := uint64(0)
	defer func() { c.l.count.frames[adapters.In].Add(frames) }()
	for c.reading && c.state < leaving {
		if out.Spent() {
			out.More = true
			break
		}
		f, n, err := wire.Scan(in[consumed:], c.frameMax)
		if err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			c.fail(err)
			break
		}
		consumed += n
		frames++
		c.frame(f)
	}
	if c.state == leaving {
		return len(in), nil // what follows the client's close counts for nothing
	}
	c.feed()
	return consumed, nil
}

// frame handles one frame.
func (c *Conn) frame(f wire.Frame) {
	switch {
	case f.Type == wire.FrameHeartbeat:
	case f.Channel == 0:
		if err := c.control(f); err != nil {
			c.fail(err)
		}
	case c.state != open:
		c.fail(&wire.Error{Code: wire.CommandInvalid, Text: "channel before connection.open"})
	default:
		c.channelFrame(f)
	}
}

// control handles channel 0.
func (c *Conn) control(f wire.Frame) error {
	if f.Type != wire.FrameMethod {
		return &wire.Error{Code: wire.CommandInvalid, Text: "content on channel 0"}
	}
	m, err := parse(f.Payload)
	if err != nil {
		return err
	}
	switch m := m.(type) {
	case *wire.ConnectionStartOk:
		return c.in(starting, m.ID(), func() error { return c.startOk(m) })
	case *wire.ConnectionTuneOk:
		return c.in(tuning, m.ID(), func() error { return c.tuneOk(m) })
	case *wire.ConnectionOpen:
		return c.in(opening, m.ID(), func() error { return c.openVhost(m) })
	case *wire.ConnectionUpdateSecret:
		return c.in(open, m.ID(), func() error { return c.updateSecret(m) })
	case *wire.ConnectionClose:
		c.closed()
		return nil
	}
	return &wire.Error{Code: wire.CommandInvalid, Text: m.ID().String() + " on channel 0", ID: m.ID()}
}

// in runs a method that belongs to one state (AQ12).
func (c *Conn) in(s state, id wire.ID, run func() error) error {
	if c.state != s {
		return &wire.Error{Code: wire.CommandInvalid, Text: id.String() + " out of order", ID: id}
	}
	return run()
}

// parse reads a method; what ends early is a syntax error like the rest.
func parse(payload []byte) (wire.Method, error) {
	m, err := wire.ParseMethod(payload)
	return m, early(err)
}

func early(err error) error {
	if err == io.ErrUnexpectedEOF {
		return &wire.Error{Code: wire.SyntaxError, Text: "arguments end early"}
	}
	return err
}

// send appends a method on channel 0.
func (c *Conn) send(m wire.Method) { c.out.B = wire.AppendMethodFrame(c.out.B, 0, m) }

// Wake implements adapters.Driven.
func (c *Conn) Wake(t *core.Turn, out *adapters.Output) {
	defer c.enter(t, out)()
	switch c.state {
	case loggingIn:
		c.loggedIn()
	case attaching:
		c.attached()
	case open:
		c.unblock()
		c.answered()
		c.relogged()
		c.ready()
		c.feed()
	}
}

// wait holds the reply back until seq is safe; reading stops so that replies
// keep the order of requests (AQ22).
func (c *Conn) wait(seq uint64, pending bool, send func(failed bool)) {
	if !pending {
		send(false)
		return
	}
	c.waiting = &answer{seq, send}
	c.pause()
}

// again holds a reply back until try gives it: not before the session is woken.
func (c *Conn) again(try func()) {
	c.waiting = &answer{send: func(bool) { try() }}
	if c.reading {
		c.pause()
	}
}

func (c *Conn) answered() {
	w := c.waiting
	if w == nil || c.session.Safe() < w.seq {
		return
	}
	c.waiting = nil
	w.send(w.seq != 0 && c.session.Failed(w.seq))
	c.resume()
}

func (c *Conn) pause() {
	c.reading = false
	c.out.PauseReading()
}

// resume reads on, unless something else still holds reading back.
func (c *Conn) resume() {
	if c.reading || c.waiting != nil || c.login != nil || c.unconfirmed() {
		return
	}
	c.reading = true
	c.heart.lastIn = c.t.Now // silence while we did not read is not the client's (AQ13)
	c.out.ResumeReading()
}

// code is what an error tells the peer.
func code(err error) *wire.Error {
	var e *wire.Error
	if errors.As(err, &e) {
		return e
	}
	return &wire.Error{Code: wire.InternalError, Text: err.Error()}
}
