package coap

import (
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
)

func TestCoAP_R5q_AcknowledgedDeliveriesAreShared(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		for i := range 4 {
			c.another().expect(message.Changed, message.PUT, "ps/$queue/jobs", payload(fmt.Sprint(i)))
		}
		a, b := c.another(), c.another()
		a.register("ps/$queue/jobs", "a")
		b.register("ps/$queue/jobs", "b")
		got := map[string]int{}
		for range 4 {
			for _, x := range []*client{a, b} {
				if m := x.next(); m != nil {
					if m.Type != message.CON {
						t.Fatal(m)
					}
					got[string(m.Payload)]++
					x.ack(m)
				}
			}
		}
		if len(got) != 4 || got["0"]+got["1"]+got["2"]+got["3"] != 4 {
			t.Fatalf("%v", got)
		}
	})
}

func TestCoAP_R5q_AnObserverWithoutAPlaceHoldsNothing(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "a")
		c.register("ps/$queue/jobs", "q")
		o := c.another()
		o.register("ps/$queue/jobs", "o")
		c.another().put("ps/a", "x")
		m := c.must() // its one place, for as long as there is no ACK
		c.another().expect(message.Changed, message.POST, "ps/$queue/jobs", payload("1"))
		if n := o.must(); string(n.Payload) != "1" {
			t.Fatal(n)
		} else {
			c.another().expect(message.Changed, message.POST, "ps/$queue/jobs", payload("2"))
			c.ack(m)
			if m = c.must(); string(m.Payload) != "2" {
				t.Fatal(m)
			}
			c.ack(m)
			o.ack(n)
		}
		o.silent()
	})
}

func TestCoAP_R5q_ResetReleasesTheDelivery(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/$queue/jobs", "o")
		c.another().expect(message.Changed, message.POST, "ps/$queue/jobs", payload("1"))
		m := c.must()
		o := c.another()
		o.register("ps/$queue/jobs", "p")
		o.silent()
		c.reset(m)
		if m = o.must(); string(m.Payload) != "1" {
			t.Fatal(m)
		}
		o.ack(m)
		c.silent()
	})
}

func TestCoAP_R5q_TimeoutReleasesTheDelivery(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/$queue/jobs", "o")
		c.another().expect(message.Changed, message.POST, "ps/$queue/jobs", payload("1"))
		o := c.another()
		o.register("ps/$queue/jobs", "p")
		d.Advance(95 * time.Second)
		if m := o.must(); string(m.Payload) != "1" {
			t.Fatal(m)
		}
	})
}

func TestCoAP_R5q_ObservingAnAbsentQueueMakesItBoundToItsName(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/$queue/work", "o")
		c.publish("ps/work", "job")
		if m := c.must(); string(m.Payload) != "job" {
			t.Fatal(m)
		}
	})
}
