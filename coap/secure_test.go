package coap

import (
	"context"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
)

// strict notes what is shown, and lets in who proves an identity or has a
// password, unless both name somebody.
type strict struct{ seen chan adapters.Credentials }

func (s strict) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	s.seen <- c
	switch {
	case c.PSKIdentity != "" && !c.HasUser:
		return &core.Principal{User: c.PSKIdentity, ClientID: c.ClientID}, core.OK
	case c.PSKIdentity == "" && c.HasUser && string(c.Password) == "p":
		return &core.Principal{User: c.User, ClientID: c.ClientID}, core.OK
	}
	return nil, core.NotAuthenticated
}

// over sends a request through an association and returns the answer.
func (c *client) over(a *adapters.Association, method message.Code, path string, options ...option) *message.Message {
	c.t.Helper()
	c.Association = a
	return c.ask(method, path, options...)
}

func TestCoAP_Section6_WhatDTLSProves(t *testing.T) {
	t.Parallel()
	auth := strict{make(chan adapters.Credentials, 10)}
	scriptWith(t, Config{AddressProof: "on"}, adaptertest.Options{Auth: auth}, func(d *adaptertest.Driver, c *client) {
		key := &adapters.Association{Remote: c.Addr, PSKIdentity: "dev1"}
		if m := c.over(key, message.PUT, "ps/a", payload("x")); m.Code != message.Created {
			t.Fatal(m)
		}
		if got := <-auth.seen; got.PSKIdentity != "dev1" || !got.TLS || got.HasUser {
			t.Errorf("%+v", got)
		}
		if m := c.over(key, message.GET, "ps/a?c=one"); m.Code != message.Content { // an identifier of its own
			t.Fatal(m)
		}
		if got := <-auth.seen; got.ClientID != "one" {
			t.Errorf("%+v", got)
		}
		if m := c.over(key, message.GET, "ps/a?u=dev2&p=p"); m.Code != message.Unauthorized { // U1
			t.Fatal(m)
		}
		if got := <-auth.seen; got.PSKIdentity != "dev1" || got.User != "dev2" {
			t.Errorf("%+v", got)
		}
		// N8: a password may be sent through an association, whatever proves the server.
		plain := &adapters.Association{Remote: c.Addr}
		if m := c.over(plain, message.GET, "ps/a?u=u&p=p"); m.Code != message.Content {
			t.Fatal(m)
		}
		<-auth.seen
		if m := c.over(plain, message.GET, "ps/a"); m.Code != message.Unauthorized {
			t.Fatal(m)
		}
		<-auth.seen
	})
}

func TestCoAP_O5_ObservationsBelongToTheAssociation(t *testing.T) {
	t.Parallel()
	auth := strict{make(chan adapters.Credentials, 10)}
	scriptWith(t, Config{AddressProof: "on"}, adaptertest.Options{Auth: auth}, func(d *adaptertest.Driver, c *client) {
		first := &adapters.Association{Remote: c.Addr, PSKIdentity: "dev1"}
		second := &adapters.Association{Remote: c.Addr, PSKIdentity: "dev2"}
		if m := c.over(first, message.GET, "ps/a/+", observe(0)); m.Code != message.Content { // S1: no Echo is asked for
			t.Fatal(m)
		}
		if c.ep.Idle(first) || !c.ep.Idle(second) {
			t.Error("idle")
		}
		note := c.over(second, message.PUT, "ps/a/b", payload("x"))
		if m := c.must(); note.Code != message.Content || string(note.Payload) != "x" || m.Code != message.Created {
			t.Fatal(note, m)
		}
		c.Association = first
		c.HangUp()
		if !c.ep.Idle(first) || c.ep.Idle(second) || c.ep.room.observes.value() != 0 {
			t.Error("the observation outlives its association")
		}
	})
}
