package matrix

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
)

// TestDelayedRewrittenPublishReachesEveryProtocol publishes once, by MQTT, to a
// topic that a rule turns into a delayed one.
func TestDelayedRewrittenPublishReachesEveryProtocol(t *testing.T) {
	t.Parallel()
	urls := start(t, "mqtt.delayed=true", `mqtt.rewrite=[{on: publish, from: "later/+/#", to: "$delayed/{1}/{#}"}]`)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	in := newPeer("mqtt", urls)
	defer in.close()
	type arrival struct {
		name string
		m    dial.Message
		at   time.Time
		err  error
	}
	arrivals := make(chan arrival, len(surfaces))
	for _, s := range surfaces {
		r, err := newPeer(s.name, urls).Subscribe(ctx, "site/1", 1)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		defer r.Close()
		go func() {
			m, err := r.Next(ctx, nil)
			arrivals <- arrival{s.name, m, time.Now(), err}
		}()
	}
	sent := time.Now()
	if err := in.Publish(ctx, dial.Message{Topic: "later/1/site/1", Payload: []byte("x"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	for range surfaces {
		a := <-arrivals
		if a.err != nil || a.m.Topic != "site/1" || string(a.m.Payload) != "x" || a.at.Sub(sent) < time.Second {
			t.Errorf("%s: %+v after %v, %v", a.name, a.m, a.at.Sub(sent), a.err)
		}
	}
}

// TestAnAutomaticSubscriptionHearsEveryProtocol connects by MQTT and subscribes
// to nothing.
func TestAnAutomaticSubscriptionHearsEveryProtocol(t *testing.T) {
	t.Parallel()
	urls := start(t, `mqtt.auto_subscribe=[{filter: "cmd/{client}/#", qos: 1}]`)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	got := make(chan dial.Message, len(surfaces))
	o := newPeer("mqtt", urls).options
	o.ClientID = "pump"
	o.OnMessage = func(m dial.Message) { got <- m }
	c, err := dial.Dial(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer farewell(c)
	for _, s := range surfaces {
		from := newPeer(s.name, urls)
		topic := fmt.Sprintf("cmd/pump/%s", strings.ReplaceAll(s.name, "-", "/"))
		if err := from.Publish(ctx, dial.Message{Topic: topic, Payload: []byte(s.name), QoS: 1}); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		select {
		case m := <-got:
			if m.Topic != topic || string(m.Payload) != s.name {
				t.Errorf("%s: %+v", s.name, m)
			}
		case <-ctx.Done():
			t.Errorf("%s: nothing came", s.name)
		}
		from.close()
	}
}
