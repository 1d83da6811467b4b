package coap

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
)

func TestSecurity_K6_APeerThatExceedsItsRateIsNotRead(t *testing.T) {
	t.Parallel()
	script(t, Config{AddressProof: "off", RatePerClient: 10}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.NotFound, message.GET, "ps/a")
		other := c.another()
		for range 20 {
			c.expect(message.NotFound, message.GET, "ps/a")
		}
		for range 30 { // beyond the burst of 20; malformed ones count too
			c.send(c.build(message.GET, "ps/a"))
			c.silent()
			c.Send([]byte{0xff})
		}
		if n := counter(d, "udp_dropped_total", "coap", "rate_per_client"); n != 60 {
			t.Errorf("%d datagrams were dropped", n)
		}
		if n := counter(d, "coap_malformed_total", "version"); n != 0 {
			t.Errorf("%d were read", n)
		}
		other.expect(message.NotFound, message.GET, "ps/a") // somebody else does not suffer
		d.Advance(time.Second)
		for range 10 {
			c.expect(message.NotFound, message.GET, "ps/a")
		}
		c.send(c.build(message.GET, "ps/a"))
		c.silent()
	})
}

func TestSecurity_K5_UnprovenAddressesHaveARate(t *testing.T) {
	t.Parallel()
	for _, exempt := range []bool{false, true} {
		trusted := []netip.Prefix{}
		if exempt {
			trusted = append(trusted, netip.MustParsePrefix("192.0.2.0/24"))
		}
		scriptWith(t, Config{AddressProof: "on", RatePerSource: 2}, adaptertest.Options{Limits: adapters.Limits{Trusted: trusted}}, func(d *adaptertest.Driver, c *client) {
			for range 3 { // with the ping of before; ports share the rate of their address
				c.expect(message.NotFound, message.GET, "ps/a")
			}
			c = &client{Peer: d.Peer(netip.MustParseAddrPort("192.0.2.1:30999")), t: t, d: d}
			if exempt {
				c.expect(message.NotFound, message.GET, "ps/a")
				return
			}
			c.send(c.build(message.GET, "ps/a"))
			c.silent()
			if n := counter(d, "udp_dropped_total", "coap", "rate_per_source"); n != 1 {
				t.Errorf("%d datagrams were dropped", n)
			}
			far := &client{Peer: d.Peer(netip.MustParseAddrPort("198.51.100.9:5000")), t: t, d: d}
			far.expect(message.NotFound, message.GET, "ps/a")
		})
	}
}

func TestSecurity_S9_WithheldAnswersAreCounted(t *testing.T) {
	t.Parallel()
	script(t, Config{AddressProof: "public"}, func(d *adaptertest.Driver, c *client) {
		local := &client{Peer: d.Peer(netip.MustParseAddrPort("10.0.0.1:5000")), t: t, d: d}
		local.expect(message.Created, message.PUT, "ps/a", payload(strings.Repeat("x", 500)))
		local.expect(message.Content, message.GET, "ps/a")
		if n := counter(d, "udp_amplification_refused_total", "coap"); n != 0 {
			t.Errorf("%d answers to a proven address are counted", n)
		}
		c.expect(message.Unauthorized, message.GET, "ps/a")
		if n := counter(d, "udp_amplification_refused_total", "coap"); n != 1 {
			t.Errorf("%d withheld answers are counted", n)
		}
		if n := counter(d, "udp_challenges_total", "coap"); n != 1 {
			t.Errorf("%d challenges are counted", n)
		}
	})
}
