package listen_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/tlsconf"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// secured serves lines:// and wss:// with the files of s.
func secured(t *testing.T, s tlsconf.Server, o rigOptions) *rig {
	t.Helper()
	live, err := tlsconf.Open(s, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	o.urls = []string{"lines://127.0.0.1:0", "wss://127.0.0.1:0"}
	o.change = func(o *listen.Options) {
		for i := range o.Listeners {
			o.Listeners[i].TLS = live.Config()
		}
	}
	return serve(t, o)
}

// shown records the credentials of logins.
type shown chan adapters.Credentials

func (s shown) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	s <- c
	return core.Anonymous, core.OK
}

func TestTLS_U15_TheRoomLearnsTheVerifiedCertificate(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "authority")
	server, dev := ca.Issue("server"), ca.Issue("meter 7", tlstest.URI("urn:dev:7"))
	auth := make(shown, 1)
	r := secured(t, tlsconf.Server{Cert: server.Cert, Key: server.Key, ClientCA: ca.File, ClientAuth: "optional"}, rigOptions{auth: auth})
	pair := []tls.Certificate{dev.Pair(t)}
	config := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", Certificates: pair, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	for _, round := range []string{"new", "resumed"} {
		nc, err := tls.Dial("tcp", r.addr(0), config)
		if err != nil {
			t.Fatal(err)
		}
		d := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", Certificates: pair}}
		ws, _, err := d.Dial("wss://"+r.addr(1)+"/line", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*client{newClient(t, nc), newClient(t, &wsStream{Conn: ws})} {
			c.send("WHO\n")
			if l := c.line(); !strings.HasSuffix(l, " tls=true cn=meter 7 uris=[urn:dev:7] proxied=false") {
				t.Errorf("%s: %q", round, l)
			}
			c.login(round)
			if got := <-auth; got.Certificate == nil || got.Certificate.CommonName != "meter 7" || got.Certificate.Issuer != "CN=authority" || !got.TLS {
				t.Errorf("%s: %+v", round, got)
			}
		}
		if got := nc.ConnectionState().DidResume; got != (round == "resumed") {
			t.Errorf("%s: resumed %v", round, got)
		}
	}
	plain, err := tls.Dial("tcp", r.addr(0), &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, plain)
	c.send("WHO\n")
	if l := c.line(); strings.Contains(l, "cn=") {
		t.Errorf("without a certificate: %q", l)
	}
}

func TestTLS_U15_ARefusedClientIsToldCountedAndLogged(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "authority")
	server, old := ca.Issue("server"), ca.Issue("old", tlstest.Expired)
	r := secured(t, tlsconf.Server{Cert: server.Cert, Key: server.Key, ClientCA: ca.File}, rigOptions{})
	pair := old.Pair(t)
	for i, proto := range []string{"line", "ws"} {
		for want, c := range map[string]*tls.Config{
			"certificate required": {RootCAs: ca.Pool(), ServerName: "localhost"},
			"certificate":          {RootCAs: ca.Pool(), ServerName: "localhost", GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }},
		} {
			nc, err := tls.Dial("tcp", r.addr(i), c)
			if err == nil {
				nc.SetDeadline(time.Now().Add(patience))
				nc.Write([]byte("LOGIN a\n")) // in flight when the alert comes
				_, err = io.ReadAll(nc)
				nc.Close()
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		}
		until(t, "counted", func() bool { return r.count("preauth_closed_total", proto, "tls") == 2 })
	}
	if log := r.log.String(); !strings.Contains(log, "reason=tls error=\"tls: client didn't provide a certificate\"") {
		t.Errorf("log:\n%s", log)
	}
	until(t, "no place is held", func() bool { n, _ := r.Connections(); return n == 0 })
}

func TestTLS_MH2_PlainOnTLSAndTLSOnPlainClose(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"line://127.0.0.1:0", "lines://127.0.0.1:0", "ws://127.0.0.1:0", "wss://127.0.0.1:0"}})
	for i, a := range r.Addrs() {
		nc, err := net.Dial("tcp", a.String())
		if err != nil {
			t.Fatal(err)
		}
		nc.SetDeadline(time.Now().Add(patience))
		if i%2 == 1 {
			nc.Write([]byte("LOGIN a\n"))
			if b, _ := io.ReadAll(nc); bytes.Contains(b, []byte("OK")) {
				t.Errorf("%s: answered %q", a.URL, b)
			}
		} else if err := tls.Client(nc, &tls.Config{InsecureSkipVerify: true}).Handshake(); err == nil {
			t.Errorf("%s speaks TLS", a.URL)
		}
		nc.Close()
	}
	until(t, "counted", func() bool {
		return r.count("preauth_closed_total", "line", "tls") == 1 && r.count("preauth_closed_total", "ws", "tls") == 1 &&
			r.count("preauth_closed_total", "ws", "malformed") == 1
	})
}

func TestAttack_A5b_Handshakes(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"lines://127.0.0.1:0", "wss://127.0.0.1:0"}, limits: adapters.Limits{PreauthDeadline: time.Second}})
	hello := func(length int) []byte { // the record header, and the start of a ClientHello of that length
		return append([]byte{0x16, 3, 1, 0x40, 0, 1, byte(length >> 16), byte(length >> 8), byte(length), 3, 3}, make([]byte, 0x4000-6)...)
	}
	for i, a := range r.Addrs() {
		for name, c := range map[string]struct {
			send []byte
			drip bool
		}{
			"hello of 16 MiB": {send: hello(1<<24 - 1)},
			"garbage":         {send: bytes.Repeat([]byte{0xff}, 4096)},
			"drip":            {send: hello(2000)[:50], drip: true},
			"silence":         {drip: true},
		} {
			nc, err := net.Dial("tcp", a.String())
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			nc.SetDeadline(began.Add(patience))
			if c.drip && c.send != nil {
				drip(nc, c.send, 800*time.Millisecond)
			} else {
				nc.Write(c.send)
			}
			io.Copy(io.Discard, nc)
			if took := time.Since(began); c.drip && took < 900*time.Millisecond || took > 4*time.Second {
				t.Errorf("%s, %s: closed after %v", a.URL, name, took)
			}
			nc.Close()
		}
		proto := []string{"line", "ws"}[i]
		until(t, "counted", func() bool {
			return r.count("preauth_closed_total", proto, "deadline") == 2 && r.count("preauth_closed_total", proto, "tls") == 2
		})
	}
	until(t, "no place is held", func() bool { n, _ := r.Connections(); return n == 0 })
}

func TestTLS_RecordsThatBreakBeforeTheLoginAreCounted(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"lines://127.0.0.1:0"}})
	nc, err := net.Dial("tcp", r.addr(0))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	if err := tls.Client(nc, &tls.Config{InsecureSkipVerify: true}).Handshake(); err != nil {
		t.Fatal(err)
	}
	nc.Write(append([]byte{0x17, 3, 3, 0, 32}, make([]byte, 32)...)) // not sealed by any key
	io.Copy(io.Discard, nc)
	until(t, "counted", func() bool { return r.count("preauth_closed_total", "line", "tls") == 1 })
}

func TestTransport_MH6_SegmentsOfAnySizeGiveTheSameResult(t *testing.T) {
	t.Parallel()
	onAll(t, rigOptions{}, func(t *testing.T, r *rig, i int) {
		script := "LOGIN a\nSUB t/#\n"
		want := []string{"OK", "OK"}
		for range 100 {
			script += "ECHO abc\n"
			want = append(want, "abc")
		}
		c := r.client(t, i)
		c.send(script)
		c.expect(want...)
		one := r.client(t, i)
		for _, b := range []byte(strings.ReplaceAll(script, "LOGIN a", "LOGIN b")) {
			one.send(string(b))
		}
		one.expect(want...)
	})
}

func TestShutdownEndsHandshakesThatAreUnderWay(t *testing.T) {
	t.Parallel()
	r := proxied(t, adapters.Limits{PreauthDeadline: time.Hour})
	for i := range r.Addrs() {
		silent, err := net.Dial("tcp", r.addr(i))
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		half, err := net.Dial("tcp", r.addr(i))
		if err != nil {
			t.Fatal(err)
		}
		defer half.Close()
		half.Write(append(v2(t, from("198.51.100.7:1")), 0x16))
	}
	until(t, "all are there", func() bool { n, _ := r.Connections(); return n == 8 })
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if n, waiting := r.Connections(); n != 0 || waiting != 0 {
		t.Errorf("%d, %d are still counted", n, waiting)
	}
}
