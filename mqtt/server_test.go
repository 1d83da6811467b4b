package mqtt_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/eventlog"
	"github.com/entrepot/entrepot/internal/store/memory"
	"github.com/entrepot/entrepot/mqtt"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// A gateway is the room behind a real socket.
type gateway struct {
	*listen.Server
	t    *testing.T
	host *adapters.Host
	log  *logBuffer
	stop func() // ends it, once
}

type gatewayOptions struct {
	config mqtt.Config
	limits adapters.Limits
	core   core.Options
	auth   adapters.Authenticator
}

func start(t *testing.T, o gatewayOptions) *gateway {
	t.Helper()
	o.core.Store = memory.New()
	router, err := core.New(o.core)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{t: t, log: new(logBuffer)}
	log := slog.New(slog.NewTextHandler(g.log, &slog.HandlerOptions{ReplaceAttr: eventlog.Attribute}))
	g.host = &adapters.Host{Router: router, Log: log, Limits: o.limits, Auth: o.auth, Metrics: adapters.NewMetrics()}
	room, err := mqtt.New(g.host, &o.config)
	if err != nil {
		t.Fatal(err)
	}
	g.Server, err = listen.New(listen.Options{
		Host: g.host, Loops: 2, Rooms: map[string]adapters.Room{"mqtt": room, "ws": room}, Listeners: []listen.Listener{{URL: "mqtt://127.0.0.1:0"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Bind(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx) }()
	g.stop = sync.OnceFunc(func() {
		router.Stop()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		router.Close()
	})
	t.Cleanup(g.stop)
	return g
}

func (g *gateway) count(name string, labels ...string) uint64 {
	return g.host.Metrics.Counter(name, labels...).Load()
}

// until polls for what another goroutine does.
func (g *gateway) until(what string, f func() bool) {
	g.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for !f() {
		select {
		case <-tick.C:
		case <-end:
			g.t.Fatalf("never: %s; log:\n%s", what, g.log)
		}
	}
}

// A caller is a client on a socket.
type caller struct {
	net.Conn
	t *testing.T
	v packet.Version
}

// call connects to the gateway without a word.
func (g *gateway) call(v packet.Version) *caller {
	g.t.Helper()
	nc, err := net.Dial("tcp", g.Addrs()[0].String())
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	return &caller{nc, g.t, v}
}

// greet sends a CONNECT.
func (c *caller) greet(id string, change ...func(*packet.Connect)) *caller {
	c.t.Helper()
	p := &packet.Connect{Version: c.v, CleanStart: true, ClientID: []byte(id)}
	for _, f := range change {
		f(p)
	}
	c.send(p)
	return c
}

// enter is call and greet with a CONNACK 00.
func (g *gateway) enter(v packet.Version, id string, change ...func(*packet.Connect)) *caller {
	g.t.Helper()
	c := g.call(v).greet(id, change...)
	if k, ok := c.next().(*packet.Connack); !ok || k.Code != packet.Success {
		g.t.Fatalf("%s was answered by %+v", id, k)
	}
	return c
}

func (c *caller) send(p packet.Packet) {
	c.t.Helper()
	if _, err := c.Write(p.AppendTo(nil, c.v)); err != nil {
		c.t.Fatal(err)
	}
}

// next reads one packet; nil at the end of the stream.
func (c *caller) next() packet.Packet {
	c.t.Helper()
	var in []byte
	for {
		b := make([]byte, 1)
		if _, err := io.ReadFull(c, b); err != nil {
			if err == io.EOF && len(in) == 0 {
				return nil
			}
			c.t.Fatalf("%v after % x", err, in)
		}
		in = append(in, b...)
		if h, state := packet.Scan(in, 0); state == packet.Complete {
			p := packet.New(h.Type)
			if err := p.Parse(&packet.Rules{From: packet.Server}, c.v, h.Flags, in[h.Head:h.Size()]); err != nil {
				c.t.Fatalf("% x: %v", in, err)
			}
			return p
		}
	}
}

// gone expects the end of the stream.
func (c *caller) gone() {
	c.t.Helper()
	if p := c.next(); p != nil {
		c.t.Errorf("instead of the end came %+v", p)
	}
}

type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// line is the first line that has all the words, "" without one.
func (l *logBuffer) line(words ...string) string {
	for line := range strings.Lines(l.String()) {
		found := true
		for _, w := range words {
			found = found && strings.Contains(line, w)
		}
		if found {
			return line
		}
	}
	return ""
}
