package interop

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/entrepot/entrepot/test/script"
)

var clients = []struct {
	name string
	make func(*testing.T, *server) script.Peer
}{
	{"mosquitto", newMosquitto},
	{"npm-mqtt-ws", newNode},
	{"coap-client", newCoAP},
	{"python-stomp", newStompPy},
	{"python-pika", newPika},
	{"amqp-tools", newAMQPTools},
	{"entrepot-mqttsn", newMQTTSN},
}

func TestInterop(t *testing.T) {
	scripts, err := script.Load("../matrix/testdata")
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t)
	count := script.Counter(t, s.url("http", ""))
	peers := map[string]script.Peer{}
	for _, c := range clients {
		peers[c.name] = &watched{Peer: c.make(t, s), name: c.name, t: t, count: count}
	}
	for _, sc := range scripts {
		for _, in := range clients {
			for _, out := range clients {
				if !sc.Runs(peers[in.name], peers[out.name]) {
					continue
				}
				t.Run(sc.Name+"/"+in.name+"/"+out.name, func(t *testing.T) {
					prefix := fmt.Sprintf("i/%s/%s-%s/", sc.Name, in.name, out.name)
					script.Run(t, sc, script.Pair{In: peers[in.name], Out: peers[out.name], Count: count}, prefix)
				})
			}
		}
	}
}

// watched waits until the gateway has a subscription, since most clients do not tell.
type watched struct {
	script.Peer
	name  string
	t     *testing.T
	count func(metric string, labels map[string]string) float64
}

// Name implements script.Named.
func (w *watched) Name() string { return w.name }

// subscriptions are those of the peer's kind: observations apart, since coap-client leaves them behind when it ends and the
// gateway forgets them at some later time.
func (w *watched) subscriptions() float64 {
	observations := w.count("entrepot_coap_observers", nil)
	if w.Protocol() == "coap" {
		return observations
	}
	return w.count("entrepot_subscriptions", nil) - observations
}

// Subscribe implements script.Peer.
func (w *watched) Subscribe(ctx context.Context, filter string, qos int) (script.Receiver, error) {
	before := w.subscriptions()
	r, err := w.Peer.Subscribe(ctx, filter, qos)
	if err != nil {
		return nil, err
	}
	if err := w.until(ctx, func() bool { return w.subscriptions() > before }); err != nil {
		r.Close()
		return nil, fmt.Errorf("the gateway does not see the subscription: %w", err)
	}
	return &watchedReceiver{r, w}, nil
}

func (w *watched) until(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

type watchedReceiver struct {
	script.Receiver
	w *watched
}

// Close waits until the gateway has forgotten the subscription, but for observations.
func (r *watchedReceiver) Close() {
	before := r.w.subscriptions()
	r.Receiver.Close()
	if r.w.Protocol() == "coap" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := r.w.until(ctx, func() bool { return r.w.subscriptions() < before }); err != nil {
		r.w.t.Errorf("%s: the subscription outlives its client", r.w.Protocol())
	}
}
