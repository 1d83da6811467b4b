package listen

import (
	"errors"
	"io"
	"log"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

var (
	writeBuffers sync.Pool
	discardLog   = log.New(io.Discard, "", 0)
)

// wsCarrier is a WebSocket: each message is a stretch of the stream, each
// write a message. Pings are answered by the library.
type wsCarrier struct {
	ws   *websocket.Conn
	conn *upgrading
	o    adapters.WebSocketOptions
	text atomic.Bool // the client's first data frame was text
	seen bool        // Owned by the reader: there was one

	small [idleRead]byte
	large *[busyRead]byte
	msg   io.Reader // Owned by the reader: the message that is being read
	utf8  bool      // Owned by the reader: it is text
	check textCheck // Owned by the reader: of it
}

func newWSCarrier(ws *websocket.Conn, o adapters.WebSocketOptions, conn *upgrading) *wsCarrier {
	if o.CloseOnText == 0 {
		o.CloseOnText = websocket.CloseUnsupportedData
	}
	return &wsCarrier{ws: ws, conn: conn, o: o}
}

// next reads a part of a message.
func (c *wsCarrier) next() ([]byte, error) {
	for {
		if c.msg == nil {
			if err := c.begin(); err != nil {
				return nil, err
			}
		}
		n, err := c.msg.Read(c.buffer())
		b := c.buffer()[:n]
		if c.utf8 && (!c.check.part(b) || err == io.EOF && !c.check.end()) {
			c.control(websocket.CloseInvalidFramePayloadData) // RFC 6455, section 8.1
			return nil, c.refuse(core.Malformed)
		}
		switch {
		case err == io.EOF:
			c.msg = nil
			b = c.shrink(b)
		case err != nil:
			return b, c.ended(err)
		case n == idleRead && c.large == nil:
			c.large = readBuffers.Get().(*[busyRead]byte) // for the next part
		}
		if n > 0 {
			return b, nil
		}
	}
}

func (c *wsCarrier) buffer() []byte {
	if c.large != nil {
		return c.large[:]
	}
	return c.small[:]
}

// shrink gives the large buffer back between messages, if what it holds fits
// the small one.
func (c *wsCarrier) shrink(b []byte) []byte {
	if c.large != nil && len(b) <= idleRead {
		b = append(c.small[:0], b...)
		readBuffers.Put(c.large)
		c.large = nil
	}
	return b
}

// begin waits for a message.
func (c *wsCarrier) begin() error {
	mode, r, err := c.ws.NextReader()
	if err != nil {
		return c.ended(err)
	}
	if mode == websocket.TextMessage && !c.o.Text {
		c.control(int(c.o.CloseOnText))
		return c.refuse(core.ProtocolError)
	}
	if !c.seen {
		c.seen = true
		c.text.Store(mode == websocket.TextMessage)
	}
	c.msg, c.utf8, c.check = r, mode == websocket.TextMessage, textCheck{}
	return nil
}

// ended tells what the end of reading means: frames that break RFC 6455, which
// the library has answered with 1002, or more than the limit.
func (c *wsCarrier) ended(err error) error {
	var farewell *websocket.CloseError
	var fault closeFault
	switch {
	case errors.As(err, &fault):
		c.control(int(fault))
		return c.refuse(core.Malformed)
	case err == websocket.ErrReadLimit, errors.Is(err, errAllowance):
		c.control(websocket.CloseMessageTooBig) // said already, unless the length was beyond 63 bits
		return c.refuse(core.TooLarge)
	case errors.As(err, &farewell):
		return err
	case strings.HasPrefix(err.Error(), "websocket: "): // the library has no type for it
		return c.refuse(core.Malformed)
	}
	return err
}

// refuse discards input for a bounded time after a close frame of ours, so
// that no reset destroys the frame on its way, and returns r.
func (c *wsCarrier) refuse(r core.Reason) error {
	c.loggingIn() // what is discarded costs nothing
	c.conn.frames = closeWatch{}
	below := c.ws.NetConn()
	below.SetReadDeadline(time.Now().Add(linger)) //nolint:errcheck // a deadline on an open connection
	io.Copy(io.Discard, below)                    //nolint:errcheck // it ends with the peer or the deadline
	return r
}

// write sends b as one message, in the client's mode where b allows it.
func (c *wsCarrier) write(b []byte) error {
	mode := websocket.BinaryMessage
	if c.text.Load() && utf8.Valid(b) {
		mode = websocket.TextMessage
	}
	return c.ws.WriteMessage(mode, b)
}

func (c *wsCarrier) finish(r core.Reason, deadline time.Time) {
	c.control(closeCode(r))
	c.ws.SetReadDeadline(deadline) //nolint:errcheck // a deadline on an open connection
}

func (c *wsCarrier) control(code int) {
	c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(controlTime)) //nolint:errcheck // the peer may have gone
}

// loggingIn ends the allowance.
func (c *wsCarrier) loggingIn() { c.conn.off.Store(true) }

// close ends the connection below TLS, whose farewell could block.
func (c *wsCarrier) close() { underneath(c.ws.NetConn()).Close() }
