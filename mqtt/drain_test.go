package mqtt_test

import (
	"context"
	"testing"
	"time"

	"github.com/entrepot/entrepot/mqtt"
	"github.com/entrepot/entrepot/mqtt/packet"
)

const elsewhere = "other.example:1883"

// told is the code and the reference of what came.
func told(t *testing.T, p packet.Packet) (packet.Code, string) {
	t.Helper()
	switch p := p.(type) {
	case *packet.Disconnect:
		return p.Code, string(p.Properties.Str(packet.ServerReference))
	case *packet.Connack:
		return p.Code, string(p.Properties.Str(packet.ServerReference))
	}
	t.Fatalf("got %+v", p)
	return 0, ""
}

func TestMQTT_MN1_ADrainMovesInSlices(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{config: mqtt.Config{ServerReference: elsewhere, DrainRate: 20, RedirectExempt: []string{"admin"}}, auth: doorman{}})
	admin := g.enter(packet.V5, "admin", login("root"))
	var all []*caller
	for range 12 {
		all = append(all, g.enter(packet.V5, "", login("gw1")))
	}
	began := time.Now()
	if !g.Drain(t.Context()) {
		t.Error("the drain was not completed")
	}
	if took := time.Since(began); took < 500*time.Millisecond {
		t.Errorf("12 were moved in %v, at 20/s", took)
	}
	for _, c := range all {
		if code, ref := told(t, c.next()); code != packet.UseAnotherServer || ref != elsewhere {
			t.Errorf("%v %q", code, ref)
		}
		c.gone()
	}
	if code, ref := told(t, g.call(packet.V5).greet("late", login("gw1")).next()); code != packet.UseAnotherServer || ref != elsewhere {
		t.Errorf("%v %q", code, ref)
	}
	admin.send(&packet.Ping{Type: packet.PINGREQ})
	if _, ok := admin.next().(*packet.Ping); !ok {
		t.Error("the exempt one was moved")
	}
	if all, ok := g.count("disconnects_total", "mqtt", "moved"), g.log.line("msg=client.disconnected", "reason=moved"); all < 12 || ok == "" {
		t.Errorf("%d, %q", all, ok)
	}
	g.Undrain()
	g.enter(packet.V5, "late", login("gw1"))
}

func TestMQTT_MN1_ADrainCanBeStopped(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{config: mqtt.Config{ServerReference: elsewhere, DrainRate: 1}})
	first, second := g.enter(packet.V5, "1"), g.enter(packet.V5, "2")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if g.Drain(ctx) {
		t.Error("two were moved in 30 ms, at 1/s")
	}
	g.Undrain()
	for _, c := range []*caller{first, second} {
		c.send(&packet.Ping{Type: packet.PINGREQ})
		if _, ok := c.next().(*packet.Ping); !ok {
			t.Error("moved too early")
		}
	}
}

func TestMQTT_MN1_C5_AStopMovesEverybodyInTime(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{config: mqtt.Config{ServerReference: elsewhere, DrainRate: 2, RedirectExempt: []string{"admin"}}, auth: doorman{}})
	admin := g.enter(packet.V5, "admin", login("root"))
	var all []*caller
	for range 20 { // at 2/s far more than the time allows
		all = append(all, g.enter(packet.V5, "", login("gw1")))
	}
	old := g.enter(packet.V311, "old", login("gw1"))
	began, ended := time.Now(), make(chan struct{})
	go func() { g.stop(); close(ended) }()
	g.until("newcomers are told", func() bool {
		code, ref := told(t, g.call(packet.V5).greet("late", login("gw1")).next())
		return code == packet.UseAnotherServer && ref == elsewhere
	})
	for _, c := range all {
		if code, ref := told(t, c.next()); code != packet.UseAnotherServer || ref != elsewhere {
			t.Errorf("%v %q", code, ref)
		}
		c.gone()
		c.Close()
	}
	old.gone()
	old.Close()
	if code, ref := told(t, admin.next()); code != packet.ServerShuttingDown || ref != "" {
		t.Errorf("the exempt one: %v %q", code, ref)
	}
	admin.Close()
	<-ended
	if took := time.Since(began); took < time.Second || took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
}
