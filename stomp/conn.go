package stomp

import (
	"context"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/stomp/frame"
)

// state of a connection (docs/stomp.md, "Connection").
type state uint8

const (
	awaitConnect state = iota // nothing but CONNECT or STOMP is read
	loggingIn                 // the login runs elsewhere; nothing is read
	attaching                 // the core prepares the session; nothing is read
	open
	draining // DISCONNECT was read: what it waits for is written, input is ignored
	closed   // ERROR or the last RECEIPT was written
)

// conn is the state machine of one connection.
type conn struct {
	// Immutable.
	room   *Room
	handle adapters.Handle
	info   adapters.Info

	// Owned by the loop that drives the connection.
	state     state
	parser    frame.Parser
	version   frame.Version
	id        string // of the session, as CONNECTED shows it
	user      string // the login header
	clientID  string // the client-id header
	host      string // the host header
	deadline  core.Time
	login     *adapters.Login
	cancel    context.CancelFunc // of the login
	principal *core.Principal
	loginEnds core.Time // 0: never
	session   *core.Session
	beat      heartbeat
	subs      subscriptions
	temps     map[string]string // queues behind /temp-queue/NAME
	txs       map[string]*transaction
	receipts  receipts
	explicit  bool       // with implicit_connect: the first frame is CONNECT or STOMP
	unasked   bool       // it was another: nobody awaits CONNECTED
	braked    bool       // too many answers are owed: nothing is read
	target    sendTarget // of the last SEND
}

var (
	_ adapters.Conn       = (*conn)(nil)
	_ adapters.Direct     = (*conn)(nil)
	_ adapters.DirectRun  = (*conn)(nil)
	_ adapters.Identified = (*conn)(nil)
)

// Input implements adapters.Conn.
func (c *conn) Input(t *core.Turn, in []byte, out *adapters.Output) (int, error) {
	if len(in) > 0 {
		c.beat.lastIn = t.Now // ST18: any octet counts
	}
	out.Join() // what was delivered before comes before the answers
	s := core.Borrow[scratch](t)
	start, used := len(out.B), 0
	for used < len(in) && (c.state == awaitConnect || c.state == open && !c.braked) {
		if out.Full() { // answers that the peer does not fetch stop its input
			out.More = true
			break
		}
		if c.state == awaitConnect && c.room.cfg.ImplicitConnect && !c.explicit {
			n, ok := c.implicit(t, in[used:], out)
			if used += n; !ok {
				break
			}
			continue
		}
		n, ok, err := c.parser.Next(in[used:], &s.frame)
		used += n
		if err != nil {
			pe := err.(*frame.ParseError)
			c.fail(t, fromParse(pe), string(pe.Receipt), out)
			break
		}
		if !ok {
			break
		}
		c.execute(t, s, out)
		c.brake(t, out)
	}
	if c.state >= draining {
		used = len(in)
	}
	c.deliver(t, s, out)
	t.GiveBack(s)
	c.wrote(t, start, out)
	return used, nil
}

// execute executes one frame and notes its receipt.
func (c *conn) execute(t *core.Turn, s *scratch, out *adapters.Output) {
	f := &s.frame
	t.Count(c.room.count.in[f.Command], 1)
	if c.state == awaitConnect {
		if bad := c.first(t, f, out); bad != nil {
			c.fail(t, bad, "", out)
		}
		return
	}
	m, bad := c.dispatch(t, s)
	receipt := text(f, "receipt")
	if bad != nil {
		c.fail(t, bad, receipt, out)
		return
	}
	if !m.deferred {
		c.receipts.add(m, receipt)
		c.answer(t, out)
	}
}

// mark says when the effect of a frame is safe.
type mark struct {
	seq      uint64
	pending  bool // wait until the session's watermark reaches seq
	deferred bool // the frame is part of a transaction: COMMIT answers it (ST57)
	last     bool // DISCONNECT: the connection ends with the answer

	opens *subscription // SUBSCRIBE: its MESSAGEs come after the answer
}

// later is the mark that comes after both.
func later(a, b mark) mark {
	if b.pending && (!a.pending || b.seq > a.seq) {
		return b
	}
	return a
}

func (c *conn) dispatch(t *core.Turn, s *scratch) (mark, *failure) {
	f := &s.frame
	switch f.Command {
	case frame.Send:
		return c.send(t, f, &s.lent)
	case frame.Ack:
		return c.ack(t, f, core.Accepted)
	case frame.Nack:
		return c.nack(t, f)
	case frame.Subscribe, frame.Sub:
		return c.subscribe(t, f)
	case frame.Unsubscribe, frame.Unsub:
		return c.unsubscribe(t, f)
	case frame.Begin:
		return mark{}, c.begin(f)
	case frame.Commit:
		return c.commit(t, f)
	case frame.Abort:
		return mark{}, c.abort(f)
	case frame.Disconnect:
		c.state = draining
		return mark{last: true}, nil
	case frame.KeepAlive:
		return mark{}, nil
	case frame.Connect, frame.Stomp: // ST12: no second CONNECT
		return mark{}, failed(core.ProtocolError, "Illegal command", "the connection is open already")
	}
	return mark{}, failed(core.ProtocolError, "Bad command", "Could not interpret command \""+f.Command.String()+"\"")
}

// Wake implements adapters.Driven.
func (c *conn) Wake(t *core.Turn, out *adapters.Output) {
	out.Join()
	s := core.Borrow[scratch](t)
	start := len(out.B)
	if bad := c.advance(t, out); bad != nil {
		c.fail(t, bad, "", out)
	}
	c.answer(t, out)
	c.brake(t, out)
	c.collect(t, out)
	c.deliver(t, s, out)
	t.GiveBack(s)
	c.wrote(t, start, out)
}

// Evict implements adapters.Driven.
func (c *conn) Evict(t *core.Turn, r core.Reason, out *adapters.Output) {
	out.Join()
	c.fail(t, fromReason(r, ""), "", out)
}

// Close implements adapters.Conn.
func (c *conn) Close(t *core.Turn, r core.Reason) {
	if c.cancel != nil {
		c.cancel()
	}
	c.leave(t, r)
	c.room.count.connections.Add(^uint64(0))
}

// leave gives the session back: open transactions go, what was not settled is
// released (ST20).
func (c *conn) leave(t *core.Turn, r core.Reason) {
	c.txs = nil
	c.room.count.subscriptions.Add(-uint64(len(c.subs.byKey)))
	c.subs = subscriptions{}
	if c.session != nil {
		c.session.Detach(t, r)
		c.session = nil
	}
	c.state = closed
}

// fail writes ERROR and ends the connection: every ERROR does (ST22).
func (c *conn) fail(t *core.Turn, bad *failure, receipt string, out *adapters.Output) {
	if c.state == closed {
		return
	}
	c.room.count.failed(bad)
	f := frame.Frame{Command: frame.Error, Body: []byte(bad.body)}
	f.Add("message", bad.message)
	f.Add("content-type", "text/plain")
	f.Add("version", "1.0,1.1,1.2")
	if receipt != "" {
		f.Add("receipt-id", receipt)
	}
	if bad.subscription != "" {
		f.Add("subscription", bad.subscription)
	}
	c.put(&f, out)
	c.leave(t, bad.reason)
	out.CloseAfterFlush(bad.reason)
}

// put appends a frame.
func (c *conn) put(f *frame.Frame, out *adapters.Output) {
	out.B = f.AppendTo(out.B, c.parser.Version)
	c.ended(f.Command, out)
}

// ended is called after the NUL of each frame that was written.
func (c *conn) ended(cmd frame.Command, out *adapters.Output) {
	c.room.count.out[cmd].Add(1)
	out.B = c.room.trail(out.B)
}

// trail appends what follows the NUL of a frame.
func (r *Room) trail(b []byte) []byte {
	if r.cfg.TrailingLF {
		b = append(b, '\n')
	}
	return b
}

// text is a header's value as a string, "" when it is absent.
func text(f *frame.Frame, name string) string {
	v, _ := f.Get(name)
	return string(v)
}
