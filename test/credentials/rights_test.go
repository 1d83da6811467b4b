package credentials

import (
	"strings"
	"testing"

	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/test/rig"
)

// proves does what shows that a login holds: the first request of coap, nothing elsewhere.
func proves(protocol string, c dial.Conn, err error) error {
	if err == nil && protocol == "coap" {
		return rig.Publish(c, "dev/login", "x")
	}
	return err
}

func TestSecurity_2_2_LoginsByEveryProtocol(t *testing.T) {
	t.Parallel()
	h := start(t, "limits: {auth_failures: 1000/min}\n")
	for _, p := range rig.Protocols {
		for _, x := range []struct {
			what, user, pass, id string
			ok                   bool
		}{
			{"good", "gw1", "secret", "gw1-" + p, true},
			{"wrong password", "gw1", "wrong", "gw1-" + p, false},
			{"no password", "gw1", "", "gw1-" + p, false},
			{"unknown user", "nobody", "secret", "gw1-" + p, false},
			{"name with a wildcard", "+", "secret", "gw1-" + p, false}, // E1
			{"name of a rule", "{client}", "secret", "gw1-" + p, false},
			{"another's client id", "gw1", "secret", "eve-" + p, false}, // U8
			{"no login by password", "beacon", "none", "sn-" + p, false},
		} {
			if p == "mqttsn" && x.what != "good" && x.what != "another's client id" {
				continue // has no names and passwords
			}
			before := strings.Count(h.Log.Text(), "auth.denied")
			c, err := h.Dial(p, x.user, x.pass, x.id, nil)
			err = proves(p, c, err)
			if n := strings.Count(h.Log.Text(), "auth.denied") - before; !x.ok && n != 1 || x.ok && n != 0 {
				t.Errorf("%s: %s: %d lines auth.denied, %s", p, x.what, n, h.Log.Last("auth.denied"))
			}
			if err != nil && (strings.Contains(err.Error(), "0x85") || strings.Contains(err.Error(), "identifier rejected (0x02)")) && strings.HasPrefix(p, "mqtt") && x.what == "another's client id" {
				continue // U8
			}
			if x.ok && err != nil || !x.ok && dial.KindOf(err) != dial.Login {
				t.Errorf("%s: %s: %v", p, x.what, err)
			}
		}
		name := strings.TrimSuffix(strings.TrimSuffix(p, "-ws"), "3")
		if !h.Log.Has("auth.denied", "protocol="+name) {
			t.Errorf("%s: no line auth.denied", p)
		}
	}
	if _, err := h.Dial("mqttsn", "", "", "far-1", nil); dial.KindOf(err) != dial.Login {
		t.Errorf("a client of the table at another address: %v", err)
	}
	_, metrics := h.Ask("/metrics", "boss", "secret")
	for _, want := range []string{
		`entrepot_auth_seconds_count{backend="file",result="ok"}`, `entrepot_auth_seconds_count{backend="file",result="denied"}`,
		`entrepot_auth_seconds_count{backend="file",result="unknown"}`, `entrepot_auth_queue 0`,
		`entrepot_connects_total{protocol="stomp",reason="not authenticated",result="refused"}`,
		`entrepot_connects_total{protocol="mqttsn",reason="not authenticated",result="refused"}`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s", want)
		}
	}
}

// topics that gw1 may and may not publish to, canonical.
var publishes = map[string]bool{
	"dev/a": true, "dev/a/b/c": true, "dev/a.b": true, "dev/a%2Fb": true, "dev/a b": true, "dev/a:b": true, "dev//x": true,
	"dev/secret/a": false, "dev/secret": false, "Dev/a": false, "dev.a": false, "dev%2Fa": false, "/dev/a": false, "cmd/a": false, "x": false,
	"$SYS/a": false, "$dead/a": false,
}

// filters that gw1 may and may not subscribe to.
var subscribes = map[string]bool{
	"cmd/a": true, "cmd/#": true, "cmd/+/x": true, "cmd/a.b": true, "cmd/a%2Fb": true,
	"cmd/secret/a": false, "cmd/secret/#": false, "#": false, "+/a": false, "/#": false, "Cmd/a": false, "cmd.a": false, "cmd%2Fa": false, "dev/a": false,
	"$SYS/#": false, "+/#": false,
}

func TestSecurity_E7_Z12_Z13_OneUserHasTheSameRightsByEveryProtocol(t *testing.T) {
	t.Parallel()
	h := start(t, "")
	w := new(rig.Wall)
	boss := h.must("mqtt", "boss", "boss-1", w.Add)
	if err := rig.Subscribe(boss, "#"); err != nil {
		t.Fatal(err)
	}
	if err := rig.Subscribe(boss, "$SYS/a"); err != nil {
		t.Fatal(err)
	}
	for _, p := range rig.Protocols {
		for topic, allowed := range publishes {
			err := rig.Publish(h.must(p, "gw1", "gw1-"+p, nil), topic, p)
			switch {
			case allowed && err != nil, !allowed && p != "mqtt3" && dial.KindOf(err) != dial.Denied:
				t.Errorf("%s: publish %s, allowed %v: %v", p, topic, allowed, err)
			case p == "mqtt3" && err != nil:
				t.Errorf("3.1.1 acknowledges what it drops: %s: %v", topic, err)
			}
			if allowed {
				h.Wait(p+" publishes "+topic, func() bool { return w.Has(topic + " " + p) })
			}
		}
		for filter, allowed := range subscribes {
			err := rig.Subscribe(h.must(p, "gw1", "gw1-"+p, nil), filter)
			if p == "mqtt3" && !allowed && err != nil && strings.Contains(err.Error(), "0x80") {
				continue // Z13
			}
			if allowed && err != nil || !allowed && dial.KindOf(err) != dial.Denied {
				t.Errorf("%s: subscribe %s, allowed %v: %v", p, filter, allowed, err)
			}
		}
	}
	for _, line := range w.Seen() {
		topic, _, _ := strings.Cut(line, " "+line[strings.LastIndexByte(line, ' ')+1:])
		if allowed, known := publishes[topic]; known && !allowed {
			t.Errorf("%s was routed", line)
		}
	}
	_, metrics := h.Ask("/metrics", "boss", "secret")
	for _, want := range []string{`entrepot_acl_decisions_total{action="publish",result="deny"}`, `entrepot_acl_decisions_total{action="subscribe",result="allow"}`} {
		if !strings.Contains(metrics, want) || strings.Contains(metrics, want+" 0\n") {
			t.Errorf("%s does not move", want)
		}
	}
}

func TestSecurity_E2_WhatIsDeniedInsideAFilterIsNotDeliveredByAnyProtocol(t *testing.T) {
	t.Parallel()
	h := start(t, "")
	boss := h.must("mqtt", "boss", "boss-1", nil)
	for _, p := range rig.Protocols {
		w := new(rig.Wall)
		if err := rig.Subscribe(h.must(p, "gw1", "gw1-"+p, w.Add), "cmd/#"); err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		for _, topic := range []string{"cmd/secret/a", "cmd/ok"} {
			if err := rig.Publish(boss, topic, p); err != nil {
				t.Fatal(err)
			}
		}
		h.Wait(p+" receives", func() bool { return w.Has("cmd/ok " + p) })
		if w.Has("cmd/secret/a " + p) {
			t.Errorf("%s: a denied topic was delivered", p)
		}
	}
}
