package standard_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/tlsconf"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// hello is a CONNECT of MQTT 5 with the client id ws and a keep alive in seconds.
func hello(keepAlive byte) []byte {
	return append([]byte{0x10, 15, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, keepAlive, 0, 0, 2}, "ws"...)
}

// mqttWS opens MQTT on wss:// by the sub-protocol, and logs in.
func mqttWS(t *testing.T, url, sub string, keepAlive byte) *websocket.Conn {
	t.Helper()
	d := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Subprotocols: []string{sub}}
	ws, _, err := d.Dial(url+"/mqtt", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	if ws.Subprotocol() != sub {
		t.Errorf("sub-protocol %q, want %q", ws.Subprotocol(), sub) // [MQTT-6.0.0-4]
	}
	if err := ws.WriteMessage(websocket.BinaryMessage, hello(keepAlive)); err != nil {
		t.Fatal(err)
	}
	mode, b, err := ws.ReadMessage()
	if err != nil || mode != websocket.BinaryMessage || len(b) < 4 || b[0] != 0x20 || b[3] != 0 {
		t.Fatalf("CONNACK % x, %v", b, err)
	}
	return ws
}

// ends reads what comes before the close frame, and its code.
func ends(t *testing.T, ws *websocket.Conn) (before []byte, code int) {
	t.Helper()
	for {
		_, b, err := ws.ReadMessage()
		var closed *websocket.CloseError
		switch {
		case errors.As(err, &closed):
			return before, closed.Code
		case err != nil:
			t.Fatal(err)
		}
		before = append(before, b...)
	}
}

func TestMQTT_MH3_TheEndIsDisconnectThenACloseFrame(t *testing.T) {
	t.Parallel()
	router, err := core.New(core.Options{Store: adaptertest.NewStore()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(router.Close)
	host := &adapters.Host{Router: router, Log: slog.New(slog.DiscardHandler), Metrics: adapters.NewMetrics()}
	server := tlstest.New(t, "authority").Issue("server")
	var url string
	for _, u := range serve(t, host, tlsconf.Server{Cert: server.Cert, Key: server.Key}) {
		if strings.HasPrefix(u, "wss:") && !strings.HasSuffix(u, "/stomp") {
			url = u
		}
	}

	ws := mqttWS(t, url, "mqtt", 0)
	second := mqttWS(t, url, "mqttv3.1", 0) // the same client id
	if before, code := ends(t, ws); len(before) < 3 || before[0] != 0xe0 || before[2] != 0x8e || code != websocket.CloseNormalClosure {
		t.Errorf("takeover: % x, close %d", before, code)
	}
	if err := second.WriteMessage(websocket.BinaryMessage, hello(0)); err != nil {
		t.Fatal(err)
	}
	if before, code := ends(t, second); len(before) < 3 || before[0] != 0xe0 || before[2] != 0x82 || code != websocket.CloseProtocolError {
		t.Errorf("second CONNECT: % x, close %d", before, code)
	}

	// Pings of WebSocket are answered, and are no packets of the client for its keep alive.
	third := mqttWS(t, url, "mqtt", 1)
	pongs := 0
	third.SetPongHandler(func(string) error { pongs++; return nil })
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if third.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)) != nil {
				return
			}
		}
	}()
	began := time.Now()
	before, code := ends(t, third)
	if !bytes.HasPrefix(before, []byte{0xe0}) || before[2] != 0x8d || code != websocket.CloseNormalClosure {
		t.Errorf("keep alive: % x, close %d", before, code)
	}
	if took := time.Since(began); took < 1400*time.Millisecond || pongs == 0 {
		t.Errorf("closed after %v, %d pongs", took, pongs)
	}
	third.Close()
	<-done
}
