package coap

import (
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
)

func TestCoAP_M1_ResponseIsPiggyBacked(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		q := c.build(message.GET, "echo/a?b", token("12345678"))
		c.send(q)
		m := c.must()
		if m.Type != message.ACK || m.ID != q.ID || m.Token != q.Token || string(m.Payload) != "echo a b " {
			t.Fatal(m)
		}
		c.silent()
	})
}

func TestCoAP_M2_SlowResponseIsSeparate(t *testing.T) {
	t.Parallel()
	for _, tok := range []string{"t", ""} {
		bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
			q := c.build(message.GET, "slow", token(tok))
			c.send(q)
			c.d.Advance(999 * time.Millisecond)
			c.silent()
			m, _ := c.until(50*time.Millisecond, 200*time.Millisecond)
			if m == nil || m.Type != message.ACK || m.Code != message.Empty || m.ID != q.ID {
				t.Fatalf("empty ACK: %v", m)
			}
			x.release(c)
			m = c.must()
			if m.Type != message.CON || m.Code != message.Content || m.Token != q.Token || m.ID == q.ID {
				t.Fatalf("separate response: %v", m)
			}
			again, after := c.until(100*time.Millisecond, 4*time.Second)
			if again == nil || again.ID != m.ID || after < 2*time.Second {
				t.Fatalf("retransmission after %v: %v", after, again)
			}
			c.ack(m)
			if m, _ = c.until(time.Second, 2*time.Minute); m != nil {
				t.Fatalf("after the ACK: %v", m)
			}
			if n := counter(d, "coap_separate_responses_total"); n != 1 {
				t.Errorf("%d counted", n)
			}
		})
	}
}

func TestCoAP_M2_FastEnoughIsPiggyBackedAfterAll(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		c.send(c.build(message.GET, "slow"))
		c.d.Advance(500 * time.Millisecond)
		x.release(c)
		if m := c.must(); m.Type != message.ACK || m.Code != message.Content {
			t.Fatal(m)
		}
	})
}

func TestCoAP_M3_NONIsAnsweredByNONWithAFreshID(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		ids := map[uint16]bool{}
		for range 5 {
			m := c.ask(message.GET, "echo", non)
			if m.Type != message.NON || m.Code != message.Content || ids[m.ID] {
				t.Fatal(m)
			}
			ids[m.ID] = true
		}
		c.send(c.build(message.GET, "slow", non))
		c.d.Advance(5 * time.Second)
		c.silent()
		x.release(c)
		if m := c.must(); m.Type != message.NON {
			t.Fatal(m)
		}
	})
}

func TestCoAP_M4_TokenIsEchoed(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		for n := range 9 {
			tok := strings.Repeat("\x00", n)
			if m := c.ask(message.GET, "echo", token(tok)); m.Token.Len() != n {
				t.Errorf("%d octets came back as %v", n, m.Token)
			}
		}
	})
}

func TestCoAP_M5_PingIsReset(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		c.Send([]byte{0x40, 0, 0x12, 0x34})
		if m := c.must(); m.Type != message.RST || m.ID != 0x1234 {
			t.Fatal(m)
		}
		if len(x.ep.peers) != 0 {
			t.Error("a ping left state")
		}
	})
}

func TestCoAP_M6_RejectIsResetForCONAndSilenceForTheRest(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		bad := [][]byte{{0x49, 1, 0, 7}, {0x40, 1, 0, 7, 0xff}, {0x40, 1, 0, 7, 0xf0}, {0x40, 0, 0, 7, 1}, {0x40, 0xe1, 0, 7}}
		for _, b := range bad {
			c.Send(b)
			if m := c.must(); m.Type != message.RST || m.ID != 7 {
				t.Errorf("%x: %v", b, m)
			}
			for _, typ := range []byte{0x10, 0x20, 0x30} {
				b[0] = b[0]&0xcf | typ
				c.Send(b)
				c.silent()
			}
		}
		for _, b := range [][]byte{{}, {0x40}, {0x40, 1, 0}, {0x00, 1, 0, 7}, {0x80, 1, 0, 7}, {0xc0, 1, 0, 7}} {
			c.Send(b)
			c.silent() // S4, version
		}
		if counter(d, "coap_malformed_total", "token length") != 4 {
			t.Error("not counted")
		}
	})
}

func TestCoAP_M12_ResponseToAnUnknownTokenIsReset(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		r := message.Message{Type: message.CON, Code: message.Content, ID: 9}
		c.send(&r)
		if m := c.must(); m.Type != message.RST || m.ID != 9 {
			t.Fatal(m)
		}
		r.Type = message.NON
		c.send(&r)
		r.Type = message.ACK
		c.send(&r)
		c.silent()
	})
}

func TestCoAP_M13_UnknownMethodIsNotAllowed(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		for _, method := range []message.Code{8, 17, 31} {
			c.expect(message.MethodNotAllowed, method, "ps/a")
		}
	})
}

func TestCoAP_M15_UnknownPathAndWrongMethod(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.NotFound, message.GET, "nothing")
		c.expect(message.NotFound, message.POST, "psc/1")
		c.expect(message.NotFound, message.POST, "mqtt/connections?clientid=c")
		c.expect(message.MethodNotAllowed, message.POST, "ps")
		c.expect(message.MethodNotAllowed, message.FETCH, "ps/a")
		c.expect(message.MethodNotAllowed, message.IPATCH, "ps/a")
		c.expect(message.MethodNotAllowed, message.PUT, ".well-known/core")
		c.expect(message.MethodNotAllowed, message.GET, "ps/$queue/q")
		c.expect(message.MethodNotAllowed, message.DELETE, "ps/$queue/q")
	})
}

func TestCoAP_M16_NoResponseSuppressesByClass(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		for _, k := range []struct {
			mask    uint32
			path    string
			silence bool
		}{
			{2, "ps/a", true}, {8, "ps/a", false}, {16, "ps/a", false}, {0, "ps/a", false}, {26, "ps/a", true},
			{8, "ps/a?qos=9", true}, {2, "ps/a?qos=9", false}, {8, "nothing", true}, {26, "nothing", true},
		} {
			q := c.build(message.POST, k.path, payload("x"), optUint(message.NoResponse, k.mask))
			c.send(q)
			if m := c.must(); (m.Code == message.Empty) != k.silence || m.Type != message.ACK || m.ID != q.ID {
				t.Errorf("%d %s: %v", k.mask, k.path, m)
			}
			c.send(c.build(message.POST, k.path, payload("x"), optUint(message.NoResponse, k.mask), non))
			if m := c.next(); (m == nil) != k.silence {
				t.Errorf("NON %d %s: %v", k.mask, k.path, m)
			}
		}
	})
}

func TestCoAP_M16_NoResponseIsIgnoredOnGET(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.NotFound, message.GET, "ps/a", optUint(message.NoResponse, 26))
		c.expect(message.Content, message.GET, "ps/a", optUint(message.NoResponse, 26), observe(0))
	})
}

func TestCoAP_M19_DiagnosticsAreShortTextThatNamesTheRule(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		for path, want := range map[string]string{"ps/a?qos=7": "bad query: qos", "ps/+": "wildcard in a topic", "x": "no such resource"} {
			m := c.ask(message.POST, path)
			if string(m.Payload) != want {
				t.Errorf("%s: %v", path, m)
			}
			absent(t, m, message.ContentFormat)
		}
		m := c.ask(message.POST, "ps/a?"+strings.Repeat("q", 60)+"&rh="+strings.Repeat("9", 200))
		if len(m.Payload) > maxDiagnostic {
			t.Errorf("%d octets", len(m.Payload))
		}
	})
}

func TestCoAP_M20_NoDatagramExceedsTheLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{{}, {MaxDatagram: 128}, {MaxDatagram: 600}, {BlockSize: 16}} {
		limit := c.withDefaults().MaxDatagram
		bench(t, c, func(d *adaptertest.Driver, c *client, x *fixture) {
			c.send(c.build(message.GET, "large", token("12345678")))
			b := c.Recv()
			var m message.Message
			if err := message.Parse(b, &m); err != nil || len(b) > limit {
				t.Fatalf("%d octets of %d", len(b), limit)
			}
			uintOption(t, &m, message.Block2)
		})
	}
}
