package stomp

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// loginFunc is an authenticator.
type loginFunc func(context.Context, adapters.Credentials) (*core.Principal, core.Reason)

func (f loginFunc) Authenticate(ctx context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	return f(ctx, c)
}

func TestSECURITY_Expires_TheEndOfTheLoginIsAnERROR(t *testing.T) {
	for _, beat := range []string{"0,0", "0,10000"} {
		t.Run(beat, func(t *testing.T) {
			in(t, DefaultConfig(), func(w *world) {
				ends := time.Now().Add(time.Minute)
				w.room.host.Auth = loginFunc(func(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
					return &core.Principal{User: c.User, Namespace: core.DefaultNamespace, Expires: ends}, core.OK
				})
				p := w.connect("1.2", "login:user", "passcode:token", "heart-beat:"+beat)
				p.say("SUBSCRIBE", "id:1", "destination:/topic/a")
				w.pass(time.Minute - time.Millisecond)
				p.say("SEND", "destination:/topic/a", "", "x")
				p.bodies("x")
				w.pass(time.Millisecond)
				if p.errorFrame("access_refused"); p.reason != core.LoginExpired {
					t.Errorf("reason %v", p.reason)
				}
			})
		})
	}
}

// The default user is for those who show nothing at all.
func TestSTOMP_ST16_ACertificateWithoutALoginNamesThePrincipal(t *testing.T) {
	cfg := DefaultConfig()
	cfg.DefaultUser, cfg.DefaultPasscode = "user", "secret"
	in(t, cfg, func(w *world) {
		w.room.host.Auth = loginFunc(func(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
			switch {
			case c.Certificate != nil && !c.HasUser:
				return &core.Principal{User: c.Certificate.CommonName, Namespace: core.DefaultNamespace, Method: "cert"}, core.OK
			case c.Certificate == nil && c.User == "user" && string(c.Password) == "secret":
				return &core.Principal{User: c.User, Namespace: core.DefaultNamespace, Method: "password"}, core.OK
			}
			return nil, core.NotAuthenticated
		})
		if p := w.connect("1.2"); p.conn.(*conn).principal.User != "user" {
			t.Error("the default user is not taken")
		}
		p := w.dial()
		p.conn.(*conn).info.Certificate = &adapters.Certificate{CommonName: "sensor"}
		p.say("CONNECT", "accept-version:1.2", "host:/")
		p.one("CONNECTED")
		p.say("SUBSCRIBE", "id:1", "destination:/topic/a")
		p.say("SEND", "destination:/topic/a", "user-id:sensor", "", "x") // its own name
		p.bodies("x")
		p.say("SEND", "destination:/topic/a", "user-id:user", "", "x")
		p.errorFrame("precondition_failed")
	})
}

func TestSTOMP_U13_ALoginThatIsHeldBackEnds(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		w.room.host.Auth = loginFunc(func(ctx context.Context, _ adapters.Credentials) (*core.Principal, core.Reason) {
			<-ctx.Done()
			return nil, core.NotAuthenticated
		})
		p := w.dial()
		p.say("CONNECT", "accept-version:1.2", "login:user", "passcode:wrong")
		w.pass(5*time.Second - time.Millisecond)
		p.none()
		w.pass(time.Millisecond)
		p.errorFrame("Bad CONNECT")
	})
}

func TestSECURITY_Z12_Z13_WhatIsDeniedIsAnERRORAndTheEnd(t *testing.T) {
	in(t, DefaultConfig(), func(w *world) {
		reader := w.connect("1.2")
		reader.say("SUBSCRIBE", "id:1", "destination:/topic/#")
		for _, denied := range [][]string{
			{"SUBSCRIBE", "id:1", "destination:/topic/secret.x", "receipt:r"},
			{"SUBSCRIBE", "id:1", "destination:/topic/secret.*", "receipt:r"},
			{"SUBSCRIBE", "id:1", "destination:/topic/secret/x", "x-group:g", "receipt:r"},
			{"SEND", "destination:/topic/secret.x", "receipt:r", "", "m"},
			{"SEND", "destination:/topic/secret/x", "retain:true", "receipt:r", "", "m"},
		} {
			p := w.connect("1.2")
			p.say(denied[0], denied[1:]...)
			if f := p.errorFrame("access_refused"); f.header["receipt-id"] != "r" || !strings.HasPrefix(f.body, "ACCESS_REFUSED") || p.reason != core.NotAuthorized {
				t.Errorf("%v: %v, %v", denied, f, p.reason)
			}
		}
		reader.none()
	})
}
