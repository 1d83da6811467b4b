package coap

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
)

func TestCoAP_M10_RetransmissionsDoubleAndEnd(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		for _, spread := range []float64{0, 0.5, 0.999} {
			x.ep.spread = func() float64 { return spread }
			c.send(c.build(message.GET, "slow"))
			d.Advance(1100 * time.Millisecond)
			c.must() // the empty ACK
			x.release(c)
			first := c.must()
			start := d.Now()
			base := 2*time.Second + time.Duration(spread*float64(time.Second))
			due := time.Duration(0)
			for i := range 4 {
				due += base << i
				d.Advance(due - d.Now().Until(start) - 20*time.Millisecond)
				c.silent()
				d.Advance(140 * time.Millisecond)
				if m := c.must(); m.ID != first.ID || m.String() != first.String() {
					t.Fatal(m)
				}
				due = d.Now().Until(start)
				due -= 120 * time.Millisecond
			}
			p := x.ep.peers[source{addr: c.Addr}]
			d.Advance(base<<4 - 200*time.Millisecond)
			if len(p.outstanding) != 1 {
				t.Fatal("given up too early")
			}
			d.Advance(600 * time.Millisecond)
			if len(p.outstanding) != 0 {
				t.Fatal("not given up")
			}
			if total := d.Now().Until(start); total < 62*time.Second || total > 94*time.Second {
				t.Fatalf("given up after %v", total)
			}
			c.silent()
		}
		if counter(d, "coap_retransmissions_total") != 12 || counter(d, "coap_timeouts_total") != 3 {
			t.Error("not counted")
		}
	})
}

func TestCoAP_M10_AckWithAnyCodeIsAccepted(t *testing.T) {
	t.Parallel()
	for _, code := range []message.Code{message.Changed, message.NotFound, message.GET} {
		ackWith(t, code)
	}
}

func ackWith(t *testing.T, code message.Code) {
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		c.send(c.build(message.GET, "slow"))
		d.Advance(1100 * time.Millisecond)
		c.must()
		x.release(c)
		m := c.must()
		a := message.Message{Type: message.ACK, Code: code, ID: m.ID, Token: m.Token}
		c.send(&a)
		d.Advance(time.Minute)
		c.silent()
	})
}

func TestCoAP_M11_OneCONIsOutstanding(t *testing.T) {
	t.Parallel()
	bench(t, Config{}, func(d *adaptertest.Driver, c *client, x *fixture) {
		for range 3 {
			c.send(c.build(message.GET, "slow"))
		}
		d.Advance(1100 * time.Millisecond)
		if n := len(c.RecvAll()); n != 3 {
			t.Fatalf("%d empty ACKs", n)
		}
		x.release(c)
		for range 3 {
			m := c.must()
			c.silent()
			c.ack(m)
		}
		c.silent()
	})
}
