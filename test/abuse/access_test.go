package abuse

import (
	"fmt"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/test/rig"
)

// evil are names that would be more than a level if anything took them for a pattern.
var evil = []string{"+", "#", "a/../b", "../dev", "{client}", "{user}", ".*", "de?", "d*", "dev\r\n", "dev\x00", "dev ", "$SYS", "%2b", "victim/#", "+/#"}

// TestSECURITY_E1_ANameIsALevelAndNothingElse: whoever is called by a pattern has no right of another's name.
func TestSECURITY_E1_ANameIsALevelAndNothingElse(t *testing.T) {
	attack{file: users("limits: {auth_failures: 1000000/min}\n"), moved: []string{"acl_decisions publish deny", "connects refused"}}.run(t, func(g *target) {
		w := watch(g, "own/#", "by/#")
		for i, name := range evil {
			// As a user: there is no such user, in any protocol.
			for _, p := range []string{"mqtt", "mqtt3", "stomp", "amqp"} {
				if p == "amqp" && i%4 != 0 { // it answers after a second
					continue
				}
				if c, err := g.Dial(p, name, "secret", "e1", nil); err == nil {
					t.Errorf("%s: %q is let in", p, name)
					_ = c.Close(t.Context())
				}
			}
			// As a client identifier, with a rule for own/{client}/#.
			for _, p := range []string{"mqtt", "mqtt3", "stomp", "amqp"} {
				c, err := g.Dial(p, "dev", "secret", name, nil)
				if err != nil {
					continue
				}
				for _, topic := range []string{"own/victim/x", "own/dev/x", "own/a/x", "by/eve/x"} {
					if err := rig.Publish(c, topic, "gained by "+name); p != "mqtt3" && dial.KindOf(err) != dial.Denied {
						t.Errorf("%s: client %q publishes to %s: %v", p, name, topic, err)
					}
					if p == "stomp" { // which has ended
						if c, err = g.Dial(p, "dev", "secret", name, nil); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
		good := g.must("mqtt", "dev", "good", nil)
		if err := rig.Publish(good, "own/good/x", "the end"); err != nil {
			t.Fatal(err)
		}
		g.Wait("the end", func() bool { return w.Find("the end") != "" })
		if w.Find("gained") != "" {
			t.Error("a right of another name was gained")
		}
	})
}

// TestSECURITY_E7_WhatIsDeniedIsDeniedByEveryWay: a topic that one protocol refuses is refused in every spelling of the others.
func TestSECURITY_E7_WhatIsDeniedIsDeniedByEveryWay(t *testing.T) {
	attack{file: users(""), moved: []string{"acl_decisions publish deny", "acl_decisions subscribe deny"}}.run(t, func(g *target) {
		boss := g.must("mqtt", "boss", "boss", nil)
		if err := dial.Send(t.Context(), boss, dial.Message{Topic: "open/secret/kept", Payload: []byte("treasure"), Retain: true, QoS: 1}); err != nil {
			t.Fatal(err)
		}
		w := watch(g, "#")
		login := amqpHeader + method(0, 10, 11, u32(0)+short("PLAIN")+long("\x00dev\x00secret")+short("en_US")) + tuneOk + openOk + channel
		queue := method(1, 50, 10, u16(0)+short("mine")+"\x00"+u32(0))
		for _, key := range []string{"open.secret.x", "#", "*.secret.#", "open.*.x", "open.secret.#", "elsewhere", "OPEN.x"} {
			bind := method(1, 50, 20, u16(0)+short("mine")+short("amq.topic")+short(key)+"\x00"+u32(0))
			got, err := g.ask("amqp", login+queue+bind+closing)
			allowed := key == "open.*.x" // what it must not see of it is stopped at delivery
			if denied := strings.Contains(got, "channel.close 403"); err != nil || denied == allowed {
				t.Errorf("AMQP binds %s: %q, %v", key, got, err)
			}
		}
		for _, x := range []struct{ exchange, key string }{{"amq.topic", "open.secret.x"}, {"amq.topic", "elsewhere"}, {"", "another"}, {"amq.direct", "open.secret.x"}, {"amq.topic", "$SYS.x"}, {"amq.fanout", ""}} {
			got, err := g.ask("amqp", login+publish091(x.exchange, x.key, "\x00")+content(1, "loot")+closing)
			if err != nil || !strings.Contains(got, "channel.close 40") && !strings.Contains(got, "10.51") {
				t.Errorf("AMQP publishes to %q %q: %q, %v", x.exchange, x.key, got, err)
			}
			if x.exchange == "amq.topic" && !strings.Contains(got, "channel.close 403") {
				t.Errorf("AMQP publishes to %s: %q", x.key, got)
			}
		}
		who := []any{15, "u=dev", 15, "p=secret"}
		for _, levels := range [][]string{{"open", "secret", "x"}, {"open", "secret", "kept"}, {"elsewhere"}, {"", "open", "secret", "x"}, {"OPEN", "x"}} {
			var path []any
			for _, l := range append([]string{"ps"}, levels...) {
				path = append(path, 11, l)
			}
			for what, r := range map[string]string{
				"GET": co(0x40, 1, next(), options(append(path, who...)...)), "PUT": co(0x40, 3, next(), options(append(path, who...)...)+"\xffloot"),
				"POST": co(0x40, 2, next(), options(append(path, who...)...)+"\xffloot"), "DELETE": co(0x40, 4, next(), options(append(path, who...)...)),
				"observe": co(0x41, 1, next(), "t"+options(append(append([]any{6, ""}, path...), who...)...)),
				"blocks":  co(0x40, 3, next(), options(append(append(append([]any{}, path...), who...), 27, "\x08")...)+"\xff"+strings.Repeat("x", 16)),
				"FETCH":   co(0x40, 5, next(), options(append(path, who...)...)),
			} {
				c := g.join("coap", endpointOf("coap").reply, endpointOf("coap").last)
				if err := c.send(r); err != nil {
					t.Fatal(err)
				}
				got := saysCoAP(<-c.heard)
				c.leave()
				if got != "4.03" && !(what == "FETCH" && got == "4.05") && !(what == "blocks" && got == "2.31") {
					t.Errorf("CoAP %s of %q: %s", what, levels, got)
				}
			}
		}
		for _, d := range []string{"open/secret/x", "/topic/open.secret.x", "/topic/open/secret/x", "elsewhere", "/queue/another", "/topic/elsewhere", "open%2Fsecret%2Fx", "open%252Fsecret", "/topic/open%2esecret.x"} {
			connect := st("CONNECT", "accept-version:1.2\nlogin:dev\npasscode:secret\nclient-id:dev", "")
			got, err := g.ask("stomp", connect+st("SEND", "destination:"+d+"\nreceipt:r", "loot"))
			if err != nil || !strings.HasPrefix(got, "CONNECTED, ERROR") {
				t.Errorf("STOMP sends to %s: %q, %v", d, got, err)
			}
			got, err = g.ask("stomp", connect+st("SUBSCRIBE", "id:1\ndestination:"+d+"\nreceipt:r", ""))
			if err != nil || !strings.HasPrefix(got, "CONNECTED, ERROR") {
				t.Errorf("STOMP subscribes to %s: %q, %v", d, got, err)
			}
		}
		if err := rig.Publish(boss, "open/the-end", "end"); err != nil {
			t.Fatal(err)
		}
		g.Wait("the end", func() bool { return w.Find("open/the-end") != "" })
		if w.Find("loot") != "" {
			t.Errorf("something was routed: %s", w.Find("loot"))
		}
	})
}

// TestSECURITY_E8_NamesOfTheGatewayAreNotSeenByWildcards: who subscribes to everything, by any protocol, sees nothing below $.
func TestSECURITY_E8_NamesOfTheGatewayAreNotSeenByWildcards(t *testing.T) {
	attack{set: []string{"sys.interval=1s"}}.run(t, func(g *target) {
		sys := new(rig.Wall)
		reader, err := g.Dial("mqtt", "", "", "e8-sys", sys.Add)
		if err != nil {
			t.Fatal(err)
		}
		if err := rig.Subscribe(reader, "$SYS/#"); err != nil {
			t.Fatal(err)
		}
		walls := map[string]*rig.Wall{}
		for _, p := range rig.Protocols {
			w := new(rig.Wall)
			walls[p] = w
			c, err := g.Dial(p, "", "", "e8-"+p, w.Add)
			if err != nil {
				t.Fatal(err)
			}
			if err := rig.Subscribe(c, "#"); err != nil {
				t.Fatalf("%s: %v", p, err)
			}
		}
		from := len(sys.Seen())
		g.Wait("what the gateway publishes", func() bool { return len(sys.Seen()) > from+2 })
		pub, err := g.Dial("mqtt", "", "", "e8", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := rig.Publish(pub, "the/end", "end"); err != nil {
			t.Fatal(err)
		}
		for p, w := range walls {
			g.Wait(p+" receives", func() bool { return w.Find("the/end") != "" })
			if w.Find("$") != "" {
				t.Errorf("%s: %s", p, w.Find("$"))
			}
		}
		_ = pub.Close(t.Context())
	})
}

// must is Dial as one of the users.
func (g *target) must(p, user, id string, on func(dial.Message)) dial.Conn {
	g.Helper()
	c, err := g.Dial(p, user, "secret", id, on)
	if err != nil {
		g.Fatalf("%s as %s: %v", p, user, err)
	}
	return c
}

// watch is boss's subscription.
func watch(g *target, filters ...string) *rig.Wall {
	g.Helper()
	w := new(rig.Wall)
	c := g.must("mqtt", "boss", fmt.Sprint("watch", next()), w.Add)
	for _, f := range filters {
		if err := rig.Subscribe(c, f); err != nil {
			g.Fatal(err)
		}
	}
	return w
}
