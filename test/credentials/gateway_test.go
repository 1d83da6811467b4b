package credentials

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/auth/password"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/internal/gateway"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// patience bounds each wait for something that must come.
const patience = 20 * time.Second

var (
	secret = password.New([]byte("secret")).Text() // of every user
)

// users of the tests: gw1 is a device, eve another with the same rights in other places, boss may everything.
const users = `
roles:
  sensor: ["pub dev/#", "sub cmd/#", "deny pub dev/secret/#", "deny sub cmd/secret/#"]
  own:    ["pubsub own/{client}/#"]
  all:    ["pubsub #", "pubsub $queue/#", "queue #", "sub $SYS/#", "admin admin"]
  see:    ["admin viewer"]
users:
  - {name: gw1, role: [sensor, own], client_ids: ["gw1-*", "shared"], password: "HASH"}
  - {name: eve, role: [sensor], client_ids: ["eve-*", "shared"], password: "HASH"}
  - {name: many, role: [all], namespaces: [default, plant], password: "HASH"}
  - {name: away, role: [all], namespaces: [plant, hq], password: "HASH"}
  - {name: beacon, role: [sensor], client_ids: ["sn-*"], password: none}
  - {name: viewer, role: [see], password: "HASH"}
  - {name: boss, role: [all], password: "HASH"}
`

// table is the table of clients of the MQTT-SN listener.
const table = `
- {client_id: "gw1-*", from: [127.0.0.0/8], user: gw1}
- {client_id: "shared", from: [127.0.0.1], user: gw1}
- {client_id: "sn-*", from: [127.0.0.0/8], user: beacon}
- {client_id: "far-*", from: [10.0.0.0/8], user: gw1}
`

// house is a running gateway.
type house struct {
	*testing.T
	at  map[string]string // URL by name
	log *journal
}

// start runs a gateway with the users, as `entrepot serve` does.
func start(t *testing.T, more string) *house { return startWith(t, more, nil) }

// startWith adds listeners with TLS where there is an authority.
func startWith(t *testing.T, more string, ca *tlstest.Authority) *house {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "HASH", secret)), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	names := []string{"http", "mqtt", "ws", "mqttsn", "coap", "stomp", "amqp"}
	var listeners strings.Builder
	listeners.WriteString("listeners:\n")
	for _, n := range names {
		extra := ""
		if n == "mqttsn" {
			extra = ", qos_m1_client: beacon, clients: " + write("clients.yaml", table)
		}
		listeners.WriteString("  - {url: \"" + n + "://127.0.0.1:0\"" + extra + "}\n")
	}
	if ca != nil {
		srv := ca.Issue("localhost")
		names = append(names, "amqps", "mqtts", "stomps")
		for _, n := range names[len(names)-3:] {
			listeners.WriteString(fmt.Sprintf("  - {url: \"%s://127.0.0.1:0\", tls: {cert: %s, key: %s, client_ca: %s, client_auth: optional}}\n", n, srv.Cert, srv.Key, ca.File))
		}
		for _, n := range names[len(names)-3:] {
			listeners.WriteString(fmt.Sprintf("  - {url: \"%s://127.0.0.1:0\", auth: [cert], tls: {cert: %s, key: %s, client_ca: %s, client_auth: optional}}\n", n, srv.Cert, srv.Key, ca.File))
			names = append(names, n+"-cert")
		}
		names = append(names, "mqtts-open")
		listeners.WriteString(fmt.Sprintf("  - {url: \"mqtts://127.0.0.1:0\", anonymous: true, tls: {cert: %s, key: %s, client_ca: %s, client_auth: optional}}\n", srv.Cert, srv.Key, ca.File))
	}
	in := config.Input{File: write("entrepot.yaml", "node: {data: memory}\n"+listeners.String()+users+more), Set: []string{"limits.overload.cpu=false"}, Sections: gateway.Sections(), Protocols: gateway.Protocols()}
	c, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{T: t, at: map[string]string{}, log: &journal{}}
	g, err := gateway.Open(gateway.Options{Config: c, Sections: in.Sections, Version: "test", Log: slog.New(slog.NewTextHandler(h.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range g.Listening() {
		h.at[names[i]] = l.URL
	}
	h.at["mqtt3"] = h.at["mqtt"]
	h.at["mqtt-ws"], h.at["stomp-ws"] = h.at["ws"]+"/mqtt", h.at["ws"]+"/stomp"
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the gateway ended with %v", err)
		}
	})
	return h
}

// protocols are the ways in, each with what proves a name there.
var protocols = []string{"mqtt", "mqtt3", "mqtt-ws", "mqttsn", "coap", "stomp", "stomp-ws", "amqp"}

// dial connects as a user; coap says who it is with each request, so that dialling proves nothing.
func (h *house) dial(protocol, user, pass, id string, on func(dial.Message)) (dial.Conn, error) {
	h.Helper()
	a, err := config.ParseAddress(h.at[protocol])
	if err != nil {
		h.Fatal(err)
	}
	o := dial.Options{Address: a, ClientID: id, User: user, Password: []byte(pass), OnMessage: on}
	if protocol == "mqtt3" {
		o.Version = "3.1.1"
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := dial.Dial(ctx, o)
	if err == nil {
		h.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = c.Close(ctx)
		})
	}
	return c, err
}

// must is dial for logins that have to succeed.
func (h *house) must(protocol, user, id string, on func(dial.Message)) dial.Conn {
	h.Helper()
	c, err := h.dial(protocol, user, "secret", id, on)
	if err != nil {
		h.Fatalf("%s as %s: %v", protocol, user, err)
	}
	return c
}

func publish(c dial.Conn, topic, payload string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return dial.Send(ctx, c, dial.Message{Topic: topic, Payload: []byte(payload), QoS: 1})
}

func subscribe(c dial.Conn, filter string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := c.Subscribe(ctx, filter, 1)
	return err
}

// ask gets a path of the admin listener and returns the status and the body.
func (h *house) ask(path, user, pass string) (int, string) {
	h.Helper()
	r, err := http.NewRequest(http.MethodGet, h.at["http"]+path, nil)
	if err != nil {
		h.Fatal(err)
	}
	if user != "" {
		r.SetBasicAuth(user, pass)
	}
	resp, err := (&http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		h.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	_, _ = b.ReadFrom(resp.Body)
	return resp.StatusCode, b.String()
}

// host is host:port of a listener.
func (h *house) host(name string) string {
	u, err := url.Parse(h.at[name])
	if err != nil {
		h.Fatal(err)
	}
	return u.Host
}

// until polls a condition that another goroutine makes true.
func until(what string, t *testing.T, done func() bool) {
	t.Helper()
	tick, end := time.NewTicker(2*time.Millisecond), time.After(patience)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s did not happen in %v", what, patience)
		}
	}
}

// journal keeps the log.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

// has tells whether a line holds all words.
func (j *journal) has(words ...string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for line := range strings.Lines(j.b.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			return true
		}
	}
	return false
}
