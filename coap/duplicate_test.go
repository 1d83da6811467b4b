package coap

import (
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
)

func TestCoAP_M7_DuplicateIsAnsweredWithoutExecuting(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		q := c.build(message.POST, "echo", payload("1"))
		c.send(q)
		first := c.must().String()
		d.Advance(246 * time.Second)
		c.send(q)
		if again := c.must().String(); again != first || x.executed != 1 {
			t.Fatalf("%d executions, %s and %s", x.executed, first, again)
		}
		n := c.build(message.POST, "echo", payload("2"), non)
		c.send(n)
		c.must()
		c.send(n)
		c.silent()
		if x.executed != 2 || counter(d, "coap_duplicates_total", "con") != 1 || counter(d, "coap_duplicates_total", "non") != 1 {
			t.Fatalf("%d executions", x.executed)
		}
	})
}

func TestCoAP_M7_MessageIDIsNewAfterItsLifetime(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		q := c.build(message.POST, "echo")
		c.send(q)
		d.Advance(247 * time.Second)
		c.send(q)
		n := c.build(message.POST, "echo", non)
		c.send(n)
		d.Advance(145 * time.Second)
		c.send(n)
		if len(c.RecvAll()) != 4 || x.executed != 4 {
			t.Fatalf("%d executions", x.executed)
		}
	})
}

func TestCoAP_M7_PeersHaveWindowsOfTheirOwn(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		o := c.another()
		for _, k := range []*client{c, o} {
			k.send(k.build(message.POST, "echo", withID(7)))
			k.must()
		}
		if x.executed != 2 {
			t.Fatalf("%d executions", x.executed)
		}
	})
}

func TestCoAP_M7_LargeAnswerToGETIsMadeAgain(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		for _, method := range []message.Code{message.GET, message.POST} {
			x.executed = 0
			q := c.build(method, "large", payload(strings.Repeat("x", 100)))
			c.send(q)
			first := c.must().String()
			c.send(q)
			again := c.must().String()
			if want := map[message.Code]int{message.GET: 2, message.POST: 1}[method]; first != again || x.executed != want {
				t.Errorf("%v: %d executions, want %d", method, x.executed, want)
			}
		}
	})
}

func TestCoAP_M8_DuplicateWhileExecutingGetsAnEmptyACKAtMost(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		q := c.build(message.POST, "slow")
		c.send(q)
		c.silent()
		c.send(q)
		if m := c.must(); m.Type != message.ACK || m.Code != message.Empty || m.ID != q.ID {
			t.Fatal(m)
		}
		x.release(c)
		m := c.must()
		if m.Type != message.CON || x.executed != 1 {
			t.Fatalf("%v after %d executions", m, x.executed)
		}
		c.send(q)
		if m := c.must(); m.Type != message.ACK || m.Code != message.Empty {
			t.Fatalf("after the separate response: %v", m)
		}
	})
}
