package client

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// connect opens the transport: host:port is TCP, or TLS if it is configured;
// ws:// and wss:// are WebSocket with the sub-protocols of STOMP.
func connect(ctx context.Context, address string, secure *tls.Config) (net.Conn, error) {
	if !strings.Contains(address, "://") {
		if secure != nil {
			return (&tls.Dialer{Config: secure}).DialContext(ctx, "tcp", address)
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	d := websocket.Dialer{TLSClientConfig: secure, Subprotocols: []string{"v12.stomp", "v11.stomp", "v10.stomp"}}
	c, _, err := d.DialContext(ctx, address, nil)
	if err != nil {
		return nil, err
	}
	return &webSocket{Conn: c}, nil
}

// webSocket makes a stream of the binary messages of a WebSocket. One reader
// and one writer at a time.
type webSocket struct {
	*websocket.Conn
	message io.Reader // the rest of the one being read
}

var _ net.Conn = (*webSocket)(nil)

// Read implements net.Conn.
func (w *webSocket) Read(p []byte) (int, error) {
	for {
		if w.message == nil {
			_, r, err := w.NextReader()
			if websocket.IsCloseError(err, websocket.CloseNormalClosure) {
				return 0, io.EOF
			}
			if err != nil {
				return 0, err
			}
			w.message = r
		}
		n, err := w.message.Read(p)
		if err == io.EOF {
			w.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Write implements net.Conn.
func (w *webSocket) Write(p []byte) (int, error) {
	if err := w.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// SetDeadline implements net.Conn.
func (w *webSocket) SetDeadline(at time.Time) error {
	w.SetWriteDeadline(at)
	return w.SetReadDeadline(at)
}
