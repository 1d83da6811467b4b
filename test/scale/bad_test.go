package scale

import (
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/auth/password"
	"github.com/entrepot/entrepot/mqtt/packet"
	"github.com/entrepot/entrepot/test/rig"
)

// cpu is what this process has used: the gateway and its clients, which say as much when they are bad as when they are good.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// badRules lets everybody publish below open/ and nowhere else, and knows one user.
func badRules() string {
	hash := password.New([]byte("secret")).Text()
	return `
listeners:
  - {url: "mqtt://127.0.0.1:0", anonymous: true}
roles:
  some: ["pubsub open/#"]
  anonymous: ["pubsub open/#"]
users:
  - {name: dev, role: [some], client_ids: ["*"], password: "` + hash + `"}
limits: {auth_failures: 1000000/min}
`
}

// TestBadInputCostsLessThanGood: a flood of what is refused takes less of the processor than as much of what is served,
// lines of the log and metrics included.
func TestBadInputCostsLessThanGood(t *testing.T) {
	g := rig.Start(t, rig.Options{File: badRules(), Names: []string{"mqtt"}, Memory: true, Alone: true})
	addr := g.At["mqtt"]
	reader := mustDial(t, addr, "reader")
	if err := reader.subscribe(0, "open/#"); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, reader.Conn) //nolint:errcheck // until the end of the test

	publishes := func(topic string, qos byte) func() {
		p := mustDial(t, addr, fmt.Sprintf("p%d-%s", qos, topic[:4]))
		return func() {
			const batch = 100
			for range 200 / divisor {
				for i := range batch {
					p.addPublish(topic, "21.5", qos, uint16(i+1), false)
				}
				p.out = append(p.out, 0xc0, 0) // PINGREQ
				if err := p.flush(); err != nil {
					t.Fatal(err)
				}
				for {
					h, _, err := p.next()
					if err != nil {
						t.Fatal(err)
					}
					if h.Type == packet.PINGRESP {
						break
					}
				}
			}
		}
	}
	connections := func(n int, say ...[]byte) func() {
		return func() {
			for range n / divisor {
				nc, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				nc.SetDeadline(time.Now().Add(rig.Patience))
				for _, part := range say {
					if _, err := nc.Write(part); err != nil {
						t.Fatal(err)
					}
				}
				io.Copy(io.Discard, nc) //nolint:errcheck // a reset ends it as well
				nc.Close()
			}
		}
	}
	connect := func(user, pass string) []byte {
		c := packet.Connect{Version: packet.V5, CleanStart: true, ClientID: []byte("c")}
		if user != "" {
			c.HasUserName, c.UserName, c.HasPassword, c.Password = true, []byte(user), true, []byte(pass)
		}
		return c.AppendTo(nil, packet.V5)
	}
	join := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	bye := []byte{0xe0, 0}
	message := (&packet.Publish{Topic: []byte("open/a"), Payload: []byte("21.5")}).AppendTo(nil, packet.V5)
	torn := append([]byte(nil), message...)
	torn[4] = '#' // a wildcard in a topic name
	garbage := []byte(strings.Repeat("\xff", 40))
	const ( // with what the machine adds: most of a connection is the kernel's
		amongOthers = 1.2
		alone       = 1.6
	)
	for _, x := range []struct {
		name      string
		good, bad func()
		most      float64
	}{
		{"publish, QoS 0", publishes("open/a", 0), publishes("shut/a", 0), amongOthers},
		{"publish, QoS 1", publishes("open/a", 1), publishes("shut/a", 1), amongOthers},
		{"malformed packet", connections(400, join(connect("", ""), message, bye)), connections(400, join(connect("", ""), torn, bye)), alone},
		{"no packet at all", connections(400, join(connect("", ""), bye)), connections(400, garbage), alone},
		{"login, wrong password", connections(40, join(connect("dev", "secret"), bye)), connections(40, join(connect("dev", "secreT"), bye)), alone},
		{"login, no such user", connections(40, join(connect("dev", "secret"), bye)), connections(40, join(connect("duv", "secret"), bye)), alone},
	} {
		// What else the machine does only adds: the least of both is what they take, and is found late when it does much.
		least, ratio := [2]time.Duration{time.Hour, time.Hour}, 0.0
		for round := 0; round < 6 || round < 60 && ratio > x.most; round++ {
			for i, f := range []func(){x.good, x.bad} {
				from := cpu(t)
				f()
				least[i] = min(least[i], cpu(t)-from)
			}
			ratio = float64(least[1]) / float64(least[0])
		}
		t.Logf("%s: %v bad, %v good: %.2f", x.name, least[1], least[0], ratio)
		if ratio > x.most {
			t.Errorf("%s: bad costs %.2f times what good does", x.name, ratio)
		}
	}
}
