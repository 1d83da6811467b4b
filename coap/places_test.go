package coap

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// from is a client at an address.
func (c *client) from(addr string) *client {
	return &client{Peer: c.d.Peer(netip.MustParseAddrPort(addr)), t: c.t, d: c.d, id: 100, ep: c.ep}
}

// known tells whether the endpoint remembers the client.
func (c *client) known(ep *Endpoint) bool { return ep.peers[source{addr: c.Addr}] != nil }

// session tells whether the core has one of it.
func (c *client) session() bool {
	return c.d.Router.Exists(core.Client{ID: "coap-" + c.Addr.String()})
}

// proves echoes what it is asked to.
func (c *client) proves() {
	c.t.Helper()
	m := c.expect(message.Unauthorized, message.GET, "ps/a", observe(0))
	e, _ := m.Options.First(message.Echo)
	c.expect(message.NotFound, message.GET, "ps/a", opt(message.Echo, string(e)))
}

func TestSECURITY_K5_AnUnprovenPeerIsForgottenAfterHalfAMinute(t *testing.T) {
	t.Parallel()
	script(t, Config{AddressProof: "on"}, func(d *adaptertest.Driver, c *client) {
		forged, proven := c.another(), c.another()
		forged.expect(message.NotFound, message.GET, "ps/a")
		proven.proves()
		d.Advance(20 * time.Second)
		late := c.another()
		late.expect(message.NotFound, message.GET, "ps/a")
		d.Advance(10*time.Second - time.Millisecond)
		if !forged.known(c.ep) {
			t.Fatal("too early")
		}
		d.Advance(time.Second)
		if forged.known(c.ep) || !late.known(c.ep) || !proven.known(c.ep) {
			t.Fatalf("forged %v, late %v, proven %v", forged.known(c.ep), late.known(c.ep), proven.known(c.ep))
		}
		d.Advance(5 * time.Minute)
		if n := len(c.ep.peers); n != 0 || c.ep.places.Len() != 0 {
			t.Fatalf("%d are left, %d counted", n, c.ep.places.Len())
		}
	})
}

func TestSECURITY_K5_WhoHasAskedOnceHasNoSession(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		for _, once := range []func(c *client){
			func(c *client) { c.expect(message.NotFound, message.GET, "ps/a") },
			func(c *client) { c.expect(message.Changed, message.POST, "ps/b", payload("x")) },
			func(c *client) { c.expect(message.BadRequest, message.GET, "ps/a", observe(0), token("")) },
			func(c *client) { c.send(c.build(message.POST, "ps/b", non, payload("x"))); c.must() },
		} {
			x := c.another()
			once(x)
			if x.session() {
				t.Error("there is a session")
			}
			m := x.build(message.POST, "ps/b", payload("y"))
			x.send(m)
			x.must()
			if !x.session() {
				t.Error("there is none of who asks again")
			}
			x.send(m) // a duplicate
			x.must()
		}
		x := c.another()
		x.register("ps/a", "o")
		if !x.session() {
			t.Error("there is none of an observer")
		}
		c.expect(message.Changed, message.POST, "ps/a", payload("1"))
		if m := x.must(); string(m.Payload) != "1" {
			t.Error(m)
		}
	})
}

func TestSECURITY_K5_WhoAsksOnceAndIsAnsweredLateHasNoSessionEither(t *testing.T) {
	t.Parallel()
	o := adaptertest.Options{Store: &slowStore{Store: adaptertest.NewStore(), delay: 3 * time.Second}}
	scriptWith(t, Config{}, o, func(d *adaptertest.Driver, c *client) {
		x := c.another()
		x.send(x.build(message.PUT, "ps/a", payload("x")))
		d.Advance(time.Second)
		if m := x.must(); m.Code != message.Empty || !x.session() {
			t.Fatal(m)
		}
		d.Advance(10 * time.Second)
		m := x.must()
		if m.Code != message.Created || x.session() {
			t.Errorf("%v, a session %v", m, x.session())
		}
		x.ack(m)
		d.Advance(4 * time.Minute) // a tick gives back what the answer took
		if p := c.ep.peers[source{addr: x.Addr}]; p.activity != &c.ep.nothing {
			t.Errorf("%+v", *p.activity)
		}
	})
}

func TestSECURITY_L24_TheUnprovenGoFirstAndTheOldestOfThem(t *testing.T) {
	t.Parallel()
	script(t, Config{AddressProof: "on", MaxEndpoints: 4}, func(d *adaptertest.Driver, c *client) {
		var all []*client
		join := func(proves bool) *client {
			x := c.another()
			if proves {
				x.proves()
			} else {
				x.expect(message.NotFound, message.GET, "ps/a")
			}
			all = append(all, x)
			return x
		}
		there := func(want ...bool) {
			t.Helper()
			for i, w := range want {
				if all[i].known(c.ep) != w {
					t.Fatalf("client %d is known: %v", i, !w)
				}
			}
		}
		join(true)
		join(false)
		join(false)
		join(true)
		all[1].expect(message.NotFound, message.GET, "ps/a") // heard again
		join(false)
		there(true, true, false, true, true)
		join(true)
		there(true, false, false, true, true, true)
		join(true)
		there(true, false, false, true, false, true, true)
		join(true) // now the oldest of the proven ones
		there(false, false, false, true, false, true, true, true)
	})
}

func TestSECURITY_L24_PeersOfAnAddress(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"198.51.100.9", "127.0.0.1"} { // a count: nobody is exempt
		var log strings.Builder
		o := adaptertest.Options{Limits: adapters.Limits{UDPPeersPerAddress: 2}, Log: slog.New(slog.NewTextHandler(&log, nil))}
		scriptWith(t, Config{}, o, func(d *adaptertest.Driver, c *client) {
			a, b, x := c.from(at+":1"), c.from(at+":2"), c.from(at+":3")
			other := c.another()
			other.expect(message.NotFound, message.GET, "ps/a")
			a.register("ps/a", "o")
			b.expect(message.NotFound, message.GET, "ps/a")
			x.expect(message.NotFound, message.GET, "ps/a")
			if !a.known(c.ep) || b.known(c.ep) || !x.known(c.ep) || !other.known(c.ep) {
				t.Fatal("the wrong one made room")
			}
			x.register("ps/a", "o")
			m := b.expect(message.ServiceUnavailable, message.GET, "ps/a")
			uintOption(t, m, message.MaxAge)
			if n := counter(d, "limit_refused_total", "coap", "udp_peers_per_address"); n != 1 {
				t.Errorf("%d are counted", n)
			}
			if s := log.String(); !strings.Contains(s, "msg=limit.refused protocol=coap") || !strings.Contains(s, "key=limits.udp.peers_per_address") {
				t.Errorf("log: %s", s)
			}
		})
	}
}

func TestSECURITY_L24_PeersInAll(t *testing.T) {
	t.Parallel()
	o := adaptertest.Options{Limits: adapters.Limits{UDPPeers: 2}}
	scriptWith(t, Config{MaxEndpoints: 10}, o, func(d *adaptertest.Driver, c *client) {
		for range 3 {
			c.another().expect(message.NotFound, message.GET, "ps/a")
		}
		if n := len(c.ep.peers); n != 2 {
			t.Errorf("%d peers", n)
		}
		c.another().register("ps/a", "o")
		c.another().register("ps/a", "o")
		c.another().expect(message.ServiceUnavailable, message.GET, "ps/a")
		if n := counter(d, "limit_refused_total", "coap", "udp_peers"); n != 1 {
			t.Errorf("%d are counted", n)
		}
	})
}
