package gateway

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/access"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// sectionsOf reads a configuration.
func sectionsOf(t *testing.T, text string) (*config.Config, map[string]any) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "entrepot.yaml")
	if err := os.WriteFile(file, []byte("node: {data: memory}\nlisteners: [{url: \"mqtt://127.0.0.1:0\", anonymous: true}]\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	in := config.Input{File: file, Sections: Sections(), Protocols: Protocols()}
	c, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	return c, in.Sections
}

func TestSecurity_Z9_OtherRulesReachSubscriptionsAndPublishers(t *testing.T) {
	for _, before := range []string{"", `roles: {anonymous: ["pubsub #"]}`} {
		c, sections := sectionsOf(t, before)
		g, err := Open(Options{Config: c, Sections: sections})
		if err != nil {
			t.Fatal(err)
		}
		stop := running(t, g)
		client, _ := mqttClient(t, g, "a")
		answer := make([]byte, 64)
		say := func(p packet.Packet) []byte {
			t.Helper()
			if _, err := client.Write(p.AppendTo(nil, packet.V5)); err != nil {
				t.Fatal(err)
			}
			n, err := client.Read(answer)
			if err != nil {
				t.Fatal(err)
			}
			return answer[:n]
		}
		subscribe := &packet.Subscribe{ID: 1}
		subscribe.AppendFilter("x", 1)
		if a := say(subscribe); a[len(a)-1] != 1 {
			t.Fatalf("% x", a)
		}
		publish := &packet.Publish{Topic: []byte("y"), QoS: 1, ID: 2}
		if a := say(publish); len(a) > 4 && a[4] >= 0x80 {
			t.Fatalf("% x", a)
		}
		_, sections = sectionsOf(t, `roles: {anonymous: ["sub y", "pub x"]}`)
		settings, err := access.Read(access.Options{Sections: sections})
		if err != nil {
			t.Fatal(err)
		}
		g.access.Use(settings, (&permits{}).doors(g.now().config, g.server.Addrs()))
		if a := say(publish); len(a) < 5 || a[4] != 0x87 {
			t.Errorf("% x", a)
		}
		publish.Topic = []byte("x") // its own, which it may not read any more: nothing but the answer comes
		if a := say(publish); len(a) < 4 || a[0] != 0x40 || len(a) > 4 && a[4] >= 0x80 {
			t.Errorf("% x", a)
		}
		for end := time.Now().Add(time.Second); g.router.Stats().Namespaces[0].Subscriptions > 0; runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatal("the subscription has not ended")
			}
		}
		client.Close()
		stop()
	}
}
