package listen_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
)

// strict is the line protocol on WebSocket as MQTT is: binary frames only,
// sub-protocol required.
type strict struct{ adapters.WebSocketRoom }

func (strict) Name() string { return "strict" }
func (strict) WebSocket() adapters.WebSocketOptions {
	return adapters.WebSocketOptions{Paths: []string{"/strict"}, Subprotos: []string{"s2", "s1"}, RequireSub: true, MaxMessage: 1000}
}

// webSockets starts ws:// and wss:// with the line protocol and a strict one.
func webSockets(t *testing.T, origins ...string) *rig {
	t.Helper()
	return webSocketsWithin(t, adapters.Limits{}, origins...)
}

func webSocketsWithin(t *testing.T, l adapters.Limits, origins ...string) *rig {
	t.Helper()
	return serve(t, rigOptions{limits: l, urls: []string{"ws://127.0.0.1:0", "wss://127.0.0.1:0"}, change: func(o *listen.Options) {
		o.Rooms["strict"] = strict{o.Rooms["line"].(adapters.WebSocketRoom)}
		for i := range o.Listeners {
			o.Listeners[i].Origins = origins
		}
	}})
}

type request struct {
	path   string
	subs   []string
	origin string
	header string
}

func (r *rig) upgrade(t *testing.T, i int, q request) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	d := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Subprotocols: q.subs}
	h := http.Header{}
	if q.origin != "" {
		h.Set("Origin", q.origin)
	}
	if q.header != "" {
		h.Set("X-Long", q.header)
	}
	scheme, _, _ := strings.Cut(r.Addrs()[i].URL, "://")
	ws, resp, err := d.Dial(scheme+"://"+r.addr(i)+q.path, h)
	if err == nil {
		t.Cleanup(func() { ws.Close() })
		ws.SetReadDeadline(time.Now().Add(patience))
	}
	return ws, resp, err
}

func TestWebSocketUpgrade(t *testing.T) {
	t.Parallel()
	r := webSockets(t)
	for i := range r.Addrs() {
		own := "http://" + r.addr(i)
		for _, c := range []struct {
			name   string
			q      request
			status int
			sub    string
		}{
			{"no sub-protocol where none is required", request{path: "/line"}, 101, ""},
			{"unknown sub-protocol where none is required", request{path: "/line", subs: []string{"x"}}, 101, ""},
			{"ours is preferred", request{path: "/strict", subs: []string{"s1", "s2"}}, 101, "s2"},
			{"the only one", request{path: "/strict", subs: []string{"x", "s1"}}, 101, "s1"},
			{"none offered", request{path: "/strict"}, 400, ""},
			{"none that is ours", request{path: "/strict", subs: []string{"x"}}, 400, ""},
			{"unknown path", request{path: "/nowhere"}, 404, ""},
			{"same origin", request{path: "/line", origin: own}, 101, ""},
			{"foreign origin", request{path: "/line", origin: "http://evil.example"}, 403, ""},
			{"header of 16 KiB", request{path: "/line", header: strings.Repeat("h", 16<<10)}, 431, ""},
			{"header of 6 KiB", request{path: "/line", header: strings.Repeat("h", 6<<10)}, 101, ""},
		} {
			ws, resp, err := r.upgrade(t, i, c.q)
			if resp == nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if resp.StatusCode != c.status {
				t.Errorf("%s: status %d, want %d", c.name, resp.StatusCode, c.status)
			}
			if err == nil && ws.Subprotocol() != c.sub {
				t.Errorf("%s: sub-protocol %q", c.name, ws.Subprotocol())
			}
		}
	}
}

func TestWebSocketOriginsOfTheListener(t *testing.T) {
	t.Parallel()
	r := webSockets(t, "https://app.example")
	for origin, status := range map[string]int{
		"": 101, "https://app.example": 101, "http://app.example": 403, "http://" + r.addr(0): 403, "https://app.example.evil": 403,
	} {
		_, resp, err := r.upgrade(t, 0, request{path: "/line", origin: origin})
		if resp == nil || resp.StatusCode != status {
			t.Errorf("origin %q: %v, %v", origin, resp, err)
		}
	}
}

func TestWebSocketIsNoCompression(t *testing.T) {
	t.Parallel()
	r := webSockets(t)
	d := websocket.Dialer{EnableCompression: true}
	ws, resp, err := d.Dial("ws://"+r.addr(0)+"/line", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	if e := resp.Header.Get("Sec-WebSocket-Extensions"); e != "" {
		t.Errorf("extensions %q", e)
	}
}

// say sends one message and returns the next.
func say(t *testing.T, ws *websocket.Conn, mode int, text string) (int, string) {
	t.Helper()
	if err := ws.WriteMessage(mode, []byte(text)); err != nil {
		t.Fatal(err)
	}
	got, b, err := ws.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	return got, string(b)
}

func TestWebSocketAnswersInTheClientsMode(t *testing.T) {
	t.Parallel()
	r := webSockets(t)
	for _, mode := range []int{websocket.TextMessage, websocket.BinaryMessage} {
		ws, _, err := r.upgrade(t, 0, request{path: "/line"})
		if err != nil {
			t.Fatal(err)
		}
		if got, s := say(t, ws, mode, "ECHO grüezi\n"); got != mode || s != "grüezi\n" {
			t.Errorf("mode %d: got %d %q", mode, got, s)
		}
		if got, s := say(t, ws, websocket.BinaryMessage, "ECHO \xff\n"); got != websocket.BinaryMessage || s != "\xff\n" {
			t.Errorf("mode %d, not UTF-8: got %d %q", mode, got, s)
		}
	}
}

// closed reads until the close frame and returns its code.
func closedWith(t *testing.T, ws *websocket.Conn) int {
	t.Helper()
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			var ce *websocket.CloseError
			if !errors.As(err, &ce) {
				t.Fatalf("no close frame: %v", err)
			}
			return ce.Code
		}
	}
}

func TestWebSocketCloseCodes(t *testing.T) {
	t.Parallel()
	r := webSockets(t)
	for _, c := range []struct {
		name, path, send string
		mode, code       int
	}{
		{"text where only binary is allowed", "/strict", "ECHO a\n", websocket.TextMessage, 1003},
		{"orderly end", "/line", "LOGIN a\nQUIT\n", websocket.BinaryMessage, 1000},
		{"protocol error", "/line", "SUB a\n", websocket.BinaryMessage, 1002},
		{"malformed", "/line", "LOGIN b\nNOSUCH\n", websocket.BinaryMessage, 1002},
		{"message too big", "/strict", "ECHO " + strings.Repeat("m", 2000) + "\n", websocket.BinaryMessage, 1009},
		{"line too big", "/line", "ECHO " + strings.Repeat("m", 66<<10), websocket.BinaryMessage, 1009},
	} {
		for i := range r.Addrs() {
			ws, _, err := r.upgrade(t, i, request{path: c.path, subs: []string{"s1"}})
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if err := ws.WriteMessage(c.mode, []byte(c.send)); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if code := closedWith(t, ws); code != c.code {
				t.Errorf("%s: close code %d, want %d", c.name, code, c.code)
			}
			ws.Close()
		}
	}
}

// RFC 6455, sections 5.5.1 and 7.4: what a Close frame may carry.
func TestWebSocketMalformedCloseFrames(t *testing.T) {
	t.Parallel()
	r := webSockets(t)
	for _, c := range []struct {
		name, payload string
		code          int
	}{
		{"empty", "", 1005},
		{"one octet", "\x03", 1002},
		{"normal", "\x03\xe8", 1000},
		{"with a reason", "\x03\xe8gr\xc3\xbcezi", 1000},
		{"the longest reason", "\x03\xe8" + strings.Repeat("r", 123), 1000},
		{"an application's", "\x0f\xa0bye", 4000},
		{"999", "\x03\xe7", 1002},
		{"reserved 1004", "\x03\xec", 1002},
		{"no status 1005", "\x03\xed", 1002},
		{"abnormal 1006", "\x03\xee", 1002},
		{"TLS 1015", "\x03\xf7", 1002},
		{"unassigned 2999", "\x0b\xb7", 1002},
		{"5000", "\x13\x88", 1002},
		{"65535", "\xff\xff", 1002},
		{"not UTF-8", "\x03\xe8\xff", 1007},
		{"UTF-8 that is cut", "\x03\xe8gr\xc3", 1007},
		{"a surrogate", "\x03\xe8\xed\xa0\x80", 1007},
	} {
		key := "\x0a\x1b\x2c\x3d"
		frame := []byte("\x89\x81\x00\x00\x00\x00p" + "\x88" + string([]byte{0x80 | byte(len(c.payload))}) + key)
		for i := range len(c.payload) {
			frame = append(frame, c.payload[i]^key[i%4])
		}
		frame = append(frame, "\x82\x80\x00\x00\x00\x00"...)
		for i := range r.Addrs() {
			for _, at := range []int{len(frame), 1} {
				ws, _, err := r.upgrade(t, i, request{path: "/line"})
				if err != nil {
					t.Fatalf("%s: %v", c.name, err)
				}
				for b := frame; len(b) > 0; {
					n := min(at, len(b))
					if _, err := ws.NetConn().Write(b[:n]); err != nil {
						t.Fatalf("%s: %v", c.name, err)
					}
					b = b[n:]
				}
				var pong string
				ws.SetPongHandler(func(s string) error { pong = s; return nil })
				if code := closedWith(t, ws); code != c.code || pong != "p" {
					t.Errorf("%s: pong %q, close code %d, want %d", c.name, pong, code, c.code)
				}
				ws.Close()
			}
		}
	}
}

// RFC 6455, section 8.1.
func TestWebSocketTextThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	r := webSockets(t)
	long := strings.Repeat("ü€𝄞", 3000) // larger than any buffer, cut anywhere
	for _, c := range []struct {
		name string
		ok   bool
		text string
	}{
		{"ASCII", true, "a"}, {"two octets", true, "ü"}, {"four octets", true, "𝄞"}, {"long", true, long}, {"shifted", true, "a" + long},
		{"no start", false, "a\x80b"}, {"0xff", false, "\xff"}, {"cut at the end", false, "a\xf0\x9d\x84"}, {"a surrogate", false, "\xed\xa0\x80"},
		{"too long", false, "\xc0\xaf"}, {"late", false, long + "\x80"}, {"cut and late", false, long + "\xe2\x82"}, {"too high", false, "\xf4\x90\x80\x80"},
	} {
		for i := range r.Addrs() {
			ws, _, err := r.upgrade(t, i, request{path: "/line"})
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			send := "ECHO " + c.text + "\n"
			if !c.ok && strings.HasPrefix(c.name, "cut") {
				send = strings.TrimSuffix(send, "\n")
			}
			if err := ws.WriteMessage(websocket.TextMessage, []byte(send)); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if c.ok {
				for got := ""; got != c.text+"\n"; {
					_, b, err := ws.ReadMessage()
					if got += string(b); err != nil {
						t.Fatalf("%s: %q, %v", c.name, got, err)
					}
				}
			} else if code := closedWith(t, ws); code != websocket.CloseInvalidFramePayloadData {
				t.Errorf("%s: close code %d", c.name, code)
			}
			ws.Close()
		}
	}
}

// What a client goes on sending is discarded, and does not get in before the
// close code of what it did wrong.
func TestWebSocketCloseCodeIsOfTheFirstFault(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"ws://127.0.0.1:0"}, limits: adapters.Limits{PreauthBytes: 1000}})
	for range 300 {
		ws, _, err := r.upgrade(t, 0, request{path: "/line", subs: []string{"line"}})
		if err != nil {
			t.Fatal(err)
		}
		all := "\x82\x86\x00\x00\x00\x00SUB a\n" // masked with zeros
		for range 20 {
			all += "\x82\xe4\x00\x00\x00\x00" + strings.Repeat("m", 100)
		}
		if _, err := ws.NetConn().Write([]byte(all)); err != nil {
			t.Fatal(err)
		}
		if code := closedWith(t, ws); code != websocket.CloseProtocolError {
			t.Fatalf("close code %d", code)
		}
		ws.Close()
	}
}

func TestWebSocketRefusalsAreCountedByTheirReason(t *testing.T) {
	t.Parallel()
	r := webSockets(t)
	for reason, send := range map[string]string{"bytes": "ECHO " + strings.Repeat("m", 2000) + "\n", "protocol": ""} {
		ws, _, err := r.upgrade(t, 0, request{path: "/strict", subs: []string{"s1"}})
		if err != nil {
			t.Fatal(err)
		}
		mode := websocket.BinaryMessage
		if send == "" {
			mode = websocket.TextMessage
		}
		if err := ws.WriteMessage(mode, []byte(send)); err != nil {
			t.Fatal(err)
		}
		closedWith(t, ws)
		ws.Close()
		until(t, "counted as "+reason, func() bool { return r.count("preauth_closed_total", "strict", reason) == 1 })
	}
}

func TestWebSocketShutdownIsGoingAway(t *testing.T) {
	t.Parallel()
	r := webSockets(t)
	ws, _, err := r.upgrade(t, 0, request{path: "/line"})
	if err != nil {
		t.Fatal(err)
	}
	say(t, ws, websocket.BinaryMessage, "LOGIN a\n")
	done := make(chan struct{})
	go func() { r.stop(); close(done) }()
	if code := closedWith(t, ws); code != 1001 {
		t.Errorf("close code %d", code)
	}
	ws.Close()
	<-done
}

func TestWebSocketPingIsAnswered(t *testing.T) {
	t.Parallel()
	r := webSockets(t)
	ws, _, err := r.upgrade(t, 0, request{path: "/line"})
	if err != nil {
		t.Fatal(err)
	}
	pong := ""
	ws.SetPongHandler(func(s string) error { pong = s; return nil })
	if err := ws.WriteControl(websocket.PingMessage, []byte("hello"), time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	say(t, ws, websocket.BinaryMessage, "ECHO a\n")
	if pong != "hello" {
		t.Errorf("pong %q", pong)
	}
}

// SECURITY 4: an unmasked frame of a client closes with 1002.
func TestWebSocketUnmaskedFrameIsAProtocolError(t *testing.T) {
	t.Parallel()
	r := webSockets(t)
	nc, err := net.Dial("tcp", r.addr(0))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(nc, "GET /line HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	nc.Write([]byte{0x82, 2, 'h', 'i'}) // FIN + binary, length 2, no mask
	head := make([]byte, 4)
	if _, err := br.Read(head); err != nil || head[0] != 0x88 || int(head[2])<<8|int(head[3]) != 1002 {
		t.Errorf("% x, %v", head, err)
	}
	nc.Close()
	until(t, "counted as malformed", func() bool { return r.count("preauth_closed_total", "line", "malformed") == 1 })
}

// SECURITY A4a: nothing is as long as 2^63.
func TestWebSocketLengthBeyond63BitsIsTooBig(t *testing.T) {
	t.Parallel()
	r := webSockets(t)
	ws, _, err := r.upgrade(t, 0, request{path: "/line"})
	if err != nil {
		t.Fatal(err)
	}
	ws.NetConn().Write([]byte{0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4})
	if code := closedWith(t, ws); code != 1009 {
		t.Errorf("close code %d", code)
	}
}

func TestWebSocketPacketsMaySpanMessages(t *testing.T) {
	t.Parallel()
	r := webSockets(t)
	ws, _, err := r.upgrade(t, 0, request{path: "/line"})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"EC", "HO o", "ne\nECHO two\nECHO th"} {
		if err := ws.WriteMessage(websocket.BinaryMessage, []byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if _, b, err := ws.ReadMessage(); err != nil || string(b) != "one\ntwo\n" {
		t.Errorf("%q, %v", b, err)
	}
	if _, s := say(t, ws, websocket.BinaryMessage, "ree\n"); s != "three\n" {
		t.Errorf("%q", s)
	}
}
