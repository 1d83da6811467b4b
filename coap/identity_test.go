package coap

import (
	"context"
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

// gate lets everybody in, once it is open. The channel is made inside the
// bubble of the test.
type gate struct{ open chan struct{} }

func (g *gate) Authenticate(ctx context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	<-g.open
	return core.Anonymous, core.OK
}

// users knows one user, and nobody anonymous.
type users struct{}

func (users) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	if c.HasUser && c.User == "u" && string(c.Password) == "p" {
		return &core.Principal{User: "u", Namespace: core.DefaultNamespace, Method: "password"}, core.OK
	}
	return nil, core.NotAuthenticated
}

// rules lets a user publish and read below his name.
type rules struct{}

func (rules) Authorize(p *core.Principal, a core.Action, topic string) bool {
	return topic == p.User || len(topic) > len(p.User) && topic[:len(p.User)+1] == p.User+"/"
}

func TestCoAP_Section6_CredentialsInTheQuery(t *testing.T) {
	t.Parallel()
	o := adaptertest.Options{Auth: users{}, Core: func(o *core.Options) { o.Authorizer = rules{} }}
	scriptWith(t, Config{AllowPlain: true}, o, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Unauthorized, message.PUT, "ps/u/a", payload("x"))
		c.expect(message.Unauthorized, message.PUT, "ps/u/a?u=u&p=wrong", payload("x"))
		c.expect(message.Created, message.PUT, "ps/u/a?u=u&p=p", payload("x"))
		c.expect(message.Forbidden, message.PUT, "ps/other?u=u&p=p", payload("x"))
		c.expect(message.Forbidden, message.GET, "ps/other?u=u&p=p")
		c.expect(message.Forbidden, message.GET, "ps/other?u=u&p=p", observe(0))
		c.expect(message.Content, message.GET, "ps/u/a?u=u&p=p")
		c.expect(message.Unauthorized, message.GET, "ps/u/a")
	})
}

func TestCoAP_N8_CredentialsAreRefusedWithoutDTLSOffLoopback(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	o := adaptertest.Options{Auth: users{}, Log: slog.New(slog.NewTextHandler(&log, nil))}
	scriptWith(t, Config{}, o, func(d *adaptertest.Driver, c *client) {
		if m := c.expect(message.Unauthorized, message.GET, "ps/a?u=u&p=p"); string(m.Payload) != "a user and password need DTLS, or a client on this machine" {
			t.Fatal(m)
		}
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `msg=auth.denied reason="password without DTLS" protocol=coap`) || !strings.Contains(text, "user=u") {
			t.Errorf("log:\n%s", text)
		}
		local := &client{Peer: d.Peer(netip.MustParseAddrPort("127.0.0.1:4000")), t: t, d: d}
		local.expect(message.NotFound, message.GET, "ps/a?u=u&p=p")
	})
}

func TestCoAP_N4_UnknownConnectionTokenIsUnauthorized(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	scriptWith(t, Config{}, adaptertest.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, func(d *adaptertest.Driver, c *client) {
		c.expect(message.Unauthorized, message.GET, "ps/a?clientid=c&token=12345")
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "msg=auth.denied reason=token protocol=coap") || !strings.Contains(text, "client=c") || strings.Contains(text, "12345") {
			t.Errorf("log:\n%s", text)
		}
	})
}

func TestRequestWaitsForASlowLogin(t *testing.T) {
	t.Parallel()
	auth := new(gate)
	scriptWith(t, Config{}, adaptertest.Options{Auth: auth}, func(d *adaptertest.Driver, c *client) {
		auth.open = make(chan struct{})
		c.send(c.build(message.PUT, "ps/a", payload("1")))
		c.send(c.build(message.PUT, "ps/a", payload("2")))
		d.Advance(500 * time.Millisecond)
		c.silent()
		close(auth.open)
		d.Settle()
		if m := c.must(); m.Type != message.ACK || m.Code != message.Created {
			t.Fatal(m)
		}
		if m := c.must(); m.Code != message.Changed {
			t.Fatal(m)
		}
	})
}

func TestTooManyRequestsBehindALoginAreRefused(t *testing.T) {
	t.Parallel()
	auth := new(gate)
	scriptWith(t, Config{}, adaptertest.Options{Auth: auth}, func(d *adaptertest.Driver, c *client) {
		auth.open = make(chan struct{})
		for range maxSuspended + 1 {
			c.send(c.build(message.PUT, "ps/a", payload("1")))
		}
		m := c.must()
		if m.Code != message.ServiceUnavailable || uintOption(t, m, message.MaxAge) == 0 {
			t.Fatal(m)
		}
		close(auth.open)
		d.Settle()
	})
}
