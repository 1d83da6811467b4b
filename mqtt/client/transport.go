package client

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/entrepot/entrepot/mqtt/packet"
)

// Target is where to connect to.
type Target struct {
	Network   string      // tcp or unix
	Address   string      // host:port, or the path of the socket
	TLS       *tls.Config // nil: no TLS
	WebSocket string      // request path, such as /mqtt; "": no WebSocket
}

func (t Target) dial(ctx context.Context) (net.Conn, error) {
	if t.WebSocket != "" {
		return t.dialWebSocket(ctx)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, t.Network, t.Address)
	if err != nil || t.TLS == nil {
		return conn, err
	}
	secure := tls.Client(conn, t.TLS)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secure, nil
}

func (t Target) dialWebSocket(ctx context.Context) (net.Conn, error) {
	d := websocket.Dialer{TLSClientConfig: t.TLS, Subprotocols: []string{"mqtt"}, WriteBufferSize: 64 << 10}
	url := "ws://"
	if t.TLS != nil {
		url = "wss://"
	}
	ws, _, err := d.DialContext(ctx, url+t.Address+t.WebSocket, http.Header{})
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(packet.MaxVarint)
	return &wsConn{Conn: ws}, nil
}

// wsConn is a WebSocket as a stream of bytes. MQTT 5.0, 6.0.
type wsConn struct {
	*websocket.Conn
	r io.Reader // rest of the message that is being read
}

func (c *wsConn) Read(b []byte) (int, error) {
	for {
		if c.r == nil {
			_, r, err := c.NextReader()
			if err != nil {
				return 0, err
			}
			c.r = r
		}
		n, err := c.r.Read(b)
		if err == io.EOF {
			c.r = nil
			if n == 0 {
				continue
			}
			err = nil
		}
		return n, err
	}
}

func (c *wsConn) Write(b []byte) (int, error) {
	if err := c.WriteMessage(websocket.BinaryMessage, b); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *wsConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}
