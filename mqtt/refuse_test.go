package mqtt_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/mqtt/packet"
)

func TestMQTT_L5_WhoFindsNoPlaceIsToldSo(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{limits: adapters.Limits{Connections: 1, PreauthDeadline: 300 * time.Millisecond}})
	first := g.enter(packet.V5, "first")
	for v, want := range map[packet.Version]packet.Code{packet.V5: packet.QuotaExceeded, packet.V311: 3, packet.V31: 3} {
		c := g.call(v).greet("late")
		if k, ok := c.next().(*packet.Connack); !ok || k.Code != want {
			t.Errorf("%v: %+v", v, k)
		}
		c.gone()
	}
	bad := g.call(packet.V5)
	_, _ = bad.Write([]byte{0xc0, 0}) // no CONNECT: no word
	bad.gone()
	g.call(packet.V5).gone() // a silent one has no time to be so
	var crowd []*caller
	for range 200 { // those who are told are few at a time
		crowd = append(crowd, g.call(packet.V5))
	}
	for _, c := range crowd {
		_, _ = c.Read(make([]byte, 1))
		c.Close()
	}
	first.send(&packet.Ping{Type: packet.PINGREQ})
	if _, ok := first.next().(*packet.Ping); !ok {
		t.Error("the one that was let in suffers")
	}
	if all, _ := g.Connections(); all != 1 {
		t.Errorf("%d connections are counted", all)
	}
	g.until("each refusal is counted", func() bool { return g.count("connects_total", "mqtt", "refused", "connections") == 205 })
	if n := g.count("mqtt_reason_codes_total", "CONNACK", "97", "out"); n != 1 {
		t.Errorf("CONNACK 97 %d times", n)
	}
	if g.log.line("msg=limit.refused", "limit=connections") == "" {
		t.Error("not logged")
	}
	first.send(&packet.Disconnect{})
	first.gone()
	first.Close()
	g.until("the place is free again", func() bool { all, _ := g.Connections(); return all == 0 })
	g.enter(packet.V5, "next")
	listener := g.Addrs()[0].URL
	g.until("the gauges are right", func() bool {
		return g.count("connections", "mqtt", listener, "auth") == 1 && g.count("connections", "mqtt", listener, "unauth") == 0
	})
}

func TestMQTT_L6_WhoComesTooOftenIsToldSo(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{limits: adapters.Limits{AcceptRateAddress: 1, Trusted: []netip.Prefix{}}}) // a burst of 2
	told := false
	for range 4 {
		c := g.call(packet.V5).greet("c")
		k, ok := c.next().(*packet.Connack)
		if !ok {
			t.Fatal("no CONNACK")
		}
		told = told || k.Code == packet.ConnectionRateExceeded
		if k.Code != packet.Success {
			c.gone()
		}
	}
	if !told || g.count("limit_refused_total", "mqtt", "accept_rate_address") == 0 {
		t.Error("four at once were let in, at 1/s")
	}
}
