package adaptertest

import (
	"errors"
	"net/netip"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// Conn is the client's end of one stream connection.
type Conn struct {
	d    *Driver
	link *link
	room adapters.Conn
	info adapters.Info

	bounded   bool   // the byte allowance before the login still holds
	allowance int    // what is left of it
	kept      []byte // sent and not consumed
	got       []byte // written by the room, not yet fetched
	stalled   []byte // written while the client does not read
	stall     bool
	wakeDue   bool
	paused    bool
	closed    bool
	reason    core.Reason
}

// Open connects to the first room. Each change may alter what the room is
// told of the transport; by default it is plain TCP from 192.0.2.1, whose
// port tells connections apart.
func (d *Driver) Open(change ...func(*adapters.Info)) *Conn {
	d.tb.Helper()
	return d.OpenOn(d.Room(), change...)
}

// OpenOn connects to the given room, which must be a StreamRoom.
func (d *Driver) OpenOn(room adapters.Room, change ...func(*adapters.Info)) *Conn {
	d.tb.Helper()
	scheme := d.o.Scheme
	if scheme == "" {
		scheme = room.Name()
	}
	c := &Conn{d: d, link: d.newLink(), bounded: true, allowance: d.Host.Limits.PreauthBytes}
	c.link.conn = c
	c.info = adapters.Info{
		Listener: scheme + "://198.51.100.1:1", Scheme: scheme,
		Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), uint16(20000+len(d.conns))),
		Local:  netip.MustParseAddrPort("198.51.100.1:1"),
	}
	for _, f := range change {
		f(&c.info)
	}
	d.conns = append(d.conns, c)
	d.turn.Begin()
	c.link.limit = d.turn.Now.After(d.Host.Limits.PreauthDeadline)
	d.begin(c.link)
	c.room = room.(adapters.StreamRoom).Open(c.link, c.info, d.turn)
	d.inCall = false
	c.link.driven = c.room
	d.turn.End()
	d.Settle()
	return c
}

// Room is the room's state machine of this connection.
func (c *Conn) Room() adapters.Conn { return c.room }

// Send delivers the parts as one chunk and settles.
func (c *Conn) Send(parts ...[]byte) {
	c.d.tb.Helper()
	var in []byte
	for _, p := range parts {
		in = append(in, p...)
	}
	c.feed(in)
	c.d.Settle()
}

// SendString is Send for text protocols.
func (c *Conn) SendString(s string) { c.d.tb.Helper(); c.Send([]byte(s)) }

// SendSplit delivers b in chunks of n bytes, each in a turn of its own.
func (c *Conn) SendSplit(b []byte, n int) {
	c.d.tb.Helper()
	for len(b) > 0 {
		k := min(n, len(b))
		c.feed(b[:k])
		c.d.Settle()
		b = b[k:]
	}
}

// feed is the loop's side of a readable socket, in a turn of its own.
func (c *Conn) feed(in []byte) {
	c.d.tb.Helper()
	if c.closed {
		return
	}
	d := c.d
	d.turn.Begin()
	c.kept = append(c.kept, in...)
	c.allowance -= len(in)
	c.input()
	d.wakeAll()
	d.turn.End()
	d.forget()
}

// input gives the room what is kept, again and again while it asks for more.
func (c *Conn) input() {
	c.d.tb.Helper()
	for !c.closed && !c.paused && len(c.kept) > 0 {
		if c.held() {
			c.wakeDue = true
			return
		}
		in := append(make([]byte, 0, len(c.kept)), c.kept...)
		out := c.d.begin(c.link)
		n, err := c.room.Input(c.d.turn, in, out)
		c.d.inCall = false
		scribble(in)
		if n < 0 || n > len(in) {
			c.d.tb.Fatalf("Input consumed %d of %d bytes", n, len(in))
		}
		c.kept = append(c.kept[:0], c.kept[n:]...)
		if err != nil {
			out.CloseAfterFlush(Reason(err))
		}
		more := out.More
		c.flush(out, false)
		if !c.closed && c.bounded && c.allowance < 0 {
			c.end(core.TooLarge)
		}
		if !more {
			return
		}
		if !c.closed {
			c.link.drive(opWake, core.OK)
		}
	}
}

// Reason is the core.Reason of an error that a room's Input returned.
func Reason(err error) core.Reason {
	var r core.Reason
	if errors.As(err, &r) {
		return r
	}
	return core.ProtocolError
}

// flush is the loop's side of a write.
func (c *Conn) flush(out *adapters.Output, evicted bool) {
	if _, closing := out.Closing(); !closing {
		out.Join()
	}
	c.link.early.Reset()
	if len(out.B) > 0 {
		dst := &c.got
		if c.stall {
			dst = &c.stalled
		}
		*dst = append(*dst, out.B...)
		scribble(out.B)
	}
	resumed := false
	if p, r := out.Reading(); p || r {
		c.paused, resumed = p, r
	}
	if r, closing := out.Closing(); closing {
		c.end(r)
		return
	}
	if evicted {
		c.d.tb.Error("Evict did not call CloseAfterFlush")
		c.end(core.Internal)
		return
	}
	if resumed {
		c.input()
	}
}

// held reports that what waits for the client is so much that the room is
// not to be called.
func (c *Conn) held() bool { return len(c.stalled) > c.d.Host.Limits.WriteBuffer }

// end closes the transport.
func (c *Conn) end(r core.Reason) {
	if c.closed {
		return
	}
	c.closed, c.reason, c.link.dead = true, r, true
	c.link.tick, c.link.limit, c.kept = 0, 0, nil
	c.d.inCall = true
	c.room.Close(c.d.turn, r)
	c.d.inCall = false
}

// Recv takes what the room has written since the last Recv.
func (c *Conn) Recv() []byte {
	b := c.got
	c.got = nil
	return b
}

// Drop is the client's end vanishing: end of stream or reset.
func (c *Conn) Drop() {
	if c.closed {
		return
	}
	c.d.turn.Begin()
	c.end(core.ConnectionLost)
	c.d.turn.End()
	c.d.Settle()
}

// Stall makes the client stop reading; Unstall lets it read all that waits.
func (c *Conn) Stall() { c.stall = true }

// Unstall ends a Stall.
func (c *Conn) Unstall() {
	c.stall = false
	c.got = append(c.got, c.stalled...)
	c.stalled = nil
	if c.wakeDue && !c.closed {
		c.wakeDue = false
		c.feed(nil)
		c.link.Ready(nil)
	}
	c.d.Settle()
}

// Evict asks the connection to end, as core or an administrator does.
func (c *Conn) Evict(r core.Reason) {
	c.link.Evict(r)
	c.d.Settle()
}

// Closed reports the end of the connection and its reason.
func (c *Conn) Closed() (core.Reason, bool) { return c.reason, c.closed }

// Authenticated reports that the room declared the peer logged in.
func (c *Conn) Authenticated() bool { return c.link.auth }

// Connected reports that the room declared the peer connected, and whose it
// is.
func (c *Conn) Connected() (who adapters.Identity, connected bool) {
	if i, ok := c.room.(adapters.Identified); ok {
		who = i.Identity()
	}
	return who, c.link.known
}

// Paused reports that the room has stopped reading.
func (c *Conn) Paused() bool { return c.paused }

// Unconsumed is the number of bytes that the room has not consumed.
func (c *Conn) Unconsumed() int { return len(c.kept) }

// TickAt is the time that the room asked for; 0: none.
func (c *Conn) TickAt() core.Time { return c.link.tick }
