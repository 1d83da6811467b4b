package listen_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/dtls/v3"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/internal/tlsconf"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// keys are the identities of the tests.
var keys = map[string]string{"dev1": "secret one", "dev2": "secret two"}

// secureRig serves the line protocol over DTLS, with keys and certificates.
func secureRig(t testing.TB, l adapters.Limits, auth string) (*rig, *tlstest.Authority) {
	t.Helper()
	return secureRigAt(t, "127.0.0.1:0", l, auth)
}

func secureRigAt(t testing.TB, at string, l adapters.Limits, auth string) (*rig, *tlstest.Authority) {
	t.Helper()
	ca := tlstest.New(t, "authority")
	server := ca.Issue("localhost")
	live, err := tlsconf.Open(tlsconf.Server{Cert: server.Cert, Key: server.Key, ClientCA: ca.File, ClientAuth: auth}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, rigOptions{limits: l, urls: []string{"udp://127.0.0.1:0"}, change: func(o *listen.Options) {
		o.Rooms["udps"] = o.Rooms["udp"]
		o.Listeners[0] = listen.Listener{URL: "udps://" + at, TLS: live.Config(), PSK: func(id string) ([]byte, bool) {
			key, ok := keys[id]
			return []byte(key), ok
		}}
	}}), ca
}

func withKey(id, key string) []dtls.ClientOption {
	return []dtls.ClientOption{
		dtls.WithPSK(func([]byte) ([]byte, error) { return []byte(key), nil }), dtls.WithPSKIdentityHint([]byte(id)),
		dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_CCM_8, dtls.TLS_PSK_WITH_AES_128_GCM_SHA256),
	}
}

func withCertificate(ca *tlstest.Authority, c *tls.Certificate) []dtls.ClientOption {
	o := []dtls.ClientOption{dtls.WithRootCAs(ca.Pool()), dtls.WithServerName("localhost")}
	if c != nil {
		o = append(o, dtls.WithCertificates(*c))
	}
	return o
}

// device is a DTLS client whose socket can be changed.
type device struct {
	t    testing.TB
	sock *moving
	*dtls.Conn
}

// shake connects; a nil device and the error if the handshake fails.
func shake(t testing.TB, addr, from string, wait time.Duration, o ...dtls.ClientOption) (*device, error) {
	t.Helper()
	to, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	d := &device{t: t, sock: newMoving(t, from)}
	t.Cleanup(func() { d.sock.Close() })
	if d.Conn, err = dtls.ClientWithOptions(d.sock, to, o...); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err = d.HandshakeContext(ctx); err != nil {
		d.Close()
		return nil, err
	}
	t.Cleanup(func() { d.Close() })
	d.SetDeadline(time.Now().Add(patience))
	return d, nil
}

// join is shake that must succeed.
func join(t testing.TB, addr string, o ...dtls.ClientOption) *device {
	t.Helper()
	d, err := shake(t, addr, "127.0.0.1:0", patience, o...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *device) send(line string) {
	d.t.Helper()
	if _, err := d.Write([]byte(line)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *device) expect(want ...string) {
	d.t.Helper()
	buf := make([]byte, 8192)
	for _, w := range want {
		n, err := d.Read(buf)
		if err != nil {
			d.t.Fatalf("%v, want %q", err, w)
		}
		if got := string(buf[:n]); got != w+"\n" {
			d.t.Fatalf("got %q, want %q", got, w)
		}
	}
}

func (d *device) ask(line, want string) {
	d.t.Helper()
	d.send(line)
	d.expect(want)
}

// moving is a socket that can be replaced by another one.
type moving struct {
	received atomic.Int64 // datagrams
	sender   atomic.Value // of the last one: a string
	sent     atomic.Value // the last datagram: a []byte

	mu     sync.Mutex
	conn   *net.UDPConn
	closed bool
}

func newMoving(t testing.TB, from string) *moving {
	t.Helper()
	return &moving{conn: socketAt(t, from)}
}

func socketAt(t testing.TB, from string) *net.UDPConn {
	t.Helper()
	a, err := net.ResolveUDPAddr("udp", from)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenUDP("udp", a)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (m *moving) now() *net.UDPConn {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.conn
}

// move goes on with another socket.
func (m *moving) move(t testing.TB) {
	c := socketAt(t, "127.0.0.1:0")
	m.mu.Lock()
	old := m.conn
	m.conn = c
	m.mu.Unlock()
	old.Close()
}

func (m *moving) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		c := m.now()
		n, from, err := c.ReadFrom(b)
		if err == nil || c == m.now() {
			if err == nil {
				m.received.Add(1)
				m.sender.Store(from.String())
			}
			return n, from, err
		}
	}
}

func (m *moving) WriteTo(b []byte, to net.Addr) (int, error) {
	m.sent.Store(append([]byte(nil), b...))
	return m.now().WriteTo(b, to)
}

func (m *moving) Close() error                       { return m.now().Close() }
func (m *moving) LocalAddr() net.Addr                { return m.now().LocalAddr() }
func (m *moving) SetDeadline(t time.Time) error      { return m.now().SetDeadline(t) }
func (m *moving) SetReadDeadline(t time.Time) error  { return m.now().SetReadDeadline(t) }
func (m *moving) SetWriteDeadline(t time.Time) error { return m.now().SetWriteDeadline(t) }

// record is one plain record.
func record(typ byte, epoch uint16, seq uint64, body []byte) []byte {
	b := []byte{typ, 254, 253}
	b = binary.BigEndian.AppendUint16(b, epoch)
	b = append(b, binary.BigEndian.AppendUint64(nil, seq)[2:]...)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...)
}

// fragment is a piece of a handshake message of the given length.
func fragment(typ byte, seq uint16, length, offset int, body []byte) []byte {
	three := func(n int) []byte { return []byte{byte(n >> 16), byte(n >> 8), byte(n)} }
	b := append([]byte{typ}, three(length)...)
	b = binary.BigEndian.AppendUint16(b, seq)
	b = append(append(b, three(offset)...), three(len(body))...)
	return append(b, body...)
}

// clientHello is a ClientHello as a client with keys sends it.
func clientHello(seq uint16, random byte, cookie []byte) []byte {
	b := append([]byte{254, 253}, make([]byte, 32)...)
	b[2] = random
	b = append(append(b, 0, byte(len(cookie))), cookie...)
	b = append(b, 0, 2, 0xc0, 0xa8, 1, 0) // TLS_PSK_WITH_AES_128_CCM_8, no compression
	b = append(b, 0, 4, 0, 23, 0, 0)      // extended_master_secret
	return record(22, 0, uint64(seq), fragment(1, seq, len(b), 0, b))
}
