package gateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// BenchmarkRights sends messages of 64 bytes and QoS 0 from one client to another through gateways without rules, with
// 1,000 of which one covers the subscription, and with 1,000 and a deny inside of it, so that each topic is asked
// about. They take turns, and the processor's time for each message is what counts; it contains the clients'.
func BenchmarkRights(b *testing.B) {
	rules := []string{"pubsub dev/#", "deny sub dev/7/secret"}
	for i := range 1000 {
		rules = append(rules, fmt.Sprintf("pubsub site/%d/+/#", i))
	}
	kinds := []struct {
		name  string
		rules []string
		cpu   time.Duration
		pair  *pair
	}{
		{name: "none"}, {name: "covered", rules: append(rules[2:len(rules):len(rules)], rules[0])}, {name: "asked", rules: rules},
	}
	for i := range kinds {
		kinds[i].pair = newPair(b, kinds[i].rules)
	}
	const turn = 20_000
	n := 0
	for b.Loop() {
		for i := range kinds {
			before := processor(b)
			kinds[i].pair.run(b, turn)
			kinds[i].cpu += processor(b) - before
		}
		n += turn
	}
	for i := range kinds {
		b.ReportMetric(float64(kinds[i].cpu.Nanoseconds())/float64(n), kinds[i].name+"-cpu-ns/msg")
	}
}

// processor is the time that the process has used.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// pair is a publisher and a subscriber of a gateway.
type pair struct {
	pub, sub net.Conn
	burst    []byte // 100 messages, of ten topics in turn
}

const burst = 100

// configured is a gateway that runs with a configuration until the benchmark ends.
func configured(b *testing.B, text string) *Gateway {
	file := filepath.Join(b.TempDir(), "entrepot.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	in := config.Input{File: file, Sections: Sections(), Protocols: Protocols()}
	c, err := config.Load(in)
	if err != nil {
		b.Fatal(err)
	}
	g, err := Open(Options{Config: c, Sections: in.Sections})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return g
}

func newPair(b *testing.B, rules []string) *pair {
	text := "node: {data: memory}\nlisteners:\n  - {url: \"mqtt://127.0.0.1:0\", anonymous: true}\n"
	if rules != nil {
		text += "roles:\n  anonymous: [\"" + strings.Join(rules, "\", \"") + "\"]\n"
	}
	g := configured(b, text)
	p := &pair{pub: dial(b, g, "p"), sub: dial(b, g, "s")}
	subscribe := packet.Subscribe{ID: 1}
	subscribe.AppendFilter("dev/#", 0)
	if _, err := p.sub.Write(subscribe.AppendTo(nil, packet.V311)); err != nil {
		b.Fatal(err)
	}
	if answer := read(b, p.sub, 5); answer[4] != 0 {
		b.Fatalf("% x", answer)
	}
	for i := range burst {
		m := packet.Publish{Topic: fmt.Appendf(nil, "dev/%d/temperature", i%10), Payload: make([]byte, 64)}
		p.burst = m.AppendTo(p.burst, packet.V311)
	}
	return p
}

func dial(b *testing.B, g *Gateway, id string) net.Conn {
	c, err := net.Dial("tcp", strings.TrimPrefix(g.Listening()[0].URL, "mqtt://"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	p := packet.Connect{Version: packet.V311, CleanStart: true, ClientID: []byte(id)}
	if _, err := c.Write(p.AppendTo(nil, packet.V311)); err != nil {
		b.Fatal(err)
	}
	if answer := read(b, c, 4); answer[3] != 0 {
		b.Fatalf("% x", answer)
	}
	return c
}

func read(b *testing.B, c net.Conn, n int) []byte {
	text := make([]byte, n)
	if _, err := io.ReadFull(c, text); err != nil {
		b.Fatal(err)
	}
	return text
}

// run sends n messages and waits for all; what arrives is what was sent.
func (p *pair) run(b *testing.B, n int) {
	sent := make(chan error, 1)
	go func() {
		for range n / burst {
			if _, err := p.pub.Write(p.burst); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	if _, err := io.CopyN(io.Discard, p.sub, int64(n/burst*len(p.burst))); err != nil {
		b.Fatal(err)
	}
	if err := <-sent; err != nil {
		b.Fatal(err)
	}
}
