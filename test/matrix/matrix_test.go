// Package matrix runs every script of testdata for every pair of protocols, in one process over real sockets, with the
// clients of internal/dial.
package matrix

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/internal/gateway"
	"github.com/entrepot/entrepot/test/script"
)

// surfaces are the ways in and out, each with what its receivers can show.
var surfaces = []struct {
	name, url, path string
	qos, retain     bool
	expiry          bool
}{
	{"mqtt", "mqtt://127.0.0.1:0", "", true, true, true},
	{"mqtt-ws", "ws://127.0.0.1:0", "/mqtt", true, true, true},
	{"mqttsn", "mqttsn://127.0.0.1:0", "", true, true, false},
	{"coap", "coap://127.0.0.1:0", "", false, false, false}, // Max-Age is bounded by coap.max_age
	{"stomp", "stomp://127.0.0.1:0", "", false, true, true},
	{"stomp-ws", "ws://127.0.0.1:0", "/stomp", false, true, true},
	{"amqp", "amqp://127.0.0.1:0", "", false, true, true},
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	scripts, err := script.Load("testdata")
	if err != nil {
		t.Fatal(err)
	}
	urls := start(t)
	count := script.Counter(t, urls["http"])
	for _, s := range scripts {
		for _, in := range surfaces {
			for _, out := range surfaces {
				from, to := newPeer(in.name, urls), newPeer(out.name, urls)
				if !s.Runs(from, to) {
					continue
				}
				t.Run(s.Name+"/"+in.name+"/"+out.name, func(t *testing.T) {
					defer from.close()
					prefix := fmt.Sprintf("m/%s/%s-%s/", s.Name, in.name, out.name)
					script.Run(t, s, script.Pair{In: from, Out: to, Count: count}, prefix)
				})
			}
		}
	}
	translated(t, count)
	timed(t, count)
}

// timed looks for every pair of protocols among the deliveries that were timed.
func timed(t *testing.T, count func(string, map[string]string) float64) {
	t.Helper()
	for _, from := range protocols {
		for _, to := range protocols {
			pair := map[string]string{"from": from, "to": to}
			n, took := count("entrepot_delivery_seconds_count", pair), count("entrepot_delivery_seconds_sum", pair)
			if n == 0 || took <= 0 || took > n*10 {
				t.Errorf("from %s to %s %v deliveries were timed, %v s", from, to, n, took)
			}
		}
	}
}

var protocols = []string{"mqtt", "mqttsn", "coap", "stomp", "amqp"}

// translated looks at what was counted of all that: every pair of protocols, those that lost a field as such, and nothing that
// came and left by one protocol.
func translated(t *testing.T, count func(string, map[string]string) float64) {
	t.Helper()
	for _, from := range protocols {
		for _, to := range protocols {
			n := map[string]float64{}
			for _, result := range []string{"ok", "lossy", "dropped"} {
				n[result] = count("entrepot_translations_total", map[string]string{"from": from, "to": to, "result": result})
			}
			lost := count("entrepot_mapping_dropped_total", map[string]string{"from": from, "to": to})
			if to == "mqtt" {
				lost += count("entrepot_mapping_dropped_total", map[string]string{"from": from, "to": "mqtt3"})
			}
			switch {
			case from == to:
				if n["ok"]+n["lossy"]+n["dropped"] != 0 {
					t.Errorf("%s counts translations into itself: %v", from, n)
				}
			case n["ok"] == 0 && n["lossy"] == 0, n["lossy"] > 0 != (lost > 0):
				t.Errorf("from %s to %s: %v, with %v fields lost", from, to, n, lost)
			}
		}
	}
}

// start runs a gateway with every protocol on free ports, and returns the URL of each surface.
func start(t *testing.T, set ...string) map[string]string {
	t.Helper()
	in := config.Input{Set: append([]string{"node.data=memory", "limits.overload.cpu=false"}, set...), Sections: gateway.Sections(), Protocols: gateway.Protocols()}
	listening := []string{"http://127.0.0.1:0"}
	for _, s := range surfaces {
		if !strings.Contains(strings.Join(listening, " "), s.url) {
			listening = append(listening, s.url)
		}
	}
	in.Listen = listening
	c, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.Open(gateway.Options{Config: c, Sections: in.Sections, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the gateway ended with %v", err)
		}
	})
	urls := map[string]string{"http": g.Listening()[0].URL}
	for _, s := range surfaces {
		for i, l := range listening {
			if l == s.url {
				urls[s.name] = g.Listening()[i].URL + s.path
			}
		}
	}
	return urls
}

// peer is a client of internal/dial.
type peer struct {
	name    string
	options dial.Options
	pub     dial.Conn
}

func newPeer(name string, urls map[string]string) *peer {
	a, err := config.ParseAddress(urls[name])
	if err != nil {
		panic(err)
	}
	return &peer{name: name, options: dial.Options{Address: a}}
}

func (p *peer) Protocol() string { return p.options.Protocol() }

func (p *peer) Says() script.Ability {
	return script.Ability{Ability: dial.Abilities(p.Protocol(), "")}
}

func (p *peer) Shows() script.Ability {
	a := script.Ability{Ability: dial.Abilities(p.Protocol(), ""), Topic: true}
	for _, s := range surfaces {
		if s.name == p.name {
			a.QoS, a.RetainBit = s.qos, s.retain
			a.Expiry = a.Expiry && s.expiry
			a.Headers = a.Headers || s.name == "coap" // the client asks for envelopes, which hold them
		}
	}
	return a
}

func (p *peer) Publish(ctx context.Context, m dial.Message) error {
	if p.pub == nil {
		c, err := dial.Dial(ctx, p.options)
		if err != nil {
			return err
		}
		p.pub = c
	}
	return dial.Send(ctx, p.pub, m)
}

func (p *peer) close() {
	if p.pub != nil {
		farewell(p.pub)
	}
}

func farewell(c dial.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = c.Close(ctx)
}

// Subscribe implements script.Peer.
func (p *peer) Subscribe(ctx context.Context, filter string, qos int) (script.Receiver, error) {
	r := &receiver{messages: make(chan dial.Message, 64)}
	o := p.options
	o.OnMessage = func(m dial.Message) { r.messages <- m }
	c, err := dial.Dial(ctx, o)
	if err != nil {
		return nil, err
	}
	r.conn = c
	granted, err := c.Subscribe(ctx, filter, qos)
	if err == nil && granted < 0 {
		err = fmt.Errorf("granted QoS %d", granted)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

type receiver struct {
	conn     dial.Conn
	messages chan dial.Message
}

// Next implements script.Receiver.
func (r *receiver) Next(ctx context.Context, _ []byte) (dial.Message, error) {
	select {
	case m := <-r.messages:
		return m, nil
	case <-r.conn.Done():
		return dial.Message{}, fmt.Errorf("the connection ended: %w", r.conn.Err())
	case <-ctx.Done():
		return dial.Message{}, fmt.Errorf("nothing came: %w", ctx.Err())
	}
}

// Close implements script.Receiver.
func (r *receiver) Close() { farewell(r.conn) }
