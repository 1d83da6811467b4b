package listen_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// updater sends KeyUpdate messages, which crypto/tls does not do of itself, by
// the secret that it logs. RFC 8446, sections 5.2, 7.2 and 7.3
type updater struct{ secret []byte }

func expand(secret []byte, label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len("tls13 "+label)))
	info = append(info, "tls13 "+label...)
	out, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
	if err != nil {
		panic(err)
	}
	return out
}

// next is the record of a KeyUpdate, update_not_requested, the first under its key.
func (u *updater) next(t *testing.T) []byte {
	t.Helper()
	block, err := aes.NewCipher(expand(u.secret, "key", 16))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plain := []byte{24, 0, 0, 1, 0, 22} // key_update of length 1: not requested; content type handshake
	head := []byte{23, 3, 3, 0, byte(len(plain) + aead.Overhead())}
	record := aead.Seal(bytes.Clone(head), expand(u.secret, "iv", 12), plain, head)
	u.secret = expand(u.secret, "traffic upd", 32)
	return record
}

func TestAttack_A5a_KeyUpdateFlood(t *testing.T) {
	t.Parallel()
	r := serve(t, rigOptions{urls: []string{"lines://127.0.0.1:0"}})
	nc, err := net.Dial("tcp", r.addr(0))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	var log bytes.Buffer
	tc := tls.Client(nc, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, KeyLogWriter: &log})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	if s := tc.ConnectionState().CipherSuite; s != tls.TLS_AES_128_GCM_SHA256 {
		t.Fatalf("this machine prefers %s, and the test knows AES-128-GCM", tls.CipherSuiteName(s))
	}
	_, line, _ := strings.Cut(log.String(), "CLIENT_TRAFFIC_SECRET_0 ")
	secret, err := hex.DecodeString(strings.Fields(line)[1])
	if err != nil {
		t.Fatal(err)
	}
	u := &updater{secret}
	for range 10 {
		nc.Write(u.next(t)) // allowed
	}
	if n := r.count("preauth_closed_total", "line", "tls"); n != 0 {
		t.Errorf("closed after 10: %d", n)
	}
	for range 10 {
		nc.Write(u.next(t))
	}
	io.Copy(io.Discard, nc)
	until(t, "counted", func() bool { return r.count("preauth_closed_total", "line", "tls") == 1 })
	if !strings.Contains(r.log.String(), "too many") {
		t.Errorf("log:\n%s", r.log)
	}
}
