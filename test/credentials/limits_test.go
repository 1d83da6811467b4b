package credentials

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/test/rig"
	"github.com/pion/dtls/v3"
)

// TestSECURITY_L23_U13_WhoFailsTooOftenWaitsAndIsNotAskedAbout: with the defaults, ten wrong passwords a minute from an address
// are answered at once. The next login from there, right or wrong and of whatever user, is refused when its time is over, and no
// backend is asked; from elsewhere the same user comes in.
func TestSECURITY_L23_U13_WhoFailsTooOftenWaitsAndIsNotAskedAbout(t *testing.T) {
	t.Parallel()
	h := start(t, "limits: {trusted: []}\n")
	const patience = 5 * time.Second // limits.preauth
	asked := func() (n float64) {
		for name, v := range h.Metrics() {
			if strings.HasPrefix(name, "entrepot_auth_seconds_count{") {
				n += v
			}
		}
		return n
	}
	minute := func() int64 { return time.Now().Unix() / 60 }
	for try := range 5 { // one during which the minute turns shows nothing: of the one before it only a part counts
		from, began := fmt.Sprint("127.0.0.", 10+try), minute()
		for i := range 10 {
			sent := time.Now()
			if code := login(t.Context(), from, h.At["mqtt"], "gw1", fmt.Sprint("wrong", i)); code != 0x86 {
				t.Fatalf("a wrong password is answered by %#x", code)
			}
			if took := time.Since(sent); took > patience/2 {
				t.Fatalf("failure %d is answered after %v", i+1, took)
			}
		}
		before := asked()
		var wrong []string
		var mu sync.Mutex
		var wg sync.WaitGroup
		for _, x := range []struct{ user, pass string }{{"gw1", "secret"}, {"gw1", "wrong"}, {"eve", "secret"}} {
			wg.Go(func() {
				sent := time.Now()
				code := login(t.Context(), from, h.At["mqtt"], x.user, x.pass)
				if took := time.Since(sent); code == 0 || took < patience-100*time.Millisecond {
					mu.Lock()
					defer mu.Unlock()
					wrong = append(wrong, fmt.Sprintf("%s with %s is told %#x after %v", x.user, x.pass, code, took))
				}
			})
		}
		if code := login(t.Context(), "127.0.0.9", h.At["mqtt"], "gw1", "secret"); code != 0 {
			t.Errorf("from elsewhere the user is told %#x", code)
		}
		turned := minute() != began
		wg.Wait()
		if n := asked() - before; n != 1 {
			wrong = append(wrong, fmt.Sprintf("the backend was asked %v times, not for the one from elsewhere alone", n))
		}
		if turned {
			continue
		}
		if len(wrong) > 0 {
			t.Error(strings.Join(wrong, "\n"))
		}
		break
	}
	if err := rig.Until("a line of the log", func() bool { return h.Log.Has("auth.denied", "too many failed logins", "127.0.0.1") }); err != nil {
		t.Error(err)
	}
}

// mute lets the first datagrams of a client out, and no more.
type mute struct {
	net.PacketConn
	left atomic.Int64
	last chan time.Time // when the last one left
}

func (m *mute) WriteTo(b []byte, to net.Addr) (int, error) {
	switch left := m.left.Add(-1); {
	case left < 0:
		return len(b), nil
	case left == 0:
		m.last <- time.Now()
	}
	return m.PacketConn.WriteTo(b, to)
}

// TestSECURITY_L1_ADTLSHandshakeHasTenSeconds: with the defaults, a client that has proved its address and then falls silent is
// given up after twice the deadline of the others, since its flights are repeated from one second on.
func TestSECURITY_L1_ADTLSHandshakeHasTenSeconds(t *testing.T) {
	t.Parallel()
	const key = "00112233445566778899aabbccddeeff"
	file := "listeners:\n  - {url: \"http://127.0.0.1:0\"}\n  - {url: \"coaps://127.0.0.1:0\", psk: " + rig.File(t, "devices.psk", "boss:"+key+"\n") + "}\n" +
		strings.ReplaceAll(users, "HASH", secret) + "limits: {trusted: []}\n"
	g := rig.Start(t, rig.Options{File: file, Names: []string{"http", "coaps"}, Memory: true, User: "boss", Pass: "secret"})
	to, err := net.ResolveUDPAddr("udp", g.At["coaps"])
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mute{PacketConn: socket, last: make(chan time.Time, 1)}
	m.left.Store(2) // ClientHello, and ClientHello with the cookie
	c, err := dtls.Client(m, to, &dtls.Config{
		PSK:             func([]byte) ([]byte, error) { return []byte(key), nil },
		PSKIdentityHint: []byte("boss"),
		CipherSuites:    []dtls.CipherSuiteID{dtls.TLS_PSK_WITH_AES_128_GCM_SHA256},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var shaking sync.WaitGroup
	shaking.Go(func() { c.HandshakeContext(ctx) }) //nolint:errcheck // it never ends well
	defer shaking.Wait()
	defer c.Close() //nolint:errcheck // nobody listens
	defer cancel()
	began := <-m.last
	const gone = `entrepot_dtls_handshakes_total{protocol="coap",result="deadline"}`
	if err := rig.Until("the end of the handshake", func() bool { return g.Metrics()[gone] == 1 }); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 9900*time.Millisecond || took > 14*time.Second {
		t.Errorf("it is given up after %v", took)
	}
	for _, name := range []string{`entrepot_preauth_closed_total{protocol="coap",reason="deadline"}`, gone} {
		if n := g.Metrics()[name]; n != 1 {
			t.Errorf("%s is %v", name, n)
		}
	}
	if !g.Log.Has("preauth.closed", "deadline") {
		t.Error("no line of the log")
	}
}
