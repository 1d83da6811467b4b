package coap

import (
	"testing"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

func TestSecurity_O3_CoAPAnswers503WithAMaxAgeThatVaries(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("1"))
		d.Router.SetPressure(core.Pressure{Level: core.LevelBrake})
		ages := map[string]bool{}
		for range 20 {
			m := c.expect(message.ServiceUnavailable, message.PUT, "ps/a", payload("2"))
			v, ok := m.Options.First(message.MaxAge)
			if !ok || len(v) != 1 || v[0] < 5 || v[0] > 30 {
				t.Fatalf("Max-Age % x", v)
			}
			ages[string(v)] = true
		}
		if len(ages) < 2 {
			t.Error("every client is told the same time")
		}
		c.expect(message.Content, message.GET, "ps/a")
		c.expect(message.Deleted, message.DELETE, "ps/a") // deletes go on
		d.Router.SetPressure(core.Pressure{})
		c.expect(message.Created, message.PUT, "ps/a", payload("3"))
	})
}

func TestSecurity_O2_L25_UnderPressureCoAPRemembersHalfAsMuch(t *testing.T) {
	t.Parallel()
	script(t, Config{DedupTotal: 100, DedupPerEndpoint: 8, MaxEndpoints: 20}, func(d *adaptertest.Driver, c *client) {
		held := func() (entries, peers, most int) {
			for _, p := range c.ep.peers {
				entries += len(p.dedup.ring)
				most = max(most, len(p.dedup.ring))
			}
			if uint64(entries) != counter(d, "coap_dedup_entries") {
				t.Fatalf("%d entries, %d counted", entries, counter(d, "coap_dedup_entries"))
			}
			return entries, len(c.ep.peers), most
		}
		ask := func(peers, requests int) {
			for range peers {
				x := c.another()
				for range requests {
					x.expect(message.NotFound, message.GET, "ps/a")
				}
			}
		}
		ask(40, 20)
		if entries, peers, most := held(); entries <= 50 || entries > 100 || peers != 20 || most != 8 {
			t.Fatalf("%d entries, %d peers, windows of %d", entries, peers, most)
		}
		x := c.another()
		for range 8 {
			x.expect(message.NotFound, message.GET, "ps/a")
		}
		d.Router.SetPressure(core.Pressure{Level: core.LevelShed})
		x.expect(message.NotFound, message.GET, "ps/a")
		if n := len(c.ep.peers[source{addr: x.Addr}].dedup.ring); n != 4 {
			t.Errorf("a window of %d", n)
		}
		ask(40, 20)
		if entries, peers, most := held(); entries > 50 || peers != 10 || most != 4 {
			t.Errorf("%d entries, %d peers, windows of %d", entries, peers, most)
		}
		d.Router.SetPressure(core.Pressure{})
		ask(40, 20)
		if entries, peers, most := held(); entries <= 50 || peers != 20 || most != 8 {
			t.Errorf("afterwards %d entries, %d peers, windows of %d", entries, peers, most)
		}
	})
}

func TestSecurity_O2_ObserversStayUnderPressureAndNobodyIsRefused(t *testing.T) {
	t.Parallel()
	script(t, Config{MaxEndpoints: 4}, func(d *adaptertest.Driver, c *client) {
		for range 3 {
			c.another().register("ps/a", "o")
		}
		d.Router.SetPressure(core.Pressure{Level: core.LevelShed})
		c.another().expect(message.NotFound, message.GET, "ps/a")
		c.another().expect(message.NotFound, message.GET, "ps/a")
		if n := counter(d, "coap_observers"); n != 3 {
			t.Errorf("%d observers", n)
		}
	})
}

func TestAWindowThatIsHalvedKeepsTheNewest(t *testing.T) {
	t.Parallel()
	var d dedup
	for id := range uint16(13) { // the ring has wrapped
		d.add(id, message.CON, core.Time(id), 8, always)
	}
	for id := uint16(13); id < 20; id++ {
		d.add(id, message.CON, core.Time(id), 4, always)
		for x := range id + 1 {
			if got := d.find(x, 20) != nil; got != (x > id-4) {
				t.Fatalf("after %d: %d: %v", id, x, got)
			}
		}
	}
}
