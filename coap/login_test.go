package coap

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// loginFunc is an authenticator.
type loginFunc func(context.Context, adapters.Credentials) (*core.Principal, core.Reason)

func (f loginFunc) Authenticate(ctx context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	return f(ctx, c)
}

// openOr lets anybody in: by name, or anonymously.
func openOr(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	if !c.HasUser {
		return core.Anonymous, core.OK
	}
	return &core.Principal{User: c.User, Namespace: core.DefaultNamespace, Method: "password"}, core.OK
}

func TestSECURITY_Z12_Z13_ADeniedWriteAsksTheAnonymousToLogIn(t *testing.T) {
	t.Parallel()
	o := adaptertest.Options{Auth: loginFunc(openOr), Core: func(o *core.Options) { o.Authorizer = rules{} }}
	scriptWith(t, Config{AllowPlain: true}, o, func(d *adaptertest.Driver, c *client) {
		for _, topic := range []string{"ps/u/a", "ps/$queue/q"} {
			c.expect(message.Unauthorized, message.PUT, topic, payload("x"))
			c.expect(message.Unauthorized, message.POST, topic, payload("x"))
			c.expect(message.Forbidden, message.PUT, topic+"?u=eve&p=p", payload("x"))
			c.expect(message.Forbidden, message.POST, topic+"?u=eve&p=p", payload("x"))
		}
		c.expect(message.Unauthorized, message.DELETE, "ps/u/a")
		c.expect(message.Forbidden, message.DELETE, "ps/u/a?u=eve&p=p")
		c.expect(message.Forbidden, message.GET, "ps/u/a", observe(0))
		c.expect(message.Forbidden, message.GET, "ps/u/a")
		c.expect(message.Created, message.PUT, "ps/u/a?u=u&p=p", payload("x"))
	})
}

func TestSECURITY_Expires_TheEndOfTheLoginIsToldBy401(t *testing.T) {
	t.Parallel()
	var ends time.Time
	once := func(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
		if c.HasUser && time.Now().After(ends) { // as a token does
			return nil, core.NotAuthenticated
		}
		p, _ := openOr(context.Background(), c)
		if c.HasUser {
			p.Expires = ends
		}
		return p, core.OK
	}
	scriptWith(t, Config{AllowPlain: true}, adaptertest.Options{Auth: loginFunc(once)}, func(d *adaptertest.Driver, c *client) {
		ends = time.Now().Add(time.Minute)
		const login = "?u=u&p=token"
		c.register("ps/a"+login, "mine")
		c.register("ps/a", "open") // of the anonymous one at the same address
		with := "?clientid=c&token=" + string(c.expect(message.Created, message.POST, "mqtt/connection?clientid=c&username=u&password=token").Payload)
		d.Advance(30 * time.Second)
		c.expect(message.Changed, message.PUT, "mqtt/connection"+with)
		d.Advance(time.Until(ends) - time.Second)
		c.expect(message.Changed, message.PUT, "mqtt/connection"+with)
		c.silent()
		d.Advance(1100 * time.Millisecond) // a tick comes up to 100 ms late
		m := c.must()
		if mine, _ := message.NewToken([]byte("mine")); m.Code != message.Unauthorized || m.Token != mine {
			t.Fatal(m)
		}
		absent(t, m, message.Observe)
		c.ack(m)
		c.silent()
		if n := counter(d, "coap_observers"); n != 1 {
			t.Errorf("%d observers", n)
		}
		c.expect(message.Unauthorized, message.GET, "ps/a"+login)
		c.expect(message.Unauthorized, message.PUT, "mqtt/connection"+with)
		c.expect(message.Unauthorized, message.GET, "ps/a"+with)
		c.expect(message.NotFound, message.GET, "ps/a")
	})
}

// F6: a token is good for whom it was given, and there is no telling a token
// of somebody else's from one that never was.
func TestSECURITY_F6_ATokenIsNoOneElses(t *testing.T) {
	t.Parallel()
	byKey := func(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
		switch {
		case c.PSKIdentity != "":
			return &core.Principal{User: c.PSKIdentity, Method: "psk"}, core.OK
		case c.HasUser:
			return &core.Principal{User: c.User, Method: "password"}, core.OK
		}
		return core.Anonymous, core.OK
	}
	scriptWith(t, Config{}, adaptertest.Options{Auth: loginFunc(byKey)}, func(d *adaptertest.Driver, c *client) {
		key := &adapters.Association{Remote: c.Addr, PSKIdentity: "dev1"}
		m := c.over(key, message.POST, "mqtt/connection?clientid=c")
		if m.Code != message.Created {
			t.Fatal(m)
		}
		with := "?clientid=c&token=" + string(m.Payload)
		want := c.over(&adapters.Association{Remote: c.Addr, PSKIdentity: "dev2"}, message.GET, "ps/a?clientid=c&token=AAAAAAAAAAAAAAAAAAAAAA")
		for name, a := range map[string]*adapters.Association{
			"another identity": {Remote: c.Addr, PSKIdentity: "dev2"},
			"no identity":      {Remote: c.Addr},
			"a certificate":    {Remote: c.Addr, Certificate: &adapters.Certificate{CommonName: "dev1"}},
			"no association":   nil,
		} {
			for _, path := range []string{"ps/a" + with, "mqtt/connection" + with} {
				method := message.PUT
				if m := c.over(a, method, path, payload("x")); m.Code != message.Unauthorized || string(m.Payload) != string(want.Payload) {
					t.Errorf("%s: %v %v", name, m, want)
				}
			}
			if m := c.over(a, message.DELETE, "mqtt/connection"+with); m.Code != message.Unauthorized {
				t.Errorf("%s: %v", name, m)
			}
		}
		if m := c.over(&adapters.Association{Remote: c.Addr, PSKIdentity: "dev1"}, message.PUT, "mqtt/connection"+with); m.Code != message.Changed {
			t.Errorf("a new handshake of the same identity: %v", m) // N5
		}
		// One that was made without DTLS is no good over it.
		local := &client{Peer: d.Peer(netip.MustParseAddrPort("127.0.0.1:4000")), t: t, d: d}
		plain := "?clientid=d&token=" + string(local.expect(message.Created, message.POST, "mqtt/connection?clientid=d&u=ann&p=p").Payload)
		if m := c.over(&adapters.Association{Remote: c.Addr, PSKIdentity: "dev2"}, message.PUT, "mqtt/connection"+plain); m.Code != message.Unauthorized {
			t.Error(m)
		}
		local.expect(message.Changed, message.PUT, "mqtt/connection"+plain)
	})
}

func TestSECURITY_U13_ALoginThatIsHeldBackEndsWith401(t *testing.T) {
	t.Parallel()
	held := func(ctx context.Context, _ adapters.Credentials) (*core.Principal, core.Reason) {
		<-ctx.Done()
		return nil, core.NotAuthenticated
	}
	scriptWith(t, Config{AllowPlain: true}, adaptertest.Options{Auth: loginFunc(held)}, func(d *adaptertest.Driver, c *client) {
		c.send(c.build(message.GET, "ps/a?u=u&p=wrong"))
		d.Advance(4900 * time.Millisecond)
		if m := c.must(); m.Type != message.ACK || m.Code != message.Empty {
			t.Fatal(m)
		}
		c.silent()
		d.Advance(200 * time.Millisecond)
		m := c.must()
		if m.Code != message.Unauthorized {
			t.Fatal(m)
		}
		c.ack(m) // the bubble fails if a goroutine were left
	})
}

func TestSECURITY_F3_TakeoversOfAConnectionAreSlowedDown(t *testing.T) {
	t.Parallel()
	scriptWith(t, Config{AllowPlain: true}, adaptertest.Options{Auth: loginFunc(openOr)}, func(d *adaptertest.Driver, c *client) {
		const login, other = "mqtt/connection?clientid=c&u=ann&p=p", "mqtt/connection?clientid=c&u=eve&p=p"
		post := func(path string, want message.Code) (*client, string) {
			x := c.another()
			return x, "?clientid=c&token=" + string(x.expect(want, message.POST, path).Payload)
		}
		holder, with := post(login, message.Created)
		for range limit.TakeoverRate {
			holder, with = post(login, message.Created)
		}
		x, _ := post(login, message.TooManyRequests)
		post(other, message.Created) // a session of its own
		holder.expect(message.Changed, message.PUT, "mqtt/connection"+with)
		d.Advance(200 * time.Millisecond)
		x.expect(message.Created, message.POST, login)
		holder.expect(message.Unauthorized, message.PUT, "mqtt/connection"+with)
		for range 20 { // coming and going is no takeover
			token := string(x.expect(message.Created, message.POST, login).Payload)
			x.expect(message.Deleted, message.DELETE, "mqtt/connection?clientid=c&token="+token)
		}
	})
}
