package mqtt

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt/packet"
)

const elsewhere = "other:1883 [2001:db8::1]:1884"

// redirect turns the drain of the room on or off.
func (w *world) redirect(on bool) int { return w.Room().(*Room).Redirect(on) }

func (w *world) moves(p *peer) bool {
	return p.Room().(adapters.Movable).Moves(w.Room().(adapters.RedirectingRoom))
}

func TestMQTT_MN1_ADrainingNodeSendsEverybodyElsewhere(t *testing.T) {
	for moved, code := range map[bool]string{false: "9c", true: "9d"} {
		t.Run(code, func(t *testing.T) {
			run(t, &Config{ServerReference: elsewhere, ServerMoved: moved, DrainRate: 7}, func(w *world) {
				old, old3 := w.connect("old", v5), w.connect("old3", v311)
				silent := &peer{Conn: w.Open(), t: w.t, v: v5}
				if rate := w.redirect(true); rate != 7 {
					t.Errorf("rate %d", rate)
				}
				w.dial("new", v5).ends("CONNACK code=" + code + " 1c=" + elsewhere)
				w.dial("new", v311).ends("CONNACK code=03")
				w.dial("new", v31).ends("CONNACK code=03")
				old.open() // until its turn comes
				if !w.moves(old) || !w.moves(old3) || w.moves(silent) {
					t.Error("those who are connected are to be moved, and nobody else")
				}
				old.Evict(core.Moved)
				old.ends("DISCONNECT " + code + " 1c=" + elsewhere)
				old3.Evict(core.Moved)
				old3.ends()
				if w.moves(old) {
					t.Error("to be moved twice")
				}
				if n := w.count("mqtt_redirects_total", code); n != 2 {
					t.Errorf("redirects_total{%s} %d", code, n)
				}
				w.redirect(false)
				w.connect("new", v5)
			})
		})
	}
}

func TestMQTT_MN1_WithoutAReferenceNobodyIsMoved(t *testing.T) {
	run(t, nil, func(w *world) {
		p := w.connect("p", v5)
		if w.redirect(true) != 0 {
			t.Error("the room knows no other server")
		}
		w.connect("q", v5)
		p.Evict(core.ShuttingDown)
		p.ends("DISCONNECT 8b")
	})
}

func TestMQTT_MN1_WhoWasComingWhenTheDrainBeganIsMovedToo(t *testing.T) {
	run(t, &Config{ServerReference: elsewhere, RedirectExempt: []string{"admin"}}, func(w *world) {
		p := w.dial("p", v5, as("u", ""))
		w.redirect(true)
		p.want()
		w.Advance(time.Second)
		p.ends("CONNACK code=9c 1c=" + elsewhere)
	}, authBy(login{takes: time.Second}))
	t.Run("attaching", func(t *testing.T) {
		g := &gated{Store: adaptertest.NewStore()}
		run(t, &Config{ServerReference: elsewhere}, func(w *world) {
			open := g.shut()
			p := w.dial("p", v5, keep(100))
			w.redirect(true)
			p.want()
			open()
			w.Settle()
			p.ends("CONNACK "+announced, "DISCONNECT 9c 1c="+elsewhere)
		}, func(o *adaptertest.Options) { o.Store = g })
	})
}

func TestMQTT_MN2_TheReferenceIsLeftOutWhenItIsTooLarge(t *testing.T) {
	run(t, &Config{ServerReference: elsewhere}, func(w *world) {
		// DISCONNECT: 1 + 1 + code + property length + 1 + 2 + reference; the Reason String goes first.
		full := uint32(4 + 3 + len(elsewhere))
		for size, want := range map[uint32][]string{
			full:     {"DISCONNECT 9c 1c=" + elsewhere},
			full - 1: {"DISCONNECT 9c"},
		} {
			p := w.connect("p", v5, num(packet.MaximumPacketSize, size))
			p.Evict(core.Moved)
			p.ends(want...)
		}
		w.redirect(true)
		for size, want := range map[uint32][]string{
			full + 1: {"CONNACK code=9c 1c=" + elsewhere}, // has a byte of flags
			full:     {"CONNACK code=9c"},
			4:        nil,
		} {
			w.dial("q", v5, num(packet.MaximumPacketSize, size)).ends(want...)
		}
	})
}

func TestMQTT_MN2_TheFormOfAReference(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"", "a", "broker-2.example.org", "10.0.0.1:1883", "[::1]", "[2001:db8::1]:65535", "a b:1 [::1]:2", "a_b.", "9"} {
		if err := checkReference(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{" ", "a  b", " a", "a ", "a:", "a:0", "a:65536", "a:b", "a:+1", "::1", "[::1", "::1]", "[10.0.0.1]", "[::1]2", "[::1]:", "[a]:1", ":1883",
		"a..b", ".a", "-a", "a-", "a,b", "mqtt://a", "a/b", "a\tb", "ü", "a:1:2", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a", strings.Repeat("a ", 40000) + "a"} {
		if checkReference(bad) == nil {
			t.Errorf("%q is accepted", bad[:min(len(bad), 40)])
		}
	}
}

func TestMQTT_MN3_TheWillFollowsAsAtAnyCloseByUs(t *testing.T) {
	run(t, &Config{ServerReference: elsewhere}, func(w *world) {
		r := w.reader("r", v5, "w")
		p := w.connect("p", v5, keep(60), will("w", "moved", 0, false))
		p.Evict(core.Moved)
		p.ends("DISCONNECT 9c 1c=" + elsewhere)
		r.want(`PUBLISH w "moved"`)
		w.resumes("p", v5, keep(60), will("w", "stopped", 0, false)) // the session stays here
		w.Router.Stop()
		w.redirect(true)
		w.Shutdown()
		r.want("DISCONNECT 8b") // MV8: at our own stop no will is sent
	})
}

// roles is a login whose user has a role of its own name with an s behind.
type roles struct{}

func (roles) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	return &core.Principal{Namespace: core.DefaultNamespace, User: c.User, Roles: []string{"any", c.User + "s"}}, core.OK
}

func TestMQTT_MN4_TheExemptStay(t *testing.T) {
	run(t, &Config{ServerReference: elsewhere, RedirectExempt: []string{"root", "bridges"}}, func(w *world) {
		stays := []*peer{w.connect("a", v5, as("root", "")), w.connect("b", v5, as("bridge", ""))}
		goes := w.connect("c", v5, as("roots", ""))
		w.redirect(true)
		stays = append(stays, w.connect("d", v5, as("root", ""))) // and come
		w.dial("e", v5, as("roots", "")).ends("CONNACK code=9c 1c=" + elsewhere)
		for _, p := range stays {
			if w.moves(p) {
				t.Error("an exempt one is to be moved")
			}
		}
		if !w.moves(goes) {
			t.Error("one that is not exempt stays")
		}
		w.Router.Stop() // then nobody comes
		w.dial("f", v5, as("root", "")).ends("CONNACK code=9c 1c=" + elsewhere)
	}, func(o *adaptertest.Options) { o.Auth = roles{} })
}

func TestARateIsWrittenPerSecond(t *testing.T) {
	t.Parallel()
	var r Rate
	if err := r.UnmarshalText([]byte("250/s")); err != nil || r != 250 {
		t.Error(r, err)
	}
	if r.String() != "250/s" {
		t.Error(r)
	}
	for _, bad := range []string{"", "100", "0/s", "-1/s", "1/min", "x/s", "1000001/s"} {
		if r.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
