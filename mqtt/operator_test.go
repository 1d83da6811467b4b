package mqtt_test

import (
	"context"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqtt"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// defect is a hook with a defect that the topic "defect" meets.
type defect struct{}

func (defect) OnPublish(_ *core.Turn, _ *core.Principal, m *core.Message) core.Reason {
	if m.Topic == "defect" {
		panic("a defect")
	}
	return core.OK
}

func retain(topic string) *packet.Publish {
	return &packet.Publish{Topic: []byte(topic), Payload: []byte("x"), Retain: true} // built though nobody listens
}

func TestMQTT_MX5_APanicCostsItsConnectionAlone(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{core: core.Options{Hook: defect{}}})
	healthy := g.enter(packet.V5, "healthy")
	for range 2 {
		for _, v := range []packet.Version{packet.V5, packet.V311} {
			c := g.enter(v, "c")
			c.send(retain("defect"))
			if d, ok := c.next().(*packet.Disconnect); v == packet.V5 && (!ok || d.Code != packet.UnspecifiedError) {
				t.Errorf("%v: the last word was %+v", v, d)
			}
			if v == packet.V5 {
				c.gone()
			}
		}
	}
	healthy.send(&packet.Ping{Type: packet.PINGREQ})
	if _, ok := healthy.next().(*packet.Ping); !ok {
		t.Error("others are hurt")
	}
	g.until("all are counted", func() bool {
		return g.count("panics_recovered_total", "mqtt") == 4 && g.count("disconnects_total", "mqtt", "internal error") == 4
	})
	if n := strings.Count(g.log.String(), "stack="); n != 1 {
		t.Errorf("the stack is logged %d times", n)
	}
	if g.log.line("msg=client.disconnected", "client=c", `reason="internal error"`) == "" {
		t.Error(g.log)
	}
}

func TestMQTT_MX7_G1_TheLogSaysWhoAndWhy(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{auth: doorman{}})
	listener := "listener=" + g.Addrs()[0].URL
	for why, end := range map[string]func(c *caller){
		"normal":          func(c *caller) { c.send(&packet.Disconnect{}) },
		"connection lost": func(c *caller) { c.Close() },
		"malformed":       func(c *caller) { _, _ = c.Write([]byte{0x30, 0}) },
		"protocol error":  func(c *caller) { _, _ = c.Write([]byte{0xe0, 1, 0x8b}) }, // a server's code: MX1
		"too large":       func(c *caller) { _, _ = c.Write([]byte{0x30, 0xff, 0xff, 0xff, 0x7f}) },
		"bad topic":       func(c *caller) { _, _ = c.Write([]byte{0x30, 4, 0, 1, '+', 0}) },
	} {
		id := "c " + why
		c := g.enter(packet.V5, id, login("gw1"))
		end(c)
		g.until(why, func() bool { return g.count("disconnects_total", "mqtt", why) == 1 })
		for _, event := range []string{"client.connected", "client.disconnected"} {
			words := []string{"msg=" + event + " ", "protocol=mqtt", "version=5.0", listener, `client="` + id + `"`, "principal=gw1", "ns=plant", "addr=" + c.LocalAddr().String()}
			if event == "client.disconnected" {
				words = append(words, "reason="+quoted(why))
			}
			g.until(event+" of "+id, func() bool { return g.log.line(words...) != "" })
		}
	}
	refused := g.call(packet.V5).greet("refused", login("stranger"))
	if k, ok := refused.next().(*packet.Connack); !ok || k.Code != packet.BadUserNameOrPassword {
		t.Errorf("%+v", k)
	}
	g.until("a refused login is logged too", func() bool {
		return g.log.line("msg=client.disconnected", "client=refused", `reason="not authenticated"`) != "" && g.count("disconnects_total", "mqtt", "not authenticated") == 1
	})
	if line := g.log.line("client.connected", "client=refused"); line != "" {
		t.Error(line)
	}
}

func quoted(s string) string {
	if strings.Contains(s, " ") {
		return `"` + s + `"`
	}
	return s
}

func login(user string) func(*packet.Connect) {
	return func(p *packet.Connect) { p.HasUserName, p.UserName = true, []byte(user) }
}

// doorman knows gw1, and admin by its role.
type doorman struct{}

func (doorman) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	switch c.User {
	case "gw1":
		return &core.Principal{User: "gw1", Namespace: "plant", Roles: []string{"gateway"}}, core.OK
	case "root":
		return &core.Principal{User: "root", Namespace: core.DefaultNamespace, Roles: []string{"admin"}}, core.OK
	}
	return nil, core.NotAuthenticated
}

func TestMQTT_MX1_ACodeThatAClientMayNotSendEndsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	g := start(t, gatewayOptions{config: mqtt.Config{}})
	watcher := g.enter(packet.V5, "watcher")
	s := &packet.Subscribe{ID: 1}
	s.AppendFilter("gone/+", 0)
	watcher.send(s)
	watcher.next()
	for code, hex := range map[byte]string{0x8b: "8b", 0x8e: "8e", 0x9c: "9c", 0x55: "55", 0xff: "ff", 0x01: "01"} {
		c := g.enter(packet.V5, "c", func(p *packet.Connect) {
			p.HasWill, p.WillTopic, p.WillPayload = true, []byte("gone/"+hex), []byte("w")
		})
		_, _ = c.Write([]byte{0xe0, 1, code})
		c.gone()
		if p, ok := watcher.next().(*packet.Publish); !ok || string(p.Topic) != "gone/"+hex {
			t.Errorf("will of %s: %+v", hex, p)
		}
		if n := g.count("mqtt_reason_codes_total", "DISCONNECT", hex, "in"); n != 1 {
			t.Errorf("%s counted %d times", hex, n)
		}
	}
}
