package listen_test

import (
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pion/dtls/v3"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

func TestDTLS_U16_KeysAndCertificatesOnOneListener(t *testing.T) {
	t.Parallel()
	r, ca := secureRig(t, adapters.Limits{}, "optional")
	pair := ca.Issue("sensor").Pair(t)
	for want, o := range map[string][]dtls.ClientOption{
		"psk=dev1":           withKey("dev1", keys["dev1"]),
		"psk=dev2":           withKey("dev2", keys["dev2"]),
		"psk= cn=sensor":     withCertificate(ca, &pair),
		"psk=":               withCertificate(ca, nil),
		"psk=dev1 with CIDs": append(withKey("dev1", keys["dev1"]), dtls.WithConnectionIDGenerator(dtls.RandomCIDGenerator(4))),
	} {
		d := join(t, r.addr(0), o...)
		d.ask("WHO", strings.TrimSuffix(want, " with CIDs"))
		d.ask("LOGIN "+want, "OK")
		d.ask("SUB a/#", "OK")
		d.ask("QUIT", "BYE")
	}
}

func TestDTLS_U15_ACertificateIsRequiredOfWhoHasNoKey(t *testing.T) {
	t.Parallel()
	r, ca := secureRig(t, adapters.Limits{}, "require")
	stranger := ca.Issue("old", tlstest.Expired).Pair(t)
	if _, err := shake(t, r.addr(0), "127.0.0.1:0", patience, withCertificate(ca, nil)...); err == nil {
		t.Error("no certificate, and no error")
	}
	if _, err := shake(t, r.addr(0), "127.0.0.1:0", patience, withCertificate(ca, &stranger)...); err == nil {
		t.Error("an expired certificate, and no error")
	}
	join(t, r.addr(0), withKey("dev1", keys["dev1"])...).ask("WHO", "psk=dev1")
	until(t, "counted", func() bool { return r.count("preauth_closed_total", "line", "tls") == 2 })
}

// An unknown identity and a wrong key look alike: nothing that the client
// sends can be read, and the handshake ends at its deadline.
func TestDTLS_U16_AnUnknownIdentityLooksLikeAWrongKey(t *testing.T) {
	t.Parallel()
	r, _ := secureRig(t, adapters.Limits{PreauthDeadline: 200 * time.Millisecond}, "none")
	for _, id := range []string{"dev1", "nobody"} {
		_, err := shake(t, r.addr(0), "127.0.0.1:0", time.Second, withKey(id, "a guess")...)
		var alert *dtls.HandshakeError
		if err == nil || !errors.As(err, &alert) {
			t.Errorf("%s: %v", id, err)
		}
	}
	until(t, "both ended", func() bool { return r.count("preauth_closed_total", "line", "deadline") == 2 })
	if n := r.count("preauth_closed_total", "line", "tls"); n != 0 {
		t.Errorf("%d ended otherwise", n)
	}
	if all, waiting := r.Connections(); all != 0 || waiting != 0 {
		t.Errorf("%d, %d", all, waiting)
	}
}

// Not parallel: it counts goroutines.
func TestDTLS_K2a_AFloodWithoutCookieLeavesNothing(t *testing.T) {
	r, _ := secureRig(t, adapters.Limits{}, "none")
	c := udp(t, r.addr(0))
	c.SetDeadline(time.Now().Add(3 * patience))
	buf := make([]byte, 2048)
	flood := func(n int) {
		for i := range n {
			b := clientHello(0, byte(i), nil)
			if i%2 == 1 {
				b = clientHello(1, byte(i), make([]byte, 20)) // a cookie that is not ours
			}
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
			got, err := c.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			if got > len(b) || buf[0] != 22 || buf[13] != 3 {
				t.Fatalf("%d bytes of type %d, handshake %d", got, buf[0], buf[13])
			}
		}
	}
	flood(100)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	running := runtime.NumGoroutine()
	flood(100_000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("%d bytes more", grown)
	}
	if now := runtime.NumGoroutine(); now > running {
		t.Errorf("%d goroutines, %d before", now, running)
	}
	if all, waiting := r.Connections(); all != 0 || waiting != 0 {
		t.Errorf("%d, %d", all, waiting)
	}
	join(t, r.addr(0), withKey("dev1", keys["dev1"])...).ask("WHO", "psk=dev1")
}

// challenge takes the cookie exchange and leaves the server waiting for a key.
func challenge(t *testing.T, c *socket) {
	t.Helper()
	buf := make([]byte, 2048)
	c.send(string(clientHello(0, 1, nil)))
	n, err := c.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	c.send(string(clientHello(1, 1, buf[28:n])))
	if _, err = c.Read(buf); err != nil || buf[13] != 2 {
		t.Fatalf("no ServerHello: %v, %x", err, buf[:14])
	}
}

func TestDTLS_K2a_FragmentsThatAreNeverCompleted(t *testing.T) {
	t.Parallel()
	r, _ := secureRig(t, adapters.Limits{}, "none")
	c := udp(t, r.addr(0))
	challenge(t, c)
	for seq := range uint64(200) { // bytes 100 to 1100 of a message, again and again
		c.send(string(record(22, 0, 2+seq, fragment(11, uint16(3+seq), 16<<10, 100, make([]byte, 1000)))))
	}
	until(t, "closed", func() bool { return r.count("preauth_closed_total", "line", "bytes") == 1 })
	if all, waiting := r.Connections(); all != 0 || waiting != 0 {
		t.Errorf("%d, %d", all, waiting)
	}
	c = udp(t, r.addr(0))
	challenge(t, c)
	before := r.count("udp_dropped_total", "line", "malformed")
	c.send(string(record(22, 0, 2, fragment(11, 3, 1<<24-1, 0, make([]byte, 1000)))))
	until(t, "dropped", func() bool { return r.count("udp_dropped_total", "line", "malformed") == before+1 })
}

func TestDTLS_A3_RecordsThatAnnounceMoreThanTheyHold(t *testing.T) {
	t.Parallel()
	r, _ := secureRig(t, adapters.Limits{}, "none")
	c := udp(t, r.addr(0))
	hello := clientHello(0, 1, nil)
	bad := [][]byte{{}, {22}, hello[:12], hello[:len(hello)-1], record(22, 0, 0, nil), record(24, 0, 0, []byte("x")), record(25, 0, 0, make([]byte, 40))}
	bad[0] = []byte("no DTLS at all, but long enough to be")
	long := record(22, 0, 0, []byte("x"))
	long[11], long[12] = 255, 255
	bad = append(bad, long, record(22, 0, 0, fragment(1, 0, 40, 1, make([]byte, 39))), record(22, 0, 0, fragment(1, 0, 36, 0, make([]byte, 36))))
	for _, b := range bad {
		c.send(string(b))
	}
	until(t, "dropped", func() bool { return r.count("udp_dropped_total", "line", "malformed") == uint64(len(bad)) })
	join(t, r.addr(0), withKey("dev1", keys["dev1"])...).ask("WHO", "psk=dev1")
}

func TestDTLS_K2b_PlainRecordsDoNotReachAnAssociation(t *testing.T) {
	t.Parallel()
	r, _ := secureRig(t, adapters.Limits{}, "none")
	d := join(t, r.addr(0), withKey("dev1", keys["dev1"])...)
	d.ask("LOGIN a", "OK")
	to, _ := net.ResolveUDPAddr("udp", r.addr(0))
	for seq, b := range [][]byte{
		record(23, 0, 90, []byte("ECHO forged")), record(21, 0, 91, []byte{2, 40}), record(21, 0, 92, []byte{1, 0}),
		record(22, 0, 93, fragment(1, 9, 4, 0, []byte("null"))), record(20, 0, 94, []byte{2}), record(23, 1, 95, []byte("not encrypted at all")),
	} {
		if _, err := d.sock.WriteTo(b, to); err != nil {
			t.Fatal(seq, err)
		}
	}
	d.ask("ECHO still", "still")
	if n := r.count("udp_dropped_total", "line", "malformed"); n < 3 {
		t.Errorf("%d dropped", n)
	}
}

func TestDTLS_ConnectionIDFollowsAClientThatMoves(t *testing.T) {
	t.Parallel()
	r, _ := secureRig(t, adapters.Limits{}, "none")
	cid := dtls.WithConnectionIDGenerator(dtls.OnlySendCIDGenerator())
	d := join(t, r.addr(0), append(withKey("dev1", keys["dev1"]), cid)...)
	d.ask("LOGIN a", "OK")
	d.ask("SUB a", "OK")
	for range 3 {
		old := d.sock.LocalAddr().String()
		d.sock.move(t)
		d.ask("PUB a moved", "OK")
		d.expect("MSG a moved")
		// Who has the old address now is somebody else.
		other, err := shake(t, r.addr(0), old, patience, append(withKey("dev2", keys["dev2"]), cid)...)
		if err != nil {
			t.Fatal(err)
		}
		other.ask("WHO", "psk=dev2")
		d.ask("WHO", "psk=dev1")
	}
	still := join(t, r.addr(0), withKey("dev1", keys["dev1"])...) // without an identifier it cannot
	still.ask("WHO", "psk=dev1")
	still.sock.move(t)
	still.send("ECHO lost")
	until(t, "unknown", func() bool { return r.count("udp_dropped_total", "line", "unknown") > 0 })
}

func TestDTLS_AClientThatRestartsShakesHandsAtItsOldAddress(t *testing.T) {
	t.Parallel()
	r, _ := secureRig(t, adapters.Limits{}, "none")
	first := join(t, r.addr(0), withKey("dev1", keys["dev1"])...)
	first.ask("LOGIN a", "OK")
	at := first.sock.LocalAddr().String()
	first.sock.Close() // without goodbye
	// A handshake that comes to nothing does not end the association.
	c := &socket{t, socketAt(t, at)}
	to, _ := net.ResolveUDPAddr("udp", r.addr(0))
	if _, err := c.WriteTo(clientHello(0, 1, nil), to); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UDPConn.Read(make([]byte, 2048)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	second, err := shake(t, r.addr(0), at, patience, withKey("dev2", keys["dev2"])...)
	if err != nil {
		t.Fatal(err)
	}
	second.ask("WHO", "psk=dev2")
	second.ask("LOGIN b", "OK")
	second.ask("SUB b", "OK")
	second.ask("PUB b x", "OK")
	second.expect("MSG b x")
	if n := r.count("disconnects_total", "line", "connection lost"); n != 0 {
		t.Error("the first one ended at once")
	}
	until(t, "the first one goes", func() bool { return r.count("disconnects_total", "line", "connection lost") == 1 })
	second.ask("ECHO still", "still")
}

func TestDTLS_AGoodbyeEndsTheSession(t *testing.T) {
	t.Parallel()
	r, _ := secureRig(t, adapters.Limits{}, "none")
	d := join(t, r.addr(0), withKey("dev1", keys["dev1"])...)
	d.ask("LOGIN a", "OK")
	if n := r.count("udp_challenges_total", "line"); n < 1 {
		t.Errorf("%d challenges", n)
	}
	if n := r.count("dtls_associations", "line"); n != 1 || r.count("dtls_handshakes_total", "line", "ok") != 1 {
		t.Errorf("%d associations", n)
	}
	d.Close()
	until(t, "ended", func() bool { return r.count("disconnects_total", "line", "connection lost") == 1 })
	if n := r.count("dtls_associations", "line"); n != 0 {
		t.Errorf("%d associations", n)
	}
}

func TestDTLS_ShutdownSaysGoodbye(t *testing.T) {
	t.Parallel()
	r, _ := secureRig(t, adapters.Limits{}, "none")
	d := join(t, r.addr(0), withKey("dev1", keys["dev1"])...)
	quiet := join(t, r.addr(0), withKey("dev2", keys["dev2"])...)
	d.ask("LOGIN a", "OK")
	before := d.sock.received.Load()
	r.stop()
	until(t, "the room's word and close_notify", func() bool { return d.sock.received.Load() == before+2 })
	for _, c := range []*device{d, quiet} { // close_notify, before or after what was received
		_, err := c.Read(make([]byte, 100))
		if err == nil {
			_, err = c.Read(make([]byte, 100))
		}
		if !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	}
}

func TestDTLS_L24_PeersAndL4_Places(t *testing.T) {
	t.Parallel()
	r, _ := secureRig(t, adapters.Limits{UDPPeers: 2, PreauthDeadline: 200 * time.Millisecond}, "none")
	for range 2 {
		join(t, r.addr(0), withKey("dev1", keys["dev1"])...).ask("WHO", "psk=dev1")
	}
	if _, err := shake(t, r.addr(0), "127.0.0.1:0", 300*time.Millisecond, withKey("dev1", keys["dev1"])...); err == nil {
		t.Error("a third peer")
	}
	if n := r.count("limit_refused_total", "line", "udp_peers"); n == 0 {
		t.Error("not counted")
	}
	r, _ = secureRig(t, adapters.Limits{PreauthConnections: 1}, "none")
	challenge(t, udp(t, r.addr(0)))
	if _, err := shake(t, r.addr(0), "127.0.0.1:0", 300*time.Millisecond, withKey("dev1", keys["dev1"])...); err == nil {
		t.Error("a second handshake")
	}
	if n := r.count("preauth_closed_total", "line", "places"); n == 0 {
		t.Error("not counted")
	}
}

func TestDTLS_LargeDatagramsAndBursts(t *testing.T) {
	t.Parallel()
	r, _ := secureRig(t, adapters.Limits{}, "none")
	d := join(t, r.addr(0), withKey("dev1", keys["dev1"])...)
	long := strings.Repeat("x", 4000)
	for range 20 {
		d.ask("ECHO "+long, long)
	}
	for n := range 10 {
		d.send("ECHO " + string(rune('a'+n)))
	}
	for n := range 10 {
		d.expect(string(rune('a' + n)))
	}
}

func TestDTLS_AnswersComeFromTheAddressAsked(t *testing.T) {
	t.Parallel()
	for _, any := range []string{"0.0.0.0:0", "[::]:0"} {
		r, _ := secureRigAt(t, any, adapters.Limits{}, "none")
		_, port, _ := net.SplitHostPort(r.addr(0))
		for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
			to := net.JoinHostPort(host, port)
			d := join(t, to, withKey("dev1", keys["dev1"])...)
			d.ask("WHO", "psk=dev1")
			if from := d.sock.sender.Load(); from != to {
				t.Errorf("%s at %s: answered from %s", any, to, from)
			}
		}
	}
}

func TestDTLS_APanicCostsOneDatagram(t *testing.T) {
	t.Parallel()
	r, _ := secureRig(t, adapters.Limits{}, "none")
	d := join(t, r.addr(0), withKey("dev1", keys["dev1"])...)
	d.send("PANIC")
	d.ask("ECHO still", "still")
	if n := r.count("panics_recovered_total", "line"); n != 1 {
		t.Errorf("panics_recovered_total %d", n)
	}
}

// Whoever knows a connection identifier, or repeats what was sent with it,
// neither moves the association nor reads its answers.
func TestDTLS_F6_AConnectionIDOfAnotherMovesNothing(t *testing.T) {
	t.Parallel()
	r, _ := secureRig(t, adapters.Limits{}, "none")
	d := join(t, r.addr(0), append(withKey("dev1", keys["dev1"]), dtls.WithConnectionIDGenerator(dtls.OnlySendCIDGenerator()))...)
	d.ask("LOGIN a", "OK")
	genuine := d.sock.sent.Load().([]byte)
	if genuine[0] != 25 {
		t.Fatalf("no identifier: %x", genuine)
	}
	forged := append([]byte(nil), genuine...)
	forged[len(forged)-1] ^= 1
	forged[10]++ // of the sequence number
	thief := udp(t, r.addr(0))
	for range 20 {
		thief.send(string(forged))
		thief.send(string(genuine))
	}
	d.ask("ECHO mine", "mine")
	thief.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := thief.Read(make([]byte, 100)); err == nil {
		t.Errorf("%d bytes for the thief", n)
	}
	if n := r.count("disconnects_total", "line", "taken over"); n != 0 {
		t.Error("the session moved")
	}
}
