package rig

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/internal/gateway"
)

// Patience bounds each wait for something that must come. It is what a test that fails takes, and no measure of speed.
const Patience = 60 * time.Second

// Options say what is started.
type Options struct {
	Listen []string // schemes; each listens on a free port of 127.0.0.1
	Names  []string // of the listeners, in their order; nil for their schemes
	File   string   // the configuration file's text, "" for none
	Set    []string // KEY=VALUE, as `--set` has them
	Memory bool     // the store is in memory and not in a directory of the test
	User   string   // who may read the metrics, where a login is needed
	Pass   string
	Alone  bool // no test runs beside this one: when it ends, no goroutine may be left of it
}

// Gateway is a gateway of this process.
type Gateway struct {
	*testing.T
	At   map[string]string // host:port by scheme
	URL  map[string]string
	Log  *Journal
	Dir  string // of the store, unless that is in memory
	Seen Series // the newest metrics

	options Options
	http    http.Client
	dialled []dial.Conn
	quit    func()
}

// Start runs a gateway until the test ends.
func Start(t *testing.T, o Options) *Gateway {
	t.Helper()
	if o.Alone {
		before := goleak.IgnoreCurrent()
		t.Cleanup(func() {
			if err := goleak.Find(before); err != nil {
				t.Error(err)
			}
		})
	}
	g := &Gateway{T: t, Log: &Journal{}, options: o, http: http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Patience}}
	if !o.Memory {
		g.Dir = t.TempDir()
	}
	g.open()
	t.Cleanup(func() { g.Quit() })
	return g
}

func (g *Gateway) open() {
	g.Helper()
	in := config.Input{Sections: gateway.Sections(), Protocols: gateway.Protocols(), Set: []string{"node.data=memory", "limits.overload.cpu=false"}}
	if g.Dir != "" {
		in.Set[0] = "node.data=" + g.Dir
	}
	in.Set = append(in.Set, g.options.Set...)
	for _, scheme := range g.options.Listen {
		in.Listen = append(in.Listen, scheme+"://127.0.0.1:0")
	}
	if g.options.File != "" {
		in.File = File(g.T, "entrepot.yaml", g.options.File)
	}
	c, err := config.Load(in)
	if err != nil {
		g.Fatal(err)
	}
	gw, err := gateway.Open(gateway.Options{Config: c, Sections: in.Sections, Version: "test", Log: slog.New(slog.NewTextHandler(g.Log, nil))})
	if err != nil {
		g.Fatal(err)
	}
	g.At, g.URL = map[string]string{}, map[string]string{}
	for i, l := range gw.Listening() {
		u, err := url.Parse(l.URL)
		if err != nil {
			g.Fatal(err)
		}
		name := u.Scheme
		if g.options.Names != nil {
			name = g.options.Names[i]
		}
		g.At[name], g.URL[name] = u.Host, l.URL
	}
	g.URL["mqtt3"] = g.URL["mqtt"]
	if ws := g.URL["ws"]; ws != "" {
		g.URL["mqtt-ws"], g.URL["stomp-ws"] = ws+"/mqtt", ws+"/stomp"
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- gw.Run(ctx) }()
	g.quit = sync.OnceFunc(func() {
		stop()
		select {
		case err := <-done:
			if err != nil {
				g.Errorf("the gateway ended with %v", err)
			}
		case <-time.After(Patience):
			g.Errorf("the gateway does not stop\n%s", Stacks())
		}
	})
}

// Quit stops the gateway, in order.
func (g *Gateway) Quit() { g.quit() }

// Restart stops the gateway and starts another on the same store.
func (g *Gateway) Restart() {
	g.Helper()
	g.Quit()
	g.open()
}

// File writes a file that its owner alone can read, and returns its name.
func File(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
