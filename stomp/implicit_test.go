package stomp

import (
	"context"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

func implicitly() Config {
	cfg := DefaultConfig()
	cfg.DefaultUser, cfg.DefaultPasscode, cfg.ImplicitConnect = "user", "secret", true
	return cfg
}

// inImplicit lets the default user in, who has to be asked about elsewhere.
func inImplicit(t *testing.T, fn func(w *world)) {
	in(t, implicitly(), func(w *world) {
		w.room.host.Auth = loginFunc(func(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
			if c.User == "user" && string(c.Password) == "secret" || c.User == "other" {
				return &core.Principal{User: c.User, Namespace: core.DefaultNamespace, Method: "password"}, core.OK
			}
			return nil, core.NotAuthenticated
		})
		fn(w)
	})
}

func TestSTOMP_ST12_ImplicitConnectTakesAnyFirstFrame(t *testing.T) {
	for name, send := range map[string]func(p *peer, all string){
		"at once":         func(p *peer, all string) { p.write(all) },
		"after the first": func(p *peer, all string) { p.write(all[:1]); p.w.settle(); p.write(all[1:]) },
		"octet by octet": func(p *peer, all string) {
			for i := range len(all) {
				p.write(all[i : i+1])
				p.w.settle()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inImplicit(t, func(w *world) {
				p := w.dial()
				send(p, "\n\r\nSUBSCRIBE\nid:1\ndestination:/topic/a\n\n\x00SEND\ndestination:/topic/a\n\nx\x00")
				w.settle()
				p.bodies("x") // the first thing that it hears: no CONNECTED
				if c := p.conn.(*conn); c.principal.User != "user" || c.version.String() != "1.0" {
					t.Errorf("user %s, version %s", c.principal.User, c.version)
				}
				p.say("CONNECT", "login:other", "passcode:x") // no second one
				p.errorFrame("Illegal command")
			})
		})
	}
}

func TestSTOMP_ST12_ImplicitConnectLeavesCONNECTAsItIs(t *testing.T) {
	for _, first := range []string{"CONNECT\n", "STOMP\r\n", "\nSTOMP\n"} {
		t.Run(first, func(t *testing.T) {
			inImplicit(t, func(w *world) {
				p := w.dial()
				for i := range len(first) {
					p.write(first[i : i+1])
				}
				p.write("accept-version:1.2\nlogin:other\npasscode:x\n\n\x00")
				w.settle()
				if f := p.one("CONNECTED"); f.header["version"] != "1.2" || p.conn.(*conn).principal.User != "other" {
					t.Errorf("%v", f)
				}
			})
		})
	}
}

func TestSTOMP_ST12_ImplicitConnectIsALoginLikeAnyOther(t *testing.T) {
	in(t, implicitly(), func(w *world) {
		w.room.host.Auth = loginFunc(func(context.Context, adapters.Credentials) (*core.Principal, core.Reason) {
			return nil, core.NotAuthenticated
		})
		p := w.dial()
		p.say("SEND", "destination:/topic/a", "receipt:1", "", "x")
		w.settle()
		if f := p.errorFrame("Bad CONNECT"); strings.Contains(f.body, "secret") {
			t.Errorf("%v", f)
		}
		p = w.dial() // what is no STOMP at all
		w.room.host.Auth = nil
		p.write("GET / HTTP/1.1\r\n\r\n")
		w.settle()
		p.errorFrame("Bad command")
	})
}

func TestImplicitConnectNeedsADefaultUser(t *testing.T) {
	cfg := DefaultConfig()
	cfg.ImplicitConnect = true
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "stomp.implicit_connect: needs default_user") {
		t.Error(err)
	}
	cfg.DefaultUser = "user"
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}
