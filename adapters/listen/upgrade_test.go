package listen_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
)

func TestAttack_A4e_RefusedUpgradesAreCountedAndLogged(t *testing.T) {
	t.Parallel()
	r := webSockets(t, "https://app.example")
	for _, c := range []struct {
		q             request
		proto, reason string
	}{
		{request{path: "/nowhere"}, "ws", "path"},
		{request{path: "/strict"}, "strict", "subprotocol"},
		{request{path: "/strict", subs: []string{"x"}}, "strict", "subprotocol"},
		{request{path: "/line", origin: "http://evil.example"}, "line", "origin"},
	} {
		for i := range r.Addrs() {
			before := r.count("connects_total", c.proto, "refused", c.reason)
			closed := r.count("preauth_closed_total", c.proto, "protocol")
			if _, _, err := r.upgrade(t, i, c.q); err == nil {
				t.Errorf("%+v was upgraded", c.q)
			}
			until(t, "counted "+c.reason, func() bool {
				return r.count("connects_total", c.proto, "refused", c.reason) == before+1 && r.count("preauth_closed_total", c.proto, "protocol") == closed+1
			})
			if want := `reason=protocol error="refused upgrade: ` + c.reason + `"`; !strings.Contains(r.log.String(), want) {
				t.Errorf("no %s in\n%s", want, r.log)
			}
		}
	}
	resp, err := http.Get("http://" + r.addr(0) + "/line")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n := r.count("connects_total", "line", "refused", "upgrade"); resp.StatusCode != 400 || n != 1 {
		t.Errorf("a plain request: %d, counted %d", resp.StatusCode, n)
	}
}

func TestWebSocketRequestsThatAreNoneAreCounted(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"ws://127.0.0.1:0"}, limits: adapters.Limits{PreauthDeadline: time.Second}})
	for reason, c := range map[string]string{
		"malformed": "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00\r\n\r\n",
		"deadline":  "GET /line HTTP/1.1\r\nHost:",
	} {
		nc, err := net.Dial("tcp", r.addr(0))
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(patience))
		io.WriteString(nc, c)
		io.Copy(io.Discard, nc)
		nc.Close()
		until(t, "counted "+reason, func() bool { return r.count("preauth_closed_total", "ws", reason) == 1 })
		if !strings.Contains(r.log.String(), "reason="+reason) {
			t.Errorf("no %s in\n%s", reason, r.log)
		}
	}
	nc, err := net.Dial("tcp", r.addr(0)) // a check of the port, which is nobody's fault
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
	until(t, "all have left", func() bool { n, _ := r.Connections(); return n == 0 })
	if n := strings.Count(r.log.String(), "preauth.closed"); n != 2 {
		t.Errorf("%d lines:\n%s", n, r.log)
	}
}

// SECURITY A4c: fragments count with their headers, so empty ones too.
func TestAttack_A4c_EmptyFragmentsEndWithTheAllowance(t *testing.T) {
	t.Parallel()
	r := webSocketsWithin(t, adapters.Limits{PreauthDeadline: time.Minute}) // input is discarded for 2 s before the end is told
	for i := range r.Addrs() {
		for name, frame := range map[string][]byte{
			"empty messages":  {0x82, 0x80, 1, 2, 3, 4},
			"empty fragments": {0x00, 0x80, 1, 2, 3, 4},
			"pongs":           {0x8a, 0x80, 1, 2, 3, 4},
		} {
			ws, _, err := r.upgrade(t, i, request{path: "/strict", subs: []string{"s1"}})
			if err != nil {
				t.Fatal(err)
			}
			before := r.count("preauth_closed_total", "strict", "bytes")
			nc := ws.NetConn()
			if name == "empty fragments" {
				nc.Write([]byte{0x02, 0x80, 1, 2, 3, 4})
			}
			go func() { // 120 KB, of which the server takes 64 KiB
				for range 20_000 / 100 {
					if _, err := nc.Write([]byte(strings.Repeat(string(frame), 100))); err != nil {
						return
					}
				}
			}()
			if code := closedWith(t, ws); code != websocket.CloseMessageTooBig {
				t.Errorf("%s: close code %d", name, code)
			}
			until(t, name+" are counted", func() bool { return r.count("preauth_closed_total", "strict", "bytes") == before+1 })
			ws.Close()
		}
	}
}

func TestWebSocketFramesAreFreeAfterTheLogin(t *testing.T) {
	t.Parallel()
	r := webSockets(t)
	for i := range r.Addrs() {
		ws, _, err := r.upgrade(t, i, request{path: "/line"})
		if err != nil {
			t.Fatal(err)
		}
		say(t, ws, websocket.BinaryMessage, "LOGIN a\n")
		ws.NetConn().Write([]byte(strings.Repeat("\x82\x80\x01\x02\x03\x04", 20_000)))
		if _, s := say(t, ws, websocket.BinaryMessage, "ECHO on\n"); s != "on\n" {
			t.Errorf("%q", s)
		}
	}
}

func TestWebSocketHeadersOfTheListener(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"ws://127.0.0.1:0"}, change: func(o *listen.Options) {
		o.Listeners[0].Headers = http.Header{"Strict-Transport-Security": {"max-age=1"}}
	}})
	for _, path := range []string{"/line", "/nowhere"} {
		_, resp, _ := r.upgrade(t, 0, request{path: path})
		if resp == nil || resp.Header.Get("Strict-Transport-Security") != "max-age=1" {
			t.Errorf("%s: %v", path, resp)
		}
	}
}

func TestWebSocketRequestsOnOneConnectionShareTheDeadline(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"ws://127.0.0.1:0"}, limits: adapters.Limits{PreauthDeadline: time.Second}})
	nc, err := net.Dial("tcp", r.addr(0))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	began := time.Now()
	nc.SetDeadline(began.Add(patience))
	br := bufio.NewReader(nc)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		fmt.Fprint(nc, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			break
		}
		io.Copy(io.Discard, resp.Body)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("closed after %v", took)
	}
}
