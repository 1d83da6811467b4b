package listen

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"reflect"
	"testing"

	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// capacity is what the buffers of a connection take.
func capacity(tc *tls.Conn) (n int64) {
	for _, name := range []string{"rawInput", "hand"} {
		n += int64(reflect.ValueOf(tc).Elem().FieldByName(name).FieldByName("buf").Cap())
	}
	return n
}

// joining holds back what comes behind the first write until the last.
type joining struct {
	net.Conn
	holds, last bool
	held        []byte
	writes      int
}

func (j *joining) Write(b []byte) (int, error) {
	j.writes++
	if j.held = append(j.held, b...); j.holds && j.writes > 1 && !j.last {
		return len(b), nil
	}
	_, err := j.Conn.Write(j.held)
	j.held = nil
	return len(b), err
}

// TestTLSIsIdleWithoutTheBuffersOfItsHandshake also sends in the same segment as
// the end of the handshake: nothing of it may be lost.
func TestTLSIsIdleWithoutTheBuffersOfItsHandshake(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		theirs, ours := net.Pipe()
		joined := &joining{Conn: theirs, holds: version == tls.VersionTLS13} // where the client has the last word
		said := bytes.Repeat([]byte("said at once "), 1000)
		failed := make(chan error, 1)
		go func() {
			c := tls.Client(joined, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
			err := c.Handshake()
			if err == nil {
				joined.last = true
				_, err = c.Write(said)
			}
			failed <- err
		}()
		tc := tls.Server(ours, &tls.Config{Certificates: []tls.Certificate{tlstest.New(t, "server").Issue("server").Pair(t)}})
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		before := capacity(tc)
		if !shed(tc) {
			t.Fatal("this version of crypto/tls has other buffers")
		}
		if after := capacity(tc); before < 512 || joined.holds != (after > 0) || after > before/2 {
			t.Errorf("%s: %d bytes before, %d after", tls.VersionName(version), before, after)
		}
		got := make([]byte, len(said))
		if _, err := io.ReadFull(tc, got); err != nil || !bytes.Equal(got, said) {
			t.Errorf("%s: %d bytes, %v", tls.VersionName(version), len(got), err)
		}
		if err := <-failed; err != nil {
			t.Error(err)
		}
		theirs.Close()
		ours.Close()
	}
}
