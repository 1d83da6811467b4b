package tlsconf

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// shake runs one handshake over a pipe of the kernel and says a byte each way, so that tickets and alerts arrive.
func shake(t *testing.T, server, client *tls.Config) (state tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ended := make(chan error, 1)
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer nc.Close()
		s := tls.Server(nc, server)
		if err = s.Handshake(); err == nil {
			_, err = io.ReadFull(s, make([]byte, 1))
			s.Write([]byte("x"))
		}
		ended <- err
	}()
	c, clientErr := tls.Dial("tcp", ln.Addr().String(), client)
	if clientErr == nil {
		defer c.Close()
		c.Write([]byte("x"))
		_, clientErr = io.ReadFull(c, make([]byte, 1))
		state = c.ConnectionState()
	}
	return state, <-ended, clientErr
}

func TestTLS_U15_ChangedFilesAreReadAgain(t *testing.T) {
	t.Parallel()
	ca, clk := tlstest.New(t, "authority"), &clock{at: time.Now()}
	first, dev := ca.Issue("server"), ca.Issue("device")
	s := Server{Cert: first.Cert, Key: first.Key, ClientCA: ca.File, CRL: ca.Revoke("crl.pem", time.Hour)}
	var told []error
	l, err := open(s, nil, func(err error) { told = append(told, err) }, clk.now)
	if err != nil {
		t.Fatal(err)
	}
	server := l.Config()
	client := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{dev.Pair(t)}, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	for _, resumed := range []bool{false, true} {
		state, serverErr, err := shake(t, server, client)
		if err != nil || serverErr != nil || state.DidResume != resumed {
			t.Fatalf("resumed %v, want %v: %v, %v", state.DidResume, resumed, err, serverErr)
		}
	}
	ca.Revoke("crl.pem", time.Hour, dev) // seen after ten seconds, by who resumes too
	clk.pass(11 * time.Second)
	for name, c := range map[string]*tls.Config{"resumed": client, "new": {RootCAs: ca.Pool(), ServerName: "localhost", Certificates: client.Certificates}} {
		if _, serverErr, err := shake(t, server, c); err == nil || serverErr == nil || !strings.Contains(serverErr.Error(), `"CN=device" is revoked`) {
			t.Errorf("%s: a revoked certificate: %v, %v", name, serverErr, err)
		}
	}
	if len(told) != 1 || told[0] != nil {
		t.Errorf("told %v", told)
	}
	if err := os.WriteFile(first.Key, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	clk.pass(11 * time.Second)
	if got := l.Expiry(); !got.Equal(first.NotAfter) || len(told) != 2 || told[1] == nil {
		t.Errorf("a broken key: expiry %v, told %v", got, told)
	}
	second := ca.Issue("server", tlstest.Ends(100*24*time.Hour)) // the same names
	clk.pass(11 * time.Second)
	if got := l.Expiry(); !got.Equal(second.NotAfter) || len(told) != 3 || told[2] != nil {
		t.Errorf("the new one: expiry %v, told %v", got, told)
	}
}

func TestTLS_U15_RevocationFailsClosed(t *testing.T) {
	t.Parallel()
	ca, other, clk := tlstest.New(t, "authority"), tlstest.New(t, "other"), &clock{at: time.Now()}
	server, dev := ca.Issue("server"), ca.Issue("device")
	client := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{dev.Pair(t)}}
	for want, crl := range map[string]string{
		`no revocation list of "CN=authority"`:             other.Revoke("foreign.pem", time.Hour),
		`the revocation list of "CN=authority" is overdue`: ca.Revoke("short.pem", time.Second),
		`certificate "CN=device" is revoked`:               ca.Revoke("revoked.pem", time.Hour, dev),
		"":                                                 ca.Revoke("fine.pem", time.Hour, server),
	} {
		l, err := open(Server{Cert: server.Cert, Key: server.Key, ClientCA: ca.File, CRL: crl}, nil, nil, clk.now)
		if err != nil {
			t.Fatal(err)
		}
		clk.pass(5 * time.Second)
		_, got, _ := shake(t, l.Config(), client)
		clk.pass(-5 * time.Second)
		if want == "" && got != nil || want != "" && (got == nil || !strings.Contains(got.Error(), want)) {
			t.Errorf("%v, want %q", got, want)
		}
	}
}

func TestTLS_MH2_VersionsClientsAndALPN(t *testing.T) {
	t.Parallel()
	ca, other := tlstest.New(t, "authority"), tlstest.New(t, "other")
	server, dev, stranger, old := ca.Issue("server"), ca.Issue("device"), other.Issue("device"), ca.Issue("old", tlstest.Expired)
	for _, c := range []struct {
		name    string
		auth    string
		min     string
		version uint16
		alpn    []string
		show    *tlstest.Leaf
		ok      bool
	}{
		{name: "1.2", version: tls.VersionTLS12, ok: true},
		{name: "1.3", version: tls.VersionTLS13, ok: true},
		{name: "1.1", version: tls.VersionTLS11},
		{name: "1.2 where 1.3 is the least", min: "1.3", version: tls.VersionTLS12},
		{name: "ALPN", alpn: []string{"x", "mqtt"}, ok: true},
		{name: "another ALPN", alpn: []string{"h2"}},
		{name: "none shown where none is needed", auth: "optional", ok: true},
		{name: "shown where optional", auth: "optional", show: &dev, ok: true},
		{name: "unknown authority where optional", auth: "optional", show: &stranger},
		{name: "expired where optional", auth: "optional", show: &old},
		{name: "required", auth: "require", show: &dev, ok: true},
		{name: "by default", show: &dev, auth: "default", ok: true},
		{name: "required and none shown", auth: "require"},
		{name: "by default and none shown", auth: "default"},
		{name: "unknown authority", auth: "require", show: &stranger},
		{name: "expired", auth: "require", show: &old},
		{name: "not asked for", auth: "none", show: &stranger, ok: true},
	} {
		for _, v := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			if c.version != 0 && v != c.version && c.version != tls.VersionTLS11 {
				continue
			}
			s := Server{Cert: server.Cert, Key: server.Key, MinVersion: c.min, ClientAuth: c.auth, ClientCA: ca.File}
			switch c.auth {
			case "":
				s.ClientAuth = "none"
			case "default":
				s.ClientAuth = ""
			}
			l, err := Open(s, []string{"mqtt"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.version == tls.VersionTLS11 {
				v = tls.VersionTLS11
			}
			client := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MinVersion: v, MaxVersion: v, NextProtos: c.alpn}
			if c.show != nil { // whatever authorities the server names
				pair := c.show.Pair(t)
				client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
			}
			state, serverErr, err := shake(t, l.Config(), client)
			if (err == nil && serverErr == nil) != c.ok {
				t.Errorf("%s, %x: %v, %v", c.name, v, serverErr, err)
			}
			if c.ok && c.alpn != nil && state.NegotiatedProtocol != "mqtt" {
				t.Errorf("%s: ALPN %q", c.name, state.NegotiatedProtocol)
			}
		}
	}
}
