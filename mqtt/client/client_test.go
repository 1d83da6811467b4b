package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/store/memory"
	"github.com/entrepot/entrepot/mqtt"
	"github.com/entrepot/entrepot/mqtt/packet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// serve starts the real server on TCP, WebSocket and a Unix socket.
func serve(t testing.TB) []Target {
	t.Helper()
	router, err := core.New(core.Options{Store: memory.New()})
	if err != nil {
		t.Fatal(err)
	}
	host := &adapters.Host{Router: router, Log: slog.New(slog.DiscardHandler), Metrics: adapters.NewMetrics()}
	reg := mqtt.Registration()
	room, err := reg.New(host, reg.Config())
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "s")
	s, err := listen.New(listen.Options{
		Host: host, Rooms: map[string]adapters.Room{"mqtt": room},
		Listeners: []listen.Listener{{URL: "mqtt://127.0.0.1:0"}, {URL: "ws://127.0.0.1:0"}, {URL: "mqtt+unix://" + socket}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Bind(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		router.Close()
	})
	a := s.Addrs()
	return []Target{
		{Network: "tcp", Address: a[0].String()},
		{Network: "tcp", Address: a[1].String(), WebSocket: "/mqtt"},
		{Network: "unix", Address: socket},
	}
}

func dial(t testing.TB, to Target, o Options) *Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := Dial(ctx, to, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func subscribe(t testing.TB, c *Client, filter string, qos byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if _, err := c.Subscribe(ctx, Subscription{Filter: filter, QoS: qos}); err != nil {
		t.Fatal(err)
	}
}

func publish(t testing.TB, c *Client, m Message) error {
	t.Helper()
	result := make(chan error, 1)
	c.Publish(context.Background(), m, func(err error) { result <- err })
	return await(t, result)
}

func await[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func TestMessagesPassByEveryVersionTransportAndQoS(t *testing.T) {
	for i, to := range serve(t) {
		for _, v := range []packet.Version{packet.V31, packet.V311, packet.V5} {
			for qos := range byte(3) {
				t.Run(fmt.Sprint(i, " ", v, " ", qos), func(t *testing.T) {
					got := make(chan Message, 1)
					o := Options{Version: v, ClientID: fmt.Sprint("c", i, byte(v), qos), OnMessage: func(m Message) { got <- m }}
					c := dial(t, to, o)
					topic := fmt.Sprint("t/", i, byte(v), qos)
					subscribe(t, c, topic, 2)
					if err := publish(t, c, Message{Topic: topic, Payload: []byte("x"), QoS: qos}); err != nil {
						t.Fatal(err)
					}
					m := await(t, got)
					if string(m.Payload) != "x" || m.QoS != qos || m.Topic != topic {
						t.Errorf("%+v", m)
					}
				})
			}
		}
	}
}

func TestPropertiesPass(t *testing.T) {
	to := serve(t)[0]
	got := make(chan Message, 1)
	c := dial(t, to, Options{OnMessage: func(m Message) { got <- m }})
	subscribe(t, c, "a", 1)
	want := Message{Topic: "a", Payload: []byte("é"), QoS: 1, Text: true, Expiry: time.Minute, ContentType: "text/plain",
		ResponseTopic: "r", Correlation: []byte{0, 1}, User: []Property{{"k", "v"}, {"k", "w"}}}
	if err := publish(t, c, want); err != nil {
		t.Fatal(err)
	}
	m := await(t, got)
	m.Subscriptions = nil
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
}

func TestWindowIsKeptAndOrderToo(t *testing.T) {
	to := serve(t)[0]
	const n = 2000
	got := make(chan string, n)
	sub := dial(t, to, Options{OnMessage: func(m Message) { got <- string(m.Payload) }})
	subscribe(t, sub, "a", 2)
	pub := dial(t, to, Options{Window: 10})
	acked := make(chan error, n)
	for i := range n {
		pub.Publish(context.Background(), Message{Topic: "a", QoS: byte(i%2) + 1, Payload: fmt.Append(nil, i)}, func(err error) { acked <- err })
	}
	last := [2]int{-1, -1}
	for range n {
		if err := await(t, acked); err != nil {
			t.Fatal(err)
		}
		var i int
		fmt.Sscan(await(t, got), &i)
		if i <= last[i%2] {
			t.Fatalf("%d after %d", i, last[i%2])
		}
		last[i%2] = i
	}
}

func TestRefusalsAreNamed(t *testing.T) {
	to := serve(t)[0]
	ctx := context.Background()
	_, err := Dial(ctx, to, Options{Version: packet.V311, Resume: true})
	var r *Refused
	if !errors.As(err, &r) || r.Code != 2 {
		t.Errorf("empty id without a clean session: %v", err)
	}
	c := dial(t, to, Options{})
	_, err = c.Subscribe(ctx, Subscription{Filter: "a#"})
	if !errors.As(err, &r) || r.Code != packet.TopicFilterInvalid {
		t.Errorf("filter: %v", err)
	}
	if err := publish(t, c, Message{Topic: "$SYS/x", QoS: 1}); !errors.As(err, &r) || r.Code != packet.NotAuthorized {
		t.Errorf("publish: %v", err)
	}
}

func TestSessionResumesAfterAnAbort(t *testing.T) {
	to := serve(t)[0]
	a := dial(t, to, Options{ClientID: "a", Resume: true, Expiry: time.Minute})
	subscribe(t, a, "x", 2)
	a.Abort()
	p := dial(t, to, Options{})
	if err := publish(t, p, Message{Topic: "x", QoS: 2, Payload: []byte("later")}); err != nil {
		t.Fatal(err)
	}
	got := make(chan Message, 1)
	b := dial(t, to, Options{ClientID: "a", Resume: true, Expiry: time.Minute, OnMessage: func(m Message) { got <- m }})
	if !b.Present() {
		t.Error("no session present")
	}
	if m := await(t, got); string(m.Payload) != "later" {
		t.Errorf("%+v", m)
	}
}

func TestTakeoverEndsTheOldConnectionWithItsReason(t *testing.T) {
	to := serve(t)[0]
	a := dial(t, to, Options{ClientID: "a"})
	dial(t, to, Options{ClientID: "a"})
	await(t, a.Done())
	var r *Refused
	if !errors.As(a.Err(), &r) || r.Code != packet.SessionTakenOver {
		t.Errorf("%v", a.Err())
	}
	if err := publish(t, a, Message{Topic: "x", QoS: 1}); err == nil {
		t.Error("a publish after the end succeeded")
	}
}
