package coap

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// publish sends one publication from a client of its own, by CON or NON.
func (c *client) publish(path, body string, options ...option) {
	c.t.Helper()
	p := c.another()
	p.send(p.build(message.POST, path, append(options, payload(body))...))
	if m := p.must(); m.Code.Class() != 2 {
		c.t.Fatalf("publish %s: %v", path, m)
	}
}

func TestCoAP_O1_RegistrationIsAnsweredWithObserve(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("v"))
		m := c.register("ps/a", "o")
		uintOption(t, m, message.Observe)
		if string(m.Payload) != "v" {
			t.Fatal(m)
		}
		if counter(d, "coap_observers") != 1 {
			t.Error("not counted")
		}
	})
}

func TestCoAP_O2_ObserveOneRemovesAndIsAPlainGET(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("v"))
		c.register("ps/a", "o")
		m := c.expect(message.Content, message.GET, "ps/a", token("o"), observe(1))
		absent(t, m, message.Observe)
		if string(m.Payload) != "v" {
			t.Fatal(m)
		}
		c.publish("ps/a", "w")
		c.silent()
	})
}

func TestCoAP_O2_CancelWithoutAValueIsAnsweredAsTheRegistrationWas(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		for _, path := range []string{"ps/a", "ps/+/b", "ps/$queue/q"} {
			c.register(path, "o")
			if m := c.expect(message.Content, message.GET, path, token("o"), observe(1)); len(m.Payload) != 0 {
				t.Error(m)
			}
			if counter(d, "coap_observers") != 0 {
				t.Errorf("%s is still observed", path)
			}
		}
		c.expect(message.NotFound, message.GET, "ps/a", token("o"), observe(1))
		c.expect(message.BadRequest, message.GET, "ps/+", token("o"), observe(1))
	})
}

func TestCoAP_O2_O3_EmqxCompatibility(t *testing.T) {
	t.Parallel()
	script(t, Config{EmqxCompat: true}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		c.expect(2<<5|7, message.GET, "ps/a", token("o"), observe(1))
		c.expect(message.BadRequest, message.GET, "ps/a", observe(2))
		c.register("ps/%2B/x", "p") // R5: decoded once more
		c.publish("ps/q/x", "w")
		if m := c.must(); m.Token.String() != "70" {
			t.Fatal(m)
		}
	})
}

func TestCoAP_O3_AnyOtherObserveValueIsIgnored(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("v"))
		for _, v := range []uint32{2, 255, 1<<24 - 1} {
			absent(t, c.expect(message.Content, message.GET, "ps/a", observe(v)), message.Observe)
		}
	})
}

func TestCoAP_O4_EmptyTokenCannotObserve(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		if m := c.expect(message.BadRequest, message.GET, "ps/a", token(""), observe(0)); string(m.Payload) != "token required" {
			t.Fatal(m)
		}
	})
}

func TestCoAP_O5_SeveralTokensOnOnePath(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "1")
		c.register("ps/a", "2")
		o := c.another()
		o.register("ps/a", "1")
		c.publish("ps/a", "x", non)
		if n := len(c.RecvAll()); n != 2 {
			t.Errorf("%d notifications", n)
		}
		if n := len(o.RecvAll()); n != 1 {
			t.Errorf("%d notifications to the other endpoint", n)
		}
	})
}

func TestCoAP_O6_SameTokenReplacesTheRegistration(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		c.register("ps/a", "o") // same path: refreshed
		c.publish("ps/a", "1", non)
		if n := len(c.RecvAll()); n != 1 {
			t.Fatalf("%d notifications", n)
		}
		c.register("ps/b", "o") // another path
		c.publish("ps/a", "2", non)
		c.silent()
		c.publish("ps/b", "3", non)
		if m := c.must(); string(m.Payload) != "3" {
			t.Fatal(m)
		}
	})
}

func TestCoAP_O7_PlainGETLeavesTheObservationAlone(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		c.expect(message.NotFound, message.GET, "ps/a", token("x"))
		c.publish("ps/a", "1", non)
		c.must()
	})
}

func TestCoAP_O8_ResetRemovesTheObservation(t *testing.T) {
	t.Parallel()
	for _, confirm := range []bool{true, false} {
		script(t, Config{}, func(d *adaptertest.Driver, c *client) {
			c.register("ps/a", "o")
			var opts []option
			if !confirm {
				opts = append(opts, non)
			}
			c.publish("ps/a", "1", opts...)
			first := c.must()
			if !confirm { // an older one counts as well
				for range 3 {
					c.publish("ps/a", "2", non)
				}
				c.RecvAll()
			}
			c.reset(first)
			c.publish("ps/a", "3", opts...)
			c.silent()
			if counter(d, "coap_observers") != 0 || counter(d, "coap_observers_removed_total", "rst") != 1 {
				t.Error("still counted")
			}
		})
	}
}

func TestCoAP_O9_TimeoutRemovesAllObservationsOfTheEndpoint(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "1")
		c.register("ps/b", "2")
		c.publish("ps/a", "x")
		d.Advance(94 * time.Second)
		if n := len(c.RecvAll()); n != 5 {
			t.Errorf("%d transmissions", n)
		}
		c.publish("ps/b", "y", non)
		c.silent()
		if counter(d, "coap_observers") != 0 || counter(d, "coap_observers_removed_total", "timeout") != 2 {
			t.Error("still counted")
		}
	})
}

func TestCoAP_O10_ShutdownIsTheLastNotification(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		d.Shutdown()
		m := c.must()
		if m.Code != message.ServiceUnavailable || m.Token.String() != "6f" {
			t.Fatal(m)
		}
		absent(t, m, message.Observe)
	})
}

func TestCoAP_O10_KickedObserverIsToldForbidden(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.register("ps/a", "o")
		c.ep.peers[source{addr: c.Addr}].handle.Evict(core.Kicked)
		d.Settle()
		if m := c.must(); m.Code != message.Forbidden {
			t.Fatal(m)
		}
	})
}

func TestCoAP_O12_NothingOvertakesTheRegistrationsResponse(t *testing.T) {
	t.Parallel()
	auth := new(gate)
	scriptWith(t, Config{}, adaptertest.Options{Auth: auth}, func(d *adaptertest.Driver, c *client) {
		auth.open = make(chan struct{})
		c.send(c.build(message.GET, "ps/a", token("o"), observe(0)))
		m, _ := c.until(100*time.Millisecond, 2*time.Second)
		if m == nil || m.Code != message.Empty {
			t.Fatal(m)
		}
		close(auth.open)
		d.Settle()
		answer := c.must()
		if answer.Type != message.CON || answer.Code != message.Content {
			t.Fatal(answer)
		}
		c.publish("ps/a", "1", non)
		c.silent()
		c.ack(answer)
		if n := c.must(); string(n.Payload) != "1" || !newer(uintOption(t, n, message.Observe), uintOption(t, answer, message.Observe)) {
			t.Fatal(n)
		}
	})
}

func TestCoAP_O18_BeyondTheLimitsThereIsAValueAndNoObserve(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"endpoint": {ObservesPerEndpoint: 2}, "source": {ObservesPerSource: 2}, "all": {MaxObserves: 2},
	} {
		script(t, cfg, func(d *adaptertest.Driver, c *client) {
			c.expect(message.Created, message.PUT, "ps/a", payload("v"))
			c.register("ps/a", "1")
			c.register("ps/a", "2")
			m := c.register("ps/a", "3")
			absent(t, m, message.Observe)
			if string(m.Payload) != "v" {
				t.Errorf("%s: %v", name, m)
			}
			c.reset(c.observed("ps/a", 2)[0])
			uintOption(t, c.register("ps/a", "3"), message.Observe)
		})
	}
}

// observed publishes once and returns the n notifications.
func (c *client) observed(path string, n int) (ms []*message.Message) {
	c.t.Helper()
	c.publish(path, "seen", non)
	for m := c.next(); m != nil; m = c.next() {
		ms = append(ms, m)
	}
	if len(ms) != n {
		c.t.Fatalf("%d notifications, want %d", len(ms), n)
	}
	return ms
}
