package abuse

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/test/rig"
)

// slow are clients that never come to the point: what they send first, and what they send again and again.
var slow = []struct {
	id, on      string
	first, drip string
	closes      string // what is said at the deadline
}{
	{"A1 silent", "mqtt", "", "", ""},
	{"A1 silent", "ws", "", "", ""},
	{"A1 silent", "mqtt-ws", "", "", ""},
	{"A1 silent", "stomp", "", "", ""},
	{"A1 silent", "stomp-ws", "", "", ""},
	{"A1 silent", "amqp", "", "", ""},
	{"A1 silent", "http", "", "", ""},
	{"A1 silent behind the header", "amqp", amqpHeader, "", "10.10"},
	{"A2 CONNECT", "mqtt", connect5("slow", "")[:5], connect5(strings.Repeat("slow", 200), "")[5:], ""},
	{"A2 CONNECT", "mqtt-ws", connect5("slow", "")[:5], connect5(strings.Repeat("slow", 200), "")[5:], ""},
	{"A2 CONNECT", "stomp", "CONNECT\naccept-version:1.2\nx:", strings.Repeat("x", 1000), ""},
	{"A2 CONNECT", "stomp-ws", "CONNECT\naccept-version:1.2\nx:", strings.Repeat("x", 1000), ""},
	{"A8d EOLs", "stomp", "", strings.Repeat("\n", 1000), ""},
	{"A2 header", "amqp", "", amqpHeader[:7], ""},
	{"A2 start-ok", "amqp", amqpHeader, startOk[:len(startOk)-1], "10.10"},
	{"A2 request", "ws", "GET /mqtt HTTP/1.1\r\nHost: x\r\na: ", strings.Repeat("x", 1000), ""},
	{"A2 request", "http", "GET /healthz HTTP/1.1\r\nHost: localhost\r\na: ", strings.Repeat("x", 1000), ""},
	{"A4c empty fragments", "ws-mqtt", ws(0x02, ""), strings.Repeat(ws(0x00, ""), 1000), ""},
	{"A4b pings", "ws-mqtt", "", strings.Repeat(ws(0x8a, ""), 1000), ""},
}

// TestSlow runs all slow clients of all listeners together, many of each; the gateway gives them a second instead of 5.
func TestSlow(t *testing.T) {
	t.Parallel()
	const deadline, copies = time.Second, 20
	g := start(t, "limits.preauth.deadline=1s", "stomp.login_timeout=1s", "amqp.login_timeout=1s", "admin.timeout=1s")
	p := g.pulse()
	defer p.close()
	before := g.Metrics()
	failures := make(chan error, copies*len(slow))
	for _, s := range slow {
		for range copies {
			go func() {
				began := time.Now()
				got, err := g.linger(s.on, s.first, s.drip, deadline/8)
				took := time.Since(began)
				switch {
				case errors.Is(err, io.ErrUnexpectedEOF) && strings.Contains(s.on, "ws"): // on a slow machine it ends inside the upgrade
					failures <- nil
				case err != nil && !reset(err):
					failures <- fmt.Errorf("%s/%s: it said %q and then %w", s.on, s.id, got, err)
				case took < deadline/2:
					failures <- fmt.Errorf("%s/%s: closed after %v, before the deadline of %v", s.on, s.id, took, deadline)
				case got != s.closes && got != "" && !strings.HasPrefix(got, "408") && !strings.HasPrefix(got, "close") && !strings.HasPrefix(got, "ERROR Idle"):
					failures <- fmt.Errorf("%s/%s: it said %q, want %q", s.on, s.id, got, s.closes)
				default:
					failures <- nil
				}
			}()
		}
	}
	for range copies * len(slow) {
		if err := <-failures; err != nil {
			t.Error(err)
		}
		if err := p.beat(); err != nil { // a valid client is served all the while
			t.Fatal(err)
		}
	}
	if err := p.admits(); err != nil {
		t.Error(err)
	}
	after := g.sane(t, false)
	for _, what := range []string{"preauth_closed mqtt deadline", "preauth_closed stomp deadline", "preauth_closed amqp deadline"} {
		if after.Sum(what) < before.Sum(what)+copies {
			t.Errorf("%s: %v, then %v", what, before.Sum(what), after.Sum(what))
		}
	}
	if !g.Log.Has("preauth.closed", "reason=deadline") { // all end within a second, more than a second's lines: the counters tell them apart
		t.Error("no log line")
	}
}

// linger sends drip byte by byte, as slowly as told, until the server ends the connection.
func (g *target) linger(on, first, drip string, pause time.Duration) (string, error) {
	c, err := g.dial(on)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if on == "ws-mqtt" { // a frame at a time
		drip = strings.Repeat(drip[:6], len(drip)/6)
	}
	if err := c.send(first); first != "" && err != nil {
		return "", err
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		size := 1
		if on == "ws-mqtt" {
			size = 6
		}
		for len(drip) >= size {
			select {
			case <-tick.C:
			case <-ended:
				return
			}
			if c.send(drip[:size]) != nil {
				return
			}
			drip = drip[size:]
		}
	}()
	return c.answer()
}

// TestStalled checks that a reader that reads nothing costs its publisher and everybody else nothing (P9, L16).
func TestStalled(t *testing.T) {
	t.Parallel()
	g := start(t, "limits.write_buffer.bytes=64KiB", "limits.write_buffer.stalled=1s", "limits.queue_bytes=4MiB")
	p := g.pulse()
	defer p.close()
	stalled := map[string]string{
		"mqtt":    connect5("stalled", "") + subscribe5(1, "", "flood"),
		"mqtt-ws": connect5("stalled-ws", "") + subscribe5(1, "", "flood"),
		"stomp":   stompConnect + "SUBSCRIBE\nid:1\ndestination:flood\n\n\x00",
		"amqp": amqp + channel + method(1, 50, 10, u16(0)+short("")+"\x0c"+u32(0)) +
			method(1, 50, 20, u16(0)+short("")+short("amq.topic")+short("flood")+"\x00"+u32(0)) + method(1, 60, 20, u16(0)+short("")+short("c")+"\x02"+u32(0)),
	}
	before := g.Metrics()
	for on, hello := range stalled {
		c, err := g.dial(on)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Conn.(*net.TCPConn).SetReadBuffer(4096)
		if err := c.send(hello); err != nil {
			t.Fatal(err)
		}
	}
	pub, err := g.dial("mqtt")
	if err != nil {
		t.Fatal(err)
	}
	defer pub.Close()
	go io.Copy(io.Discard, pub) //nolint:errcheck // ends with pub
	if err := pub.send(connect5("flooder", "")); err != nil {
		t.Fatal(err)
	}
	slow := func() bool {
		return g.Metrics().Sum("disconnects slow_consumer") >= before.Sum("disconnects slow_consumer")+float64(len(stalled))
	}
	message := publish5(2, "flood", "\x00\x01", "", strings.Repeat("x", 32<<10))
	for i := 0; !slow() && i < 2000; i++ {
		pub.SetWriteDeadline(time.Now().Add(rig.Patience))
		if err := pub.send(message); err != nil {
			t.Fatalf("the publisher is held back: %v", err)
		}
		if err := p.beat(); err != nil {
			t.Fatal(err)
		}
	}
	if err := rig.Until("the end of the stalled", slow); err != nil {
		t.Errorf("%v: %v", err, g.Metrics().Sum("disconnects slow_consumer"))
	}
	if !g.Log.Has("slow consumer") {
		t.Error("no log line about a slow consumer")
	}
	g.sane(t, false)
}
