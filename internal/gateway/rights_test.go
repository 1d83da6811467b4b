package gateway

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/access"
	"github.com/entrepot/entrepot/internal/auth/password"
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
		settings, problems := access.Read(access.Options{Sections: sections})
		if problems.Failed() {
			t.Fatal(problems)
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

// A user's will, delayed or not, is not published once the user is deleted or may not publish there any more.
func TestSecurity_E5_TheWillOfADeletedUserIsNotPublished(t *testing.T) {
	hash := password.New([]byte("secret")).Text()
	const roles = "roles: {all: [\"pubsub #\"], see: [\"sub #\"]}\nusers:\n"
	user := func(name, role string) string {
		return fmt.Sprintf("  - {name: %s, role: [%s], password: %q}\n", name, role, hash)
	}
	c, sections := sectionsOf(t, roles+user("boss", "all")+user("stays", "all")+user("gone", "all")+user("less", "all"))
	g, err := Open(Options{Config: c, Sections: sections})
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, g)
	defer stop()
	answer := make([]byte, 256)
	say := func(client net.Conn, p packet.Packet) []byte {
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
	connect := func(name, id, will string, delay uint32) net.Conn {
		t.Helper()
		client, err := net.Dial("tcp", strings.TrimPrefix(g.Listening()[0].URL, "mqtt://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		_ = client.SetDeadline(time.Now().Add(20 * time.Second))
		p := packet.Connect{Version: packet.V5, CleanStart: true, ClientID: []byte(id), HasUserName: true, UserName: []byte(name), HasPassword: true, Password: []byte("secret")}
		if p.HasWill = will != ""; p.HasWill {
			p.WillTopic, p.WillPayload = []byte(will), []byte("x")
			p.WillProperties.SetNum(packet.WillDelayInterval, delay)
			p.Properties.SetNum(packet.SessionExpiryInterval, delay)
		}
		if a := say(client, &p); len(a) < 4 || a[0] != 0x20 || a[3] != 0 {
			t.Fatalf("%s: % x", name, a)
		}
		return client
	}
	boss := connect("boss", "boss", "", 0)
	subscribe := &packet.Subscribe{ID: 1}
	subscribe.AppendFilter("#", 0)
	if a := say(boss, subscribe); a[len(a)-1] != 0 {
		t.Fatalf("% x", a)
	}
	var lost []net.Conn
	for _, name := range []string{"gone", "less", "stays"} {
		lost = append(lost, connect(name, name, "will/"+name, 0), connect(name, name+"-late", "late/"+name, 1))
	}
	_, sections = sectionsOf(t, roles+user("boss", "all")+user("stays", "all")+user("less", "see"))
	settings, problems := access.Read(access.Options{Sections: sections})
	if problems.Failed() {
		t.Fatal(problems)
	}
	g.access.Use(settings, (&permits{}).doors(g.now().config, g.server.Addrs()))
	for _, client := range lost {
		client.Close()
	}
	tick, end := time.Tick(10*time.Millisecond), time.After(20*time.Second)
	for g.router.Stats().Dropped[core.DropDenied] < 4 { // of gone and less, at once and delayed
		select {
		case <-tick:
		case <-end:
			t.Fatal(g.router.Stats().Dropped)
		}
	}
	seen := ""
	for !strings.Contains(seen, "will/stays") || !strings.Contains(seen, "late/stays") {
		n, err := boss.Read(answer)
		if err != nil {
			t.Fatal(err)
		}
		seen += string(answer[:n])
	}
	if strings.Contains(seen, "gone") || strings.Contains(seen, "less") {
		t.Errorf("%q", seen)
	}
}
