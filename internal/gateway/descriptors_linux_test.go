package gateway

import (
	"crypto/tls"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// Without descriptors, accepting pauses, connections that are there go on, a reload is refused whole; with few, they are left
// to the store, the admin listener and a reload.
func TestSecurity_R3_WithoutDescriptors(t *testing.T) {
	t.Parallel()
	c := startChild(t, "overload: {cpu: false}", mostOf+"=700")
	old := c.dial(0)
	old.send(connect5 + "c5")
	old.want("CONNACK", "\x00\x00")
	old.send(subscribe5)
	old.want("SUBACK", "\x90\x04\x00\x01\x00\x01")
	old.send(publish5)
	old.want("PUBACK", "\x40\x02\x00\x07")

	c.tell("none")
	waiting, secure := c.dial(0), c.dial(1)
	waiting.send(connect5 + "w5")
	eventually(t, func() bool { return !strings.HasPrefix(c.tell("refused"), "refused 0 ") })
	old.send(publish0)
	old.want("QoS 0 goes on", "\x30\x05\x00\x01a\x00y")
	old.send("\x32\x07\x00\x01a\x00\x09\x00z")
	old.want("an answer", "\x00\x09")
	if got := c.tell("reload"); got != "reload false 3" {
		t.Errorf("without descriptors: %s", got)
	}
	eventually(t, func() bool { return c.log.count("level=refuse") > 0 })

	c.tell("release")
	c.tell("few")
	for i := range 2 { // by either way of accepting
		if _, err := io.ReadAll(c.dial(i)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("listener %d: a connection got one of the last descriptors", i)
		}
	}
	if code, _ := get(t, "http://"+c.addrs[2]+"/healthz"); code != 200 {
		t.Errorf("healthz with few descriptors: %d", code)
	}
	if got := c.tell("reload"); got != "reload true 3" {
		t.Errorf("with few descriptors: %s", got)
	}

	c.tell("release")
	again := c.dial(0)
	tc := tls.Client(secure, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		again = c.dial(1)
		if err := tls.Client(again, &tls.Config{InsecureSkipVerify: true}).Handshake(); err != nil {
			t.Errorf("TLS afterwards: %v", err)
		}
	}
	eventually(t, func() bool { return c.log.count("level=normal was=refuse") > 0 })
	last := c.dial(0)
	last.send(connect5 + "z5")
	last.want("CONNACK", "\x00\x00")
	last.send("\x32\x07\x00\x01a\x00\x0a\x00q")
	last.want("PUBACK", "\x40\x02\x00\x0a")
	if n := c.log.count("level=refuse"); n != 1 {
		t.Errorf("%d lines:\n%s", n, c.log.b.String())
	}
	if n := c.log.count("reason=descriptors"); n > 6 {
		t.Errorf("%d lines of refusals", n)
	}
}
