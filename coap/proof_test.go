package coap

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

func TestCoAP_S1_LargeAnswerNeedsAProof(t *testing.T) {
	t.Parallel()
	script(t, Config{AddressProof: "public"}, func(d *adaptertest.Driver, c *client) {
		local := &client{Peer: d.Peer(netip.MustParseAddrPort("10.0.0.1:5000")), t: t, d: d}
		local.expect(message.Created, message.PUT, "ps/a", payload(strings.Repeat("x", 500)))
		local.expect(message.Content, message.GET, "ps/a")

		m := c.expect(message.Unauthorized, message.GET, "ps/a")
		e, ok := m.Options.First(message.Echo)
		if !ok || len(e) != 8 || len(m.Payload) != 0 {
			t.Fatal(m)
		}
		c.expect(message.Unauthorized, message.GET, "ps/a", opt(message.Echo, "12345678"))
		c.expect(message.Content, message.GET, "ps/a", opt(message.Echo, string(e)))
		c.expect(message.Content, message.GET, "ps/a")
		thief := c.another()
		thief.expect(message.Unauthorized, message.GET, "ps/a", opt(message.Echo, string(e)))
	})
}

func TestCoAP_S1_ObserveNeedsAProof(t *testing.T) {
	t.Parallel()
	script(t, Config{AddressProof: "public"}, func(d *adaptertest.Driver, c *client) {
		m := c.expect(message.Unauthorized, message.GET, "ps/a", observe(0))
		e, _ := m.Options.First(message.Echo)
		if counter(d, "coap_observers") != 0 {
			t.Fatal("registered without a proof")
		}
		c.register("ps/a", "o", opt(message.Echo, string(e)))
	})
}

func TestCoAP_S2_EchoHoldsFiveMinutesForOneAddress(t *testing.T) {
	t.Parallel()
	k := newEchoKey()
	a, b := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.1:2")
	now := core.Time(time.Hour.Milliseconds())
	v := k.challenge(a, now)
	for after, want := range map[time.Duration]bool{0: true, 4 * time.Minute: true, 5 * time.Minute: false} {
		if k.proves(a, v, now.After(after)) != want {
			t.Errorf("after %v: %v", after, !want)
		}
	}
	if k.proves(b, v, now) || k.proves(a, v[:7], now) || newEchoKey().proves(a, v, now) {
		t.Error("proves what it must not")
	}
}

func TestCoAP_S2_ProofHoldsFourHours(t *testing.T) {
	t.Parallel()
	script(t, Config{AddressProof: "on", EndpointIdle: 24 * time.Hour}, func(d *adaptertest.Driver, c *client) {
		m := c.expect(message.Unauthorized, message.GET, "ps/a", observe(0))
		e, _ := m.Options.First(message.Echo)
		c.expect(message.NotFound, message.GET, "ps/a", opt(message.Echo, string(e)))
		d.Advance(4*time.Hour - time.Minute)
		c.register("ps/a", "x")
		c.expect(message.Content, message.GET, "ps/a", observe(1), token("x"))
		d.Advance(2 * time.Minute)
		c.expect(message.Unauthorized, message.GET, "ps/a", observe(0))
	})
}

func TestCoAP_S7_EndpointsAreBoundedAndObserversStay(t *testing.T) {
	t.Parallel()
	script(t, Config{MaxEndpoints: 10}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		for range 200 {
			c.another().expect(message.NotFound, message.GET, "ps/a")
		}
		if n := len(c.ep.peers); n != 10 || counter(d, "coap_endpoints") != 10 {
			t.Fatalf("%d endpoints", n)
		}
		c.publish("ps/a", "x", non)
		c.must()
	})
}

func TestCoAP_S7_WithObserversOnlyTheNextIsRefused(t *testing.T) {
	t.Parallel()
	script(t, Config{MaxEndpoints: 3}, func(d *adaptertest.Driver, c *client) {
		for range 3 {
			c.another().register("ps/a", "o")
		}
		m := c.expect(message.ServiceUnavailable, message.GET, "ps/a")
		uintOption(t, m, message.MaxAge)
	})
}

func TestCoAP_Section10_IdleEndpointIsForgotten(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.NotFound, message.GET, "ps/a")
		o := c.another()
		o.register("ps/a", "o")
		d.Advance(4 * time.Minute)
		if len(c.ep.peers) != 2 {
			t.Fatal("forgotten too early")
		}
		d.Advance(time.Minute + 200*time.Millisecond)
		o.ack(o.must())
		if len(c.ep.peers) != 1 || c.ep.peers[source{addr: o.Addr}] == nil {
			t.Fatalf("%d endpoints", len(c.ep.peers))
		}
	})
}

func TestCoAP_L25_WindowsAreBoundedInAll(t *testing.T) {
	t.Parallel()
	script(t, Config{DedupTotal: 40}, func(d *adaptertest.Driver, c *client) {
		for range 30 {
			x := c.another()
			for range 5 {
				x.expect(message.NotFound, message.GET, "ps/a")
			}
			held := 0
			for _, p := range c.ep.peers {
				held += len(p.dedup.ring)
			}
			if held > 40+2 || uint64(held) != counter(d, "coap_dedup_entries") {
				t.Fatalf("%d entries, %d counted", held, counter(d, "coap_dedup_entries"))
			}
		}
	})
}
