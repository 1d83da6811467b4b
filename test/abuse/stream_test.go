package abuse

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/entrepot/entrepot/test/rig"
)

// client is one connection.
type client struct {
	net.Conn
	on     string
	framed bool // WebSocket frames are made of what is sent, and taken off what is read
	in     io.Reader
	left   int // of the frame that is being read
}

// dial connects to a surface: a protocol, a protocol on WebSocket (mqtt-ws), a WebSocket below its protocol (ws-mqtt),
// what comes before it (ws), or the admin listener (http).
func (g *target) dial(on string) (*client, error) {
	scheme := on
	if strings.Contains(on, "ws") {
		scheme = "ws"
	}
	nc, err := net.DialTimeout("tcp", g.At[scheme], rig.Patience)
	if err != nil {
		return nil, err
	}
	c := &client{Conn: nc, on: on, in: nc}
	c.SetDeadline(time.Now().Add(rig.Patience))
	switch on {
	case "mqtt-ws", "ws-mqtt":
		err = c.upgrade("/mqtt", "mqtt")
	case "stomp-ws", "ws-stomp":
		err = c.upgrade("/stomp", "v12.stomp")
	}
	c.framed = strings.HasSuffix(on, "-ws")
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *client) upgrade(path, sub string) error {
	if _, err := io.WriteString(c.Conn, upgrade(path, sub)); err != nil {
		return err
	}
	in := bufio.NewReader(c.Conn)
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("upgrade: %s", resp.Status)
	}
	c.in = in
	return nil
}

// send writes bytes, on a WebSocket as one binary message. Errors show in what is read.
func (c *client) send(b string) error {
	if c.framed {
		b = ws(0x82, b)
	}
	_, err := io.WriteString(c.Conn, b)
	return err
}

// half closes the sending side.
func (c *client) half() { c.Conn.(*net.TCPConn).CloseWrite() }

// read reads the next bytes; on a WebSocket the payload of the next frame. A close frame is a closeError.
func (c *client) read(into []byte) (int, error) {
	if !c.framed {
		return c.in.Read(into)
	}
	if c.left > 0 {
		n, err := c.in.Read(into[:min(c.left, len(into))])
		c.left -= n
		return n, err
	}
	var head [10]byte
	if _, err := io.ReadFull(c.in, head[:2]); err != nil {
		return 0, err
	}
	n := int(head[1])
	switch n {
	case 126:
		io.ReadFull(c.in, head[2:4])
		n = int(binary.BigEndian.Uint16(head[2:]))
	case 127:
		io.ReadFull(c.in, head[2:])
		n = int(binary.BigEndian.Uint64(head[2:]))
	}
	if head[0] != 0x88 {
		c.left = n
		return 0, nil
	}
	if _, err := io.ReadFull(c.in, into[:n]); err != nil {
		return 0, err
	}
	if n < 2 {
		return 0, closeError(1005)
	}
	return 0, closeError(binary.BigEndian.Uint16(into))
}

// closeError is the code of a WebSocket's close frame.
type closeError int

func (e closeError) Error() string { return fmt.Sprintf("close %d", int(e)) }

// reset tells whether the peer cut the connection while we were writing.
func reset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// answer reads to the end and tells what was said. A connection that does not end is an error.
func (c *client) answer() (string, error) {
	var all []byte
	words := func(more ...string) string { return strings.Join(append(says(c.on, all), more...), ", ") }
	buf := make([]byte, 64<<10)
	for {
		n, err := c.read(buf)
		if all = append(all, buf[:n]...); len(all) > 1<<20 {
			all = all[:1<<20]
		}
		var code closeError
		switch {
		case err == nil && strings.HasPrefix(c.on, "ws-") && strings.Contains(words(), "close"):
			return words(), nil
		case err == nil:
		case err == io.EOF:
			return words(), nil
		case errors.As(err, &code):
			return words(code.Error()), nil
		default:
			return words(), err
		}
	}
}
