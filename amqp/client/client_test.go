package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/amqp"
	"github.com/entrepot/entrepot/amqp/client"
	"github.com/entrepot/entrepot/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// serve starts the listener on a free port; stop ends it.
func serve(t *testing.T, o core.Options) (addr string, stop func()) {
	t.Helper()
	o.Store = adaptertest.NewStore()
	router, err := core.New(o)
	if err != nil {
		t.Fatal(err)
	}
	host := &adapters.Host{Router: router, Log: slog.New(slog.DiscardHandler), Metrics: adapters.NewMetrics()}
	reg := amqp.Registration()
	room, err := reg.New(host, reg.Config())
	if err != nil {
		t.Fatal(err)
	}
	s, err := listen.New(listen.Options{Host: host, Rooms: map[string]adapters.Room{"amqp": room},
		Listeners: []listen.Listener{{URL: "amqp://127.0.0.1:0"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Bind(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		router.Close()
	}
	t.Cleanup(stop)
	return s.Addrs()[0].Addr.String(), stop
}

func dial(t *testing.T, addr string, o client.Options) *client.Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client.Dial(ctx, addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

// send publishes and waits for the answer.
func send(t *testing.T, c *client.Client, m client.Message) error {
	t.Helper()
	done := make(chan error, 1)
	c.Publish(t.Context(), m, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatal("no answer")
	}
	return nil
}

func TestPublishAndSubscribe(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, core.Options{})
	in := make(chan client.Message, 100)
	sub := dial(t, addr, client.Options{OnMessage: func(m client.Message) { in <- m }})
	for filter, qos := range map[string]int{"a/+/c": 1, "$queue/jobs": 1, "zero": 0} {
		if granted, err := sub.Subscribe(t.Context(), filter, min(qos+1, 2)); filter != "zero" && (err != nil || granted != 1) {
			t.Fatal(filter, granted, err)
		}
	}
	pub := dial(t, addr, client.Options{Name: "publisher"})
	for _, m := range []client.Message{
		{Topic: "a/b.c/c", QoS: 1, Payload: []byte("1"), Headers: []client.Header{{Name: "k", Value: "v"}}},
		{Topic: "$queue/jobs", QoS: 1, Payload: []byte("2")},
		{Topic: "a/x/c", Payload: []byte("3")},
	} {
		if err := send(t, pub, m); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-in:
			if got.Topic != m.Topic || string(got.Payload) != string(m.Payload) || got.QoS != m.QoS || !slices.Equal(got.Headers, m.Headers) {
				t.Errorf("got %+v, want %+v", got, m)
			}
		case <-time.After(patience):
			t.Fatal(m.Topic, "did not arrive")
		}
	}
}

func TestPublishesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, core.Options{})
	const n = 2000
	in := make(chan client.Message, n)
	sub := dial(t, addr, client.Options{OnMessage: func(m client.Message) { in <- m }})
	if _, err := sub.Subscribe(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	pub := dial(t, addr, client.Options{Window: 16})
	done := make(chan error, n)
	for i := range n {
		pub.Publish(t.Context(), client.Message{Topic: "t", QoS: 1, Payload: []byte(fmt.Sprint(i))}, func(err error) { done <- err })
	}
	for i := range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-in:
			if string(m.Payload) != fmt.Sprint(i) {
				t.Fatalf("%s came as %d", m.Payload, i)
			}
		case <-time.After(patience):
			t.Fatal("lost", i)
		}
	}
}

// nothing may be published.
type nothing struct{}

func (nothing) Authorize(_ *core.Principal, a core.Action, _ string) bool {
	return a != core.ActionPublish
}

func TestARefusalIsTheServersWord(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, core.Options{Authorizer: nothing{}})
	c := dial(t, addr, client.Options{})
	err := send(t, c, client.Message{Topic: "a", QoS: 1})
	var e *amqp091.Error
	if !errors.As(err, &e) || e.Code != amqp091.AccessRefused {
		t.Fatal(err)
	}
	if err := send(t, c, client.Message{Topic: "a", QoS: 1}); !errors.As(err, &e) {
		t.Fatal("after the end:", err)
	}
	<-c.Done()
	if c.Err() == nil {
		t.Fatal("no reason")
	}
}

func TestWhatCannotBeAddressedIsRefused(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, core.Options{})
	c := dial(t, addr, client.Options{})
	for _, name := range []string{"", "a/+", string(make([]byte, 300))} {
		if err := send(t, c, client.Message{Topic: name}); err == nil {
			t.Errorf("%q was sent", name)
		}
	}
	for _, filter := range []string{"$share/g/a", "", "a/b+"} {
		if _, err := c.Subscribe(t.Context(), filter, 1); err == nil {
			t.Errorf("%q was subscribed", filter)
		}
	}
}

func TestTheEndOfTheServerIsTheEnd(t *testing.T) {
	t.Parallel()
	addr, stop := serve(t, core.Options{})
	c := dial(t, addr, client.Options{})
	stop()
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Fatal("still alive")
	}
	var e *amqp091.Error
	if err := c.Err(); !errors.As(err, &e) || e.Code != amqp091.ConnectionForced {
		t.Fatal(err)
	}
}

func TestDialObeysItsContext(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client.Dial(ctx, silent.Addr().String(), client.Options{}); err == nil {
		t.Fatal("connected to nobody")
	}
}
