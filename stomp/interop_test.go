package stomp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	gostomp "github.com/go-stomp/stomp/v3"
	gostompframe "github.com/go-stomp/stomp/v3/frame"
	"github.com/gorilla/websocket"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/store/memory"
	"github.com/entrepot/entrepot/stomp/frame"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// serve runs the room behind real sockets: TCP and WebSocket.
func serve(t testing.TB) (tcp, ws string) {
	t.Helper()
	router, err := core.New(core.Options{Store: memory.New()})
	if err != nil {
		t.Fatal(err)
	}
	host := &adapters.Host{Router: router, Auth: logins{}, Log: slog.New(slog.DiscardHandler), Metrics: adapters.NewMetrics()}
	s, err := listen.New(listen.Options{
		Host: host, Rooms: map[string]adapters.Room{"stomp": New(host, DefaultConfig())},
		Listeners: []listen.Listener{{URL: "stomp://127.0.0.1:0"}, {URL: "ws://127.0.0.1:0"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Bind(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		router.Close()
	})
	return s.Addrs()[0].String(), s.Addrs()[1].String()
}

// library connects with go-stomp.
func library(t *testing.T, address string, opts ...func(*gostomp.Conn) error) *gostomp.Conn {
	t.Helper()
	opts = append([]func(*gostomp.Conn) error{gostomp.ConnOpt.Login("user", "secret"), gostomp.ConnOpt.HeartBeat(time.Second, time.Second), gostomp.ConnOpt.UnsubscribeReceiptTimeout(3 * time.Second)}, opts...)
	c, err := gostomp.Dial("tcp", address, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.MustDisconnect() }) // after an ERROR, Disconnect may wait for a RECEIPT with the lock held
	return c
}

func next(t *testing.T, s *gostomp.Subscription) *gostomp.Message {
	t.Helper()
	select {
	case m := <-s.C:
		if m == nil || m.Err != nil {
			t.Fatalf("%+v", m)
		}
		return m
	case <-time.After(patience):
		t.Fatal("nothing came")
		return nil
	}
}

// unsubscribe waits for the RECEIPT. The library closes the channel when that has
// come, and may yet miss its own signal to the caller.
func unsubscribe(t *testing.T, s *gostomp.Subscription) {
	t.Helper()
	err := s.Unsubscribe()
	if errors.Is(err, &gostomp.ErrUnsubscribeReceiptTimeout) {
		select {
		case m, ok := <-s.C:
			if !ok {
				return
			}
			t.Fatalf("no RECEIPT came: %v", m.Err)
		default:
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSTOMP_Interop_GoStompInEveryVersionAndAckMode(t *testing.T) {
	t.Parallel()
	address, _ := serve(t)
	for _, version := range []gostomp.Version{gostomp.V10, gostomp.V11, gostomp.V12} {
		for _, mode := range []gostomp.AckMode{gostomp.AckAuto, gostomp.AckClient, gostomp.AckClientIndividual} {
			t.Run(version.String()+" "+mode.String(), func(t *testing.T) {
				t.Parallel()
				queue := "/queue/" + version.String() + mode.String()
				c := library(t, address, gostomp.ConnOpt.AcceptVersion(version))
				if c.Version() != version {
					t.Fatalf("version %v", c.Version())
				}
				s, err := c.Subscribe(queue, mode)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 10 {
					if err := c.Send(queue, "text/plain", fmt.Append(nil, i), gostomp.SendOpt.Receipt, gostomp.SendOpt.Header("k", "a:b\\c")); err != nil {
						t.Fatal(err)
					}
				}
				var last *gostomp.Message
				for i := range 10 {
					if last = next(t, s); string(last.Body) != fmt.Sprint(i) || last.Header.Get("k") != "a:b\\c" || last.ContentType != "text/plain" {
						t.Fatalf("%d: %s %v", i, last.Body, last.Header)
					}
					if mode == gostomp.AckClientIndividual {
						if err := c.Ack(last); err != nil {
							t.Fatal(err)
						}
					}
				}
				if mode == gostomp.AckClient {
					if err := c.Ack(last); err != nil {
						t.Fatal(err)
					}
				}
				unsubscribe(t, s)
				if s, err = c.Subscribe(queue, gostomp.AckAuto); err != nil {
					t.Fatal(err)
				}
				if err := c.Send(queue, "", []byte("end")); err != nil {
					t.Fatal(err)
				}
				if m := next(t, s); string(m.Body) != "end" {
					t.Errorf("left over: %s", m.Body)
				}
				if err := c.Disconnect(); err != nil { // ST21
					t.Error(err)
				}
			})
		}
	}
}

func TestSTOMP_Interop_GoStompTransactions(t *testing.T) {
	t.Parallel()
	address, _ := serve(t)
	c := library(t, address)
	s, err := c.Subscribe("/topic/t.*", gostomp.AckClientIndividual)
	if err != nil {
		t.Fatal(err)
	}
	tx := c.Begin()
	tx.Send("/topic/t.1", "", []byte("dropped"))
	if err := tx.Abort(); err != nil {
		t.Fatal(err)
	}
	tx = c.Begin()
	tx.Send("/topic/t.1", "", []byte("1"))
	tx.Send("/topic/t.2", "", []byte("2"))
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"1", "2"} {
		m := next(t, s)
		if string(m.Body) != want || m.Destination != fmt.Sprint("/topic/t.", i+1) {
			t.Errorf("%s on %s", m.Body, m.Destination)
		}
		tx := c.Begin()
		if err := tx.Ack(m); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSTOMP_Interop_GoStompNackAndReplyQueue(t *testing.T) {
	t.Parallel()
	address, _ := serve(t)
	c := library(t, address)
	s, err := c.Subscribe("/queue/work", gostomp.AckClientIndividual, gostomp.SubscribeOpt.Header("prefetch-count", "1"))
	if err != nil {
		t.Fatal(err)
	}
	replies, err := c.Subscribe("/temp-queue/r", gostomp.AckAuto, gostomp.SubscribeOpt.Header(gostomp.ReplyToHeader, "/temp-queue/r"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send("/queue/work", "", []byte("job"), gostomp.SendOpt.Header("reply-to", "/temp-queue/r")); err != nil {
		t.Fatal(err)
	}
	if err := c.Nack(next(t, s)); err != nil {
		t.Fatal(err)
	}
	m := next(t, s)
	if m.Header.Get("redelivered") != "true" {
		t.Errorf("%v", m.Header)
	}
	if err := c.Send(m.Header.Get("reply-to"), "", []byte("done")); err != nil {
		t.Fatal(err)
	}
	if r := next(t, replies); string(r.Body) != "done" {
		t.Errorf("%s", r.Body)
	}
}

func TestSTOMP_Interop_GoStompHeartBeatsAndErrors(t *testing.T) {
	t.Parallel()
	address, _ := serve(t)
	_, err := gostomp.Dial("tcp", address, gostomp.ConnOpt.Login("user", "wrong"))
	if err == nil || !strings.Contains(err.Error(), "Bad CONNECT") {
		t.Errorf("%v", err)
	}
	c := library(t, address, gostomp.ConnOpt.HeartBeat(200*time.Millisecond, 200*time.Millisecond), gostomp.ConnOpt.WithStats())
	s, err := c.Subscribe("/topic/x", gostomp.AckAuto)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); c.Stats().ReadsReceived < 6; { // nothing but heart-beats comes
		select {
		case m := <-s.C:
			t.Fatalf("after %d: %v", c.Stats().ReadsReceived, m.Err)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(end) {
			t.Fatal("no heart-beats")
		}
	}
	err = c.Send("/nowhere/x", "", nil, gostomp.SendOpt.Receipt)
	if e, ok := err.(gostomp.Error); !ok || e.Frame.Header.Get(gostompframe.Message) != "Unknown destination" {
		t.Errorf("%v", err)
	}
}

// browser is a WebSocket client.
type browser struct {
	t     *testing.T
	c     *websocket.Conn
	parse frame.Parser
	kind  int // of the last data frame
}

func surf(t *testing.T, address, path string, protos ...string) *browser {
	t.Helper()
	d := websocket.Dialer{Subprotocols: protos, HandshakeTimeout: patience}
	c, _, err := d.Dial("ws://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadDeadline(time.Now().Add(patience))
	return &browser{t: t, c: c}
}

func (b *browser) say(kind int, s string) {
	b.t.Helper()
	if err := b.c.WriteMessage(kind, []byte(s)); err != nil {
		b.t.Fatal(err)
	}
}

// hear returns the next frame.
func (b *browser) hear() received {
	b.t.Helper()
	for {
		kind, data, err := b.c.ReadMessage()
		if err != nil {
			b.t.Fatal(err)
		}
		b.kind = kind
		var f frame.Frame
		if _, ok, err := b.parse.Next(data, &f); err != nil {
			b.t.Fatal(err)
		} else if ok {
			r := freeze(&f)
			if r.cmd == "CONNECTED" {
				b.parse.Version = frame.V12
			}
			return r
		}
	}
}

func TestSTOMP_ST24_WebSocketSubProtocolsAndPaths(t *testing.T) {
	t.Parallel()
	_, address := serve(t)
	for _, path := range []string{"/stomp", "/ws"} {
		b := surf(t, address, path, "v10.stomp", "v12.stomp", "v11.stomp")
		if p := b.c.Subprotocol(); p != "v12.stomp" {
			t.Errorf("%s: %q", path, p)
		}
		b.say(websocket.TextMessage, "CONNECT\naccept-version:1.1\n\n\x00")
		if f := b.hear(); f.header["version"] != "1.1" { // the sub-protocol does not replace accept-version
			t.Errorf("%v", f)
		}
		surf(t, address, path) // none offered is accepted
	}
}

func TestSTOMP_ST25_ST69_TheModeIsTheClients(t *testing.T) {
	t.Parallel()
	_, address := serve(t)
	for _, kind := range []int{websocket.TextMessage, websocket.BinaryMessage} {
		b := surf(t, address, "/stomp", "v12.stomp")
		b.say(kind, "CONNECT\naccept-version:1.2\n\n\x00")
		if b.hear(); b.kind != kind {
			t.Errorf("CONNECTED as %d in mode %d", b.kind, kind)
		}
		b.say(kind, "SUBSCRIBE\nid:1\ndestination:/topic/a\n\n\x00SEND\ndestination:/topic/a\n\ntext\x00")
		if m := b.hear(); b.kind != kind || m.body != "text" {
			t.Errorf("%v as %d in mode %d", m, b.kind, kind)
		}
		b.say(websocket.BinaryMessage, "SEND\ndestination:/topic/a\n\n\xff\xfe\x00")
		if m := b.hear(); b.kind != websocket.BinaryMessage || m.body != "\xff\xfe" {
			t.Errorf("%v as %d in mode %d", m, b.kind, kind)
		}
		b.c.Close()
	}
}

func TestSTOMP_ST26_FramesAndWebSocketMessagesAreIndependent(t *testing.T) {
	t.Parallel()
	_, address := serve(t)
	b := surf(t, address, "/stomp")
	for _, part := range []string{"CONN", "ECT\naccept-version:1.2\nheart-beat:500,0\n", "\n\x00", "\n", "\n"} {
		b.say(websocket.TextMessage, part)
	}
	b.hear()
	b.say(websocket.TextMessage, "BEGIN\ntransaction:t\n\n\x00\nCOMMIT\ntransaction:t\nreceipt:1\n\n\x00DISCONN")
	if f := b.hear(); f.header["receipt-id"] != "1" {
		t.Errorf("%v", f)
	}
	b.say(websocket.TextMessage, "ECT\nreceipt:2\n\n\x00")
	if f := b.hear(); f.header["receipt-id"] != "2" {
		t.Errorf("%v", f)
	}
	if _, _, err := b.c.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) { // ST27
		t.Errorf("%v", err)
	}
}

func TestSTOMP_ST22_TheERRORArrivesThoughMoreWasSent(t *testing.T) {
	t.Parallel()
	address, _ := serve(t)
	for range 20 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(c, "CONNECT\naccept-version:1.2\n\n\x00SEND\ndestination:/other/a\n\n%s\x00%s", "x", strings.Repeat("SEND\ndestination:/topic/a\n\nx\x00", 5000))
		var all []byte
		buf := make([]byte, 4096)
		for {
			n, err := c.Read(buf)
			all = append(all, buf[:n]...)
			if err != nil {
				break
			}
		}
		c.Close()
		if !strings.Contains(string(all), "message:Unknown destination") {
			t.Fatalf("%q", all)
		}
	}
}
