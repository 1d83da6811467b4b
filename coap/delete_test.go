package coap

import (
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
)

// delete deletes by a client of its own.
func (c *client) delete(path string, options ...option) {
	c.t.Helper()
	p := c.another()
	p.send(p.build(message.DELETE, path, options...))
	if m := p.must(); m.Code != message.Deleted {
		c.t.Fatalf("DELETE %s: %v", path, m)
	}
}

// ended takes the last notification of an observation and acknowledges it.
func (c *client) ended(tok string) {
	c.t.Helper()
	m := c.must()
	if m.Code != message.NotFound || m.Type != message.CON || string(m.Token.AppendTo(nil)) != tok || len(m.Payload) > 0 {
		c.t.Fatalf("no end of %q: %v", tok, m)
	}
	absent(c.t, m, message.Observe)
	c.ack(m)
}

// RFC 7641, section 4.2; TD_COAP_OBS_08 of ETSI's test descriptions.
func TestCoAP_O10_Q12_DELETEEndsTheObservationsOfItsTopic(t *testing.T) {
	t.Parallel()
	for _, notify := range []string{"qos", "non", "con"} {
		for name, options := range map[string][]option{"CON": nil, "NON": {non}} {
			script(t, Config{Notify: notify}, func(d *adaptertest.Driver, c *client) {
				c.expect(message.Created, message.PUT, "ps/a", payload("v"))
				c.register("ps/a", "o")
				c.register("ps/a?qos=0&env=cbor", "p")
				wild := c.another()
				wild.register("ps/+", "w")
				other := c.another()
				other.register("ps/b", "b")
				c.delete("ps/a", options...)
				c.ended("o")
				c.ended("p")
				if m := wild.must(); m.Code != message.Content || len(m.Payload) > 0 {
					t.Fatalf("%s, %s: the wildcard got %v", notify, name, m)
				} else if uintOption(t, m, message.Observe); m.Type == message.CON {
					wild.ack(m)
				}
				if n := counter(d, "coap_observers_removed_total", "deleted"); n != 2 || len(c.ep.peers[source{addr: c.Addr}].observations) != 0 {
					t.Errorf("%s, %s: %d removed", notify, name, n)
				}
				c.publish("ps/a", "again")
				c.silent()
				if m := wild.must(); string(m.Payload) != "again" {
					t.Fatal(m)
				}
				c.register("ps/a", "o") // there as before
				c.publish("ps/a", "2")
				if m := c.must(); string(m.Payload) != "2" {
					t.Fatal(m)
				}
				other.silent()
			})
		}
	}
}

// Who deletes may be who observes. The end comes while the answer waits until
// the deletion is stored.
func TestCoAP_O10_TheObserverThatDeletes(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("v"))
		c.register("ps/a", "o")
		c.send(c.build(message.DELETE, "ps/a"))
		c.ended("o")
		if m := c.must(); m.Code != message.Deleted {
			t.Fatal(m)
		}
		c.expect(message.NotFound, message.DELETE, "ps/a")
		c.register("ps/a", "o")
		c.expect(message.NotFound, message.DELETE, "ps/a") // nothing was deleted
		c.silent()
	})
}

// An empty value clears the topic, which goes on: it can be observed without a
// value (R10).
func TestCoAP_R10_AnEmptyValueEndsNoObservation(t *testing.T) {
	t.Parallel()
	script(t, Config{}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("v"))
		c.register("ps/a", "o")
		p := c.another()
		p.expect(message.Changed, message.PUT, "ps/a")
		for _, want := range []string{"", "w"} {
			m := c.must()
			if m.Code != message.Content || string(m.Payload) != want {
				t.Fatal(m)
			}
			uintOption(t, m, message.Observe)
			c.ack(m)
			if want == "" {
				p.expect(message.Created, message.PUT, "ps/a", payload("w"))
			}
		}
	})
}

// O15: a notification that is sent again tells of the end instead.
func TestCoAP_O15_TheEndReplacesAStateThatIsSentAgain(t *testing.T) {
	t.Parallel()
	script(t, Config{Notify: "con"}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Created, message.PUT, "ps/a", payload("v"))
		c.register("ps/a?qos=0", "o")
		c.publish("ps/a", "1")
		first := c.must()
		c.delete("ps/a")
		c.silent()
		m, _ := c.until(100*time.Millisecond, 10*time.Second)
		if m == nil || m.Code != message.NotFound || m.ID == first.ID || m.Type != message.CON {
			t.Fatalf("after %v: %v", first, m)
		}
		absent(t, m, message.Observe)
		if n := counter(d, "coap_observers_removed_total", "deleted"); n != 1 {
			t.Errorf("%d removed", n)
		}
		again, _ := c.until(100*time.Millisecond, 20*time.Second)
		if again == nil || again.Code != message.NotFound || again.ID != m.ID {
			t.Fatalf("not repeated: %v", again)
		}
		c.ack(again)
		c.publish("ps/a", "2")
		if m, _ := c.until(time.Second, 2*time.Minute); m != nil {
			t.Fatal(m)
		}
	})
}

// A subscription that lasts goes on: what follows the deletion waits for who
// registers again.
func TestCoAP_O20_ADeletionEndsTheObservationNotWhatIsKept(t *testing.T) {
	t.Parallel()
	for nstart, after := range map[int]string{1: "b=2 b=3", 4: "b=1 b=2 b=3"} { // with 4, what was not acknowledged comes again
		keptOn(t, nstart, after)
	}
}

func keptOn(t *testing.T, nstart int, after string) {
	t.Helper()
	scriptWith(t, Config{AllowPlain: true, NStart: nstart}, connectionRules(), func(d *adaptertest.Driver, c *client) {
		with := c.connect(keeping)
		c.expect(message.Created, message.PUT, "ps/u/a?u=u&p=p", payload("v"))
		c.register("ps/u/a"+with, "a")
		c.register("ps/u/b"+with, "x")
		if nstart > 1 { // all places are taken, so that what follows is taken together
			for i := range nstart {
				c.say("ps/u/b", string(rune('0'+i)))
			}
			for range nstart {
				c.must()
			}
		}
		c.say("ps/u/a", "1") // held back by NSTART, all that follows too
		c.delete("ps/u/a?u=u&p=p")
		c.say("ps/u/a", "2")
		if nstart > 1 {
			c.expect(message.Content, message.GET, "ps/u/b"+with, token("x"), observe(1))
		}
		m := c.must()
		if string(m.Payload) != "1" {
			t.Fatal(m)
		}
		if nstart == 1 {
			c.ack(m)
		}
		c.ended("a")
		c.silent()
		c.say("ps/u/a", "3")
		c.silent()
		c.register("ps/u/a"+with, "b")
		c.hears(after)
		c.another().expect(message.Created, message.PUT, "ps/u/a?u=u&p=p", payload("x"))
		c.hears("b=x")
		c.delete("ps/u/a?u=u&p=p")
		c.ended("b")
	})
}

// Who is back gets what was deleted meanwhile as an empty value, in its place.
func TestCoAP_N8_WhatWasDeletedBeforeTheRegistrationEndsNothing(t *testing.T) {
	t.Parallel()
	scriptWith(t, Config{AllowPlain: true}, connectionRules(), func(d *adaptertest.Driver, c *client) {
		c.register("ps/u/a"+c.connect(keeping), "a")
		d.Advance(46 * time.Second)
		p := c.another()
		p.expect(message.Created, message.PUT, "ps/u/a?u=u&p=p", payload("1"))
		c.delete("ps/u/a?u=u&p=p")
		c.say("ps/u/a", "2")
		with := c.connect(keeping)
		c.register("ps/u/a"+with, "b")
		c.hears("b=1 b= b=2")
		p.expect(message.Created, message.PUT, "ps/u/a?u=u&p=p", payload("3"))
		c.hears("b=3")
		c.delete("ps/u/a?u=u&p=p")
		c.ended("b")
	})
}
