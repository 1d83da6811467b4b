package coap

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

const keeping = "mqtt/connection?clientid=c&username=u&password=p&clean=false"

// connect opens a connection and returns the query that requests by it have.
func (c *client) connect(path string) (with string) {
	c.t.Helper()
	return "?clientid=c&token=" + string(c.expect(message.Created, message.POST, path).Payload)
}

// at is another client on the network, at an address.
func (c *client) at(addr string) *client {
	return &client{Peer: c.d.Peer(netip.MustParseAddrPort(addr)), t: c.t, d: c.d, id: 5000}
}

// say publishes with QoS 1 by a login of its own.
func (c *client) say(path, body string) { c.t.Helper(); c.publish(path+"?u=u&p=p", body) }

// hear takes notifications by CON and acknowledges each, until none is left; TOKEN=PAYLOAD.
func (c *client) hear() string {
	c.t.Helper()
	var all []string
	for m := c.next(); m != nil; m = c.next() {
		if m.Code != message.Content {
			c.t.Fatalf("%v", m)
		}
		if m.Type == message.CON {
			c.ack(m)
		}
		all = append(all, string(m.Token.AppendTo(nil))+"="+string(m.Payload))
	}
	return strings.Join(all, " ")
}

func (c *client) hears(want string) {
	c.t.Helper()
	if got := c.hear(); got != want {
		c.t.Errorf("heard %q, want %q", got, want)
	}
}

func TestCoAP_N1_O20_N8_WhatALostConnectionObservedWaitsForIt(t *testing.T) {
	t.Parallel()
	scriptWith(t, Config{AllowPlain: true}, connectionRules(), func(d *adaptertest.Driver, c *client) {
		with := c.connect(keeping)
		c.register("ps/u/a"+with, "a")
		c.register("ps/u/+/b"+with, "b")
		c.say("ps/u/a", "1")
		c.say("ps/u/x/b", "2")
		c.hears("a=1 b=2")
		d.Advance(46 * time.Second) // N2: it is lost
		c.expect(message.Unauthorized, message.PUT, "mqtt/connection"+with)
		for i := range 5 {
			c.say("ps/u/a", fmt.Sprint("a", i))
			c.say("ps/u/y/b", fmt.Sprint("b", i))
		}
		c.silent()
		with = c.connect(keeping)
		c.silent() // who is back registers again
		c.register("ps/u/+/b"+with, "B")
		c.hears("B=b0 B=b1 B=b2 B=b3 B=b4")
		c.say("ps/u/a", "a5")
		c.register("ps/u/a"+with, "A")
		c.say("ps/u/a", "a6")
		c.hears("A=a0 A=a1 A=a2 A=a3 A=a4 A=a5 A=a6")
	})
}

func TestCoAP_N1_WithoutCleanFalseNothingWaits(t *testing.T) {
	t.Parallel()
	for _, clean := range []string{"", "&clean=true", "&clean"} {
		scriptWith(t, Config{AllowPlain: true}, connectionRules(), func(d *adaptertest.Driver, c *client) {
			login := "mqtt/connection?clientid=c&username=u&password=p" + clean
			c.expect(message.BadRequest, message.POST, "mqtt/connection?clientid=c&username=u&password=p&clean=no")
			c.register("ps/u/a"+c.connect(login), "a")
			d.Advance(46 * time.Second)
			c.say("ps/u/a", "1")
			c.register("ps/u/a"+c.connect(login), "a")
			c.silent()
		})
	}
}

// A connection that is made clean ends what was kept; so does session_expiry.
func TestCoAP_N1_WhatIsKeptEnds(t *testing.T) {
	t.Parallel()
	clean := "mqtt/connection?clientid=c&username=u&password=p"
	for _, tc := range []struct {
		name  string
		after time.Duration
		again string
		want  string
	}{
		{"in time", time.Hour - 2*time.Minute, keeping, "a=1"},
		{"too late", time.Hour + time.Minute, keeping, ""},
		{"made clean", time.Minute, clean, ""},
	} {
		scriptWith(t, Config{AllowPlain: true, SessionExpiry: time.Hour}, connectionRules(), func(d *adaptertest.Driver, c *client) {
			c.register("ps/u/a"+c.connect(keeping), "a")
			d.Advance(46 * time.Second)
			c.say("ps/u/a", "1")
			d.Advance(tc.after)
			c = c.another()
			with := c.connect(tc.again)
			c.register("ps/u/a"+with, "a")
			if got := c.hear(); got != tc.want {
				t.Errorf("%s: heard %q", tc.name, got)
			}
		})
	}
}

// DELETE ends the connection, not what is kept (N3); another principal's is another (N6).
func TestCoAP_N3_N6_TheSessionBelongsToItsPrincipal(t *testing.T) {
	t.Parallel()
	scriptWith(t, Config{AllowPlain: true}, adaptertest.Options{Auth: named{}}, func(d *adaptertest.Driver, c *client) {
		with := c.connect(keeping)
		c.register("ps/u/a"+with, "a")
		c.expect(message.Deleted, message.DELETE, "mqtt/connection"+with)
		c.say("ps/u/a", "1")
		eve := c.another()
		eve.register("ps/u/a"+eve.connect(strings.Replace(keeping, "username=u", "username=eve", 1)), "e")
		eve.silent()
		c.register("ps/u/a"+c.connect(keeping), "a")
		c.hears("a=1")
		c.say("ps/u/a", "2")
		eve.hears("e=2")
		c.hears("a=2")
	})
}

// The end of an observation by its client ends its subscription (O2, O8), and what has waited for it.
func TestCoAP_O20_WhoEndsAnObservationIsSentNothingLater(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *client, with string){
		"Observe 1": func(c *client, with string) { c.ask(message.GET, "ps/u/a"+with, token("a"), observe(1)) },
		"Reset": func(c *client, with string) {
			c.say("ps/u/a", "x")
			c.reset(c.must())
		},
		"another path for its token": func(c *client, with string) { c.register("ps/u/b"+with, "a") },
	} {
		scriptWith(t, Config{AllowPlain: true}, connectionRules(), func(d *adaptertest.Driver, c *client) {
			with := c.connect(keeping)
			c.register("ps/u/a"+with, "a")
			end(c, with)
			c.say("ps/u/a", "1")
			c.silent()
			d.Advance(46 * time.Second)
			c.say("ps/u/a", "2")
			c.register("ps/u/a"+c.connect(keeping), "a")
			if got := c.hear(); got != "" {
				t.Errorf("%s: heard %q", name, got)
			}
		})
	}
}

// A notification that nobody acknowledged comes again, and before those behind it (O9).
func TestCoAP_O9_O20_WhatWasNotAcknowledgedComesAgainInOrder(t *testing.T) {
	t.Parallel()
	scriptWith(t, Config{AllowPlain: true, MaxRetransmit: 1, Heartbeat: time.Hour}, connectionRules(), func(d *adaptertest.Driver, c *client) {
		with := c.connect(keeping)
		c.register("ps/u/a"+with, "a")
		c.say("ps/u/a", "1")
		c.say("ps/u/a", "2")
		c.say("ps/u/a", "3")
		d.Advance(20 * time.Second) // sent twice, given up
		if n := len(c.RecvAll()); n != 2 || counter(d, "coap_observers") != 0 {
			t.Fatalf("%d datagrams, %d observers", n, counter(d, "coap_observers"))
		}
		c.say("ps/u/a", "4")
		c.silent()
		c.register("ps/u/a"+with, "a")
		c.hears("a=1 a=2 a=3 a=4")
	})
}

// A valid token from another address takes the observations along (N5).
func TestCoAP_N5_TheObservationsOfALastingSessionMove(t *testing.T) {
	t.Parallel()
	scriptWith(t, Config{AllowPlain: true}, connectionRules(), func(d *adaptertest.Driver, c *client) {
		with := c.connect(keeping)
		seq := uintOption(t, c.register("ps/u/a"+with, "a"), message.Observe)
		c.register("ps/u/b"+with, "b")
		n := 0
		for i := range 5 {
			c.say("ps/u/a", fmt.Sprint(i)) // to the address before, which is silent
			c.RecvAll()
			there := c.at(fmt.Sprint("127.0.0.1:", 4000+i))
			there.expect(message.Changed, message.PUT, "mqtt/connection"+with)
			c.say("ps/u/b", fmt.Sprint(i))
			for m := there.next(); m != nil; m = there.next() {
				if now := uintOption(t, m, message.Observe); !newer(now, seq) && m.Token.String() == "61" {
					t.Errorf("%d after %d", now, seq)
				} else if m.Token.String() == "61" {
					seq = now
				}
				there.ack(m)
				n++
			}
			c.silent()
			c = there
		}
		if n != 10 || counter(d, "coap_observers") != 2 || counter(d, "coap_observers_removed_total", "deleted") != 0 {
			t.Errorf("%d notifications, %d observers", n, counter(d, "coap_observers"))
		}
	})
}

// Two tokens of one filter: the second observation ends with the connection. Overlapping filters get a copy each.
func TestCoAP_O5_O20_AFilterIsKeptOnce(t *testing.T) {
	t.Parallel()
	scriptWith(t, Config{AllowPlain: true}, connectionRules(), func(d *adaptertest.Driver, c *client) {
		with := c.connect(keeping)
		c.register("ps/u/a"+with, "1")
		c.register("ps/u/a"+with, "2")
		c.register("ps/u/#"+with, "3")
		c.say("ps/u/a", "x")
		got := c.hear()
		if len(got) != 11 || !strings.Contains(got, "1=x") || !strings.Contains(got, "2=x") || !strings.Contains(got, "3=x") {
			t.Error(got)
		}
		d.Advance(46 * time.Second)
		c.say("ps/u/a", "y")
		with = c.connect(keeping)
		c.register("ps/u/a"+with, "2")
		c.hears("2=y")
		c.register("ps/u/#"+with, "3")
		c.hears("3=y")
	})
}

// What waits for a filter that is not observed again holds others up for a while only, and is bounded by observe_queue then.
func TestCoAP_O14_O20_AFilterThatIsNotObservedAgainStopsNobody(t *testing.T) {
	t.Parallel()
	scriptWith(t, Config{AllowPlain: true, ObserveQueue: 3}, connectionRules(), func(d *adaptertest.Driver, c *client) {
		with := c.connect(keeping)
		c.register("ps/u/a"+with, "a")
		c.register("ps/u/b"+with, "b")
		d.Advance(46 * time.Second)
		for i := range 6 {
			c.say("ps/u/b", fmt.Sprint(i))
		}
		c.say("ps/u/a", "x")
		with = c.connect(keeping)
		c.register("ps/u/a"+with, "a")
		c.silent()
		d.Advance(40 * time.Second)
		c.expect(message.Changed, message.PUT, "mqtt/connection"+with)
		c.silent()
		d.Advance(6 * time.Second) // it has had the time that a connection has
		c.hears("a=x")
		if n := counter(d, "messages_dropped_total", Protocol, "queue_full"); n != 4 {
			t.Errorf("%d were dropped", n)
		}
		c.register("ps/u/b"+with, "b")
		c.hears("b=4 b=5")
	})
}

// A registration is answered when its subscription is stored; if it cannot be, it is refused (N1).
func TestCoAP_O20_ARegistrationWaitsForTheStore(t *testing.T) {
	t.Parallel()
	slow := &slowStore{Store: adaptertest.NewStore()}
	o := connectionRules()
	o.Core = func(c *core.Options) { c.Authorizer, c.Store = rules{}, slow }
	scriptWith(t, Config{AllowPlain: true}, o, func(d *adaptertest.Driver, c *client) {
		with := c.connect(keeping)
		slow.delay = 300 * time.Millisecond
		c.send(c.build(message.GET, "ps/u/a"+with, token("a"), observe(0)))
		c.silent()
		d.Advance(400 * time.Millisecond)
		if m := c.must(); m.Code != message.Content {
			t.Fatal(m)
		}
		slow.delay, slow.err = 0, errors.New("broken")
		if m := c.ask(message.GET, "ps/u/b"+with, token("b"), observe(0)); m.Code != message.ServiceUnavailable {
			t.Fatal(m)
		}
		if counter(d, "coap_observers") != 1 {
			t.Errorf("%d observers", counter(d, "coap_observers"))
		}
	})
}

// What is kept survives the gateway (8.1).
func TestCoAP_O20_ARestartKeepsWhatIsKept(t *testing.T) {
	t.Parallel()
	store := adaptertest.NewStore()
	o := connectionRules()
	o.Store = store
	scriptWith(t, Config{AllowPlain: true}, o, func(d *adaptertest.Driver, c *client) {
		with := c.connect(keeping)
		c.register("ps/u/a"+with, "a")
		c.register("ps/u/b"+with, "b")
		c.say("ps/u/a", "1")
		c.must() // and not acknowledged
		c.say("ps/u/b", "2")
	})
	scriptWith(t, Config{AllowPlain: true}, o, func(d *adaptertest.Driver, c *client) {
		c.say("ps/u/a", "3")
		with := c.connect(keeping)
		c.register("ps/u/b"+with, "b")
		c.hears("b=2")
		c.register("ps/u/a"+with, "a")
		c.hears("a=1 a=3")
	})
}

// A subscription that the rules take away ends its observation (SECURITY Z9).
func TestCoAP_Z9_O20_AnObservationEndsWithTheRightToIt(t *testing.T) {
	t.Parallel()
	var no atomic.Bool
	o := adaptertest.Options{Auth: named{}, Core: func(o *core.Options) { o.Authorizer = revocable{&no} }}
	scriptWith(t, Config{AllowPlain: true}, o, func(d *adaptertest.Driver, c *client) {
		with := c.connect(keeping)
		c.register("ps/u/a"+with, "a")
		c.register("ps/u/b"+with, "b")
		no.Store(true)
		d.Router.Recheck()
		d.Advance(2 * time.Second)
		m := c.must()
		if m.Code != message.Forbidden || string(m.Token.AppendTo(nil)) != "a" {
			t.Fatal(m)
		}
		c.ack(m)
		c.say("ps/u/b", "1")
		c.hears("b=1")
	})
}

// revocable takes the right to u/a away.
type revocable struct{ no *atomic.Bool }

func (r revocable) Authorize(_ *core.Principal, a core.Action, name string) bool {
	return name != "u/a" || !r.no.Load()
}

// named lets everybody in by the name that he says.
type named struct{}

func (named) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	return &core.Principal{User: c.User, Namespace: core.DefaultNamespace, Method: "password"}, core.OK
}

// Another connection of the same client takes the session over, and what was not acknowledged (N6).
func TestCoAP_N6_O20_WhoTakesOverGetsWhatTheOtherDidNotAcknowledge(t *testing.T) {
	t.Parallel()
	scriptWith(t, Config{AllowPlain: true}, connectionRules(), func(d *adaptertest.Driver, c *client) {
		first := c.connect(keeping)
		c.register("ps/u/a"+first, "a")
		c.say("ps/u/a", "1")
		c.must()
		there := c.another()
		second := there.connect(keeping)
		c.RecvAll() // its farewell
		c.expect(message.Unauthorized, message.PUT, "mqtt/connection"+first)
		c.say("ps/u/a", "2")
		there.register("ps/u/a"+second, "b")
		there.hears("b=1 b=2")
		if n := counter(d, "coap_observers"); n != 1 {
			t.Errorf("%d observers", n)
		}
	})
}
