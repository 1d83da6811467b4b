package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"log/slog"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/store/memory"
	"github.com/entrepot/entrepot/mqttsn"
	"github.com/entrepot/entrepot/mqttsn/client"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// gateway serves MQTT-SN on a free loopback port and returns its address.
func gateway(t *testing.T, c mqttsn.Config) string {
	t.Helper()
	return gatewayOf(t, c, nil)
}

func gatewayOf(t *testing.T, c mqttsn.Config, who adapters.Authenticator) string {
	t.Helper()
	router, err := core.New(core.Options{Store: memory.New()})
	if err != nil {
		t.Fatal(err)
	}
	host := &adapters.Host{
		Router: router, Log: slog.New(slog.DiscardHandler), Limits: adapters.Limits{}.WithDefaults(), Metrics: adapters.NewMetrics(),
		Auth: who,
	}
	room, err := mqttsn.New(host, c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := listen.New(listen.Options{
		Host: host, Rooms: map[string]adapters.Room{"mqttsn": room}, Loops: 1,
		Listeners: []listen.Listener{{URL: "mqttsn://127.0.0.1:0"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Bind(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-served
		router.Close()
	})
	return s.Addrs()[0].Addr.String()
}

// inbox collects messages.
type inbox struct {
	mu   sync.Mutex
	got  []string
	more chan struct{}
}

func newInbox() *inbox { return &inbox{more: make(chan struct{}, 1000)} }

func (b *inbox) put(m client.Message) {
	b.mu.Lock()
	b.got = append(b.got, fmt.Sprintf("%s=%s q%d", m.Topic, m.Payload, m.QoS))
	b.mu.Unlock()
	b.more <- struct{}{}
}

// want waits for as many messages and compares them.
func (b *inbox) want(t *testing.T, messages ...string) {
	t.Helper()
	for range messages {
		select {
		case <-b.more:
		case <-t.Context().Done():
			t.Fatal("the test ended")
		case <-time.After(10 * time.Second):
			b.mu.Lock()
			defer b.mu.Unlock()
			t.Fatalf("received %q, want %q", b.got, messages)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.got, messages) {
		t.Fatalf("received %q, want %q", b.got, messages)
	}
	b.got = nil
}

func dial(t *testing.T, addr, id string, o client.Options) *client.Client {
	t.Helper()
	o.ClientID = id
	c, err := client.Dial(t.Context(), addr, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPublishAndSubscribeWithEveryQoS(t *testing.T) {
	t.Parallel()
	addr, in := gateway(t, mqttsn.Config{}), newInbox()
	ctx := t.Context()
	sub := dial(t, addr, "sub", client.Options{OnMessage: in.put})
	granted, err := sub.Subscribe(ctx, client.Name("a/#"), 2)
	must(t, err)
	if granted != 2 {
		t.Errorf("granted %d", granted)
	}
	pub := dial(t, addr, "pub", client.Options{})
	for qos := packet.QoS(-1); qos <= 2; qos++ {
		must(t, pub.Publish(ctx, client.Name("a/b"), qos, false, fmt.Append(nil, qos)))
	}
	in.want(t, "a/b=-1 q0", "a/b=0 q0", "a/b=1 q1", "a/b=2 q2")
	must(t, sub.Unsubscribe(ctx, client.Name("a/#")))
	must(t, pub.Publish(ctx, client.Name("a/b"), 1, false, nil))
	must(t, sub.Ping(ctx))
	must(t, sub.Disconnect(ctx))
	must(t, pub.Disconnect(ctx))
}

func TestShortPredefinedAndLongTopics(t *testing.T) {
	t.Parallel()
	table := map[uint16]string{7: "seven"}
	addr, in := gateway(t, mqttsn.Config{Predefined: table}), newInbox()
	ctx := t.Context()
	sub := dial(t, addr, "sub", client.Options{OnMessage: in.put, Predefined: table})
	for _, topic := range []client.Topic{client.Short("ab"), client.Predefined(7), client.Name("a/long/name")} {
		_, err := sub.Subscribe(ctx, topic, 1)
		must(t, err)
	}
	pub, err := client.Open(ctx, addr, client.Options{})
	must(t, err)
	defer pub.Close()
	for _, topic := range []client.Topic{client.Short("ab"), client.Predefined(7), client.Name("a/long/name")} {
		must(t, pub.Publish(ctx, topic, -1, false, []byte("x")))
	}
	in.want(t, "ab=x q0", "seven=x q0", "a/long/name=x q0")
	if err := pub.Publish(ctx, client.Name("a/b"), 1, false, nil); !errors.Is(err, client.ErrNoSession) {
		t.Errorf("QoS 1 without a session: %v", err)
	}
	if id, err := pub.SearchGateway(ctx); err != nil || id != 1 {
		t.Errorf("gateway %d, %v", id, err)
	}
}

func TestSleepAndWake(t *testing.T) {
	t.Parallel()
	addr, in := gateway(t, mqttsn.Config{}), newInbox()
	ctx := t.Context()
	sub := dial(t, addr, "sub", client.Options{OnMessage: in.put})
	_, err := sub.Subscribe(ctx, client.Name("a/#"), 2)
	must(t, err)
	must(t, sub.Sleep(ctx, time.Hour))
	if err := sub.Ping(ctx); !errors.Is(err, client.ErrAsleep) {
		t.Errorf("ping while asleep: %v", err)
	}
	pub := dial(t, addr, "pub", client.Options{})
	must(t, pub.Publish(ctx, client.Name("a/b"), 1, false, []byte("1")))
	must(t, pub.Publish(ctx, client.Name("a/c"), 2, false, []byte("2")))
	must(t, sub.Wake(ctx))
	in.want(t, "a/b=1 q1", "a/c=2 q2")
	must(t, sub.Wake(ctx)) // nothing waits
	must(t, pub.Publish(ctx, client.Name("a/b"), 0, false, []byte("3")))
	must(t, pub.Ping(ctx))
	must(t, sub.Connect(ctx))
	in.want(t, "a/b=3 q0")
	must(t, sub.Disconnect(ctx))
}

func TestWillIsPublishedWhenTheClientVanishesAndAnotherTakesItsPlace(t *testing.T) {
	t.Parallel()
	addr, in := gateway(t, mqttsn.Config{}), newInbox()
	ctx := t.Context()
	watch := dial(t, addr, "watch", client.Options{OnMessage: in.put})
	_, err := watch.Subscribe(ctx, client.Name("w/#"), 1)
	must(t, err)
	o := client.Options{Will: &client.Will{Topic: "w/1", QoS: 1, Payload: []byte("bye")}}
	c := dial(t, addr, "c", o)
	must(t, c.UpdateWill(ctx, &client.Will{Topic: "w/2", Payload: []byte("gone")}))
	d := dial(t, addr, "c", client.Options{})
	in.want(t, "w/2=gone q0")
	<-c.Done()
	if !errors.Is(c.Err(), client.ErrDisconnected) {
		t.Errorf("the first ended with %v", c.Err())
	}
	must(t, d.Disconnect(ctx))
}

func TestResumedSession(t *testing.T) {
	t.Parallel()
	addr, in := gateway(t, mqttsn.Config{}), newInbox()
	ctx := t.Context()
	o := client.Options{Resume: true, OnMessage: in.put}
	first := dial(t, addr, "sub", o)
	_, err := first.Subscribe(ctx, client.Name("a/b"), 1)
	must(t, err)
	must(t, first.Disconnect(ctx))
	pub := dial(t, addr, "pub", client.Options{})
	must(t, pub.Publish(ctx, client.Name("a/b"), 1, false, []byte("x")))
	dial(t, addr, "sub", o)
	in.want(t, "a/b=x q1")
}

func TestManyPublishesInAWindowKeepTheirOrder(t *testing.T) {
	t.Parallel()
	addr, in := gateway(t, mqttsn.Config{MaxInflight: 8}), newInbox()
	ctx := t.Context()
	sub := dial(t, addr, "sub", client.Options{OnMessage: in.put})
	_, err := sub.Subscribe(ctx, client.Name("#"), 0)
	must(t, err)
	pub := dial(t, addr, "pub", client.Options{Window: 16})
	const n = 500
	errs := make(chan error, n)
	var want []string
	for i := range n {
		pub.PublishAsync(ctx, client.Name("a/b"), 1, false, fmt.Append(nil, i), func(err error) { errs <- err })
		want = append(want, fmt.Sprintf("a/b=%d q0", i))
	}
	for range n {
		must(t, <-errs)
	}
	in.want(t, want...)
}

func TestRefusalsNameTheCode(t *testing.T) {
	t.Parallel()
	addr := gateway(t, mqttsn.Config{MaxTopics: 1, MaxClientID: 8})
	ctx := t.Context()
	var no *client.Refused
	_, err := client.Dial(ctx, addr, client.Options{ClientID: strings.Repeat("x", 9)})
	if !errors.As(err, &no) || no.By != packet.CONNACK || no.Code != packet.NotSupported {
		t.Errorf("connect: %v", err)
	}
	c := dial(t, addr, "c", client.Options{})
	if _, err := c.Subscribe(ctx, client.Name("#/a"), 0); !errors.As(err, &no) || no.Code != packet.NotSupported {
		t.Errorf("subscribe: %v", err)
	}
	must(t, c.Publish(ctx, client.Name("a/b"), 1, false, nil))
	if err := c.Publish(ctx, client.Name("a/c"), 1, false, nil); !errors.As(err, &no) || no.By != packet.REGACK {
		t.Errorf("register: %v", err)
	}
	if err := c.Publish(ctx, client.Predefined(9), 1, false, nil); !errors.As(err, &no) || no.Code != packet.InvalidTopicID {
		t.Errorf("publish: %v", err)
	}
	if err := c.Publish(ctx, client.Name("a/b"), 1, false, make([]byte, 65499)); !errors.Is(err, client.ErrTooLarge) {
		t.Errorf("65,499 octets: %v", err)
	}
	must(t, c.Publish(ctx, client.Name("a/b"), 1, false, make([]byte, 65498)))
	must(t, c.Ping(ctx))
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	addr := free.LocalAddr().String()
	must(t, free.Close())
	if _, err := client.Dial(t.Context(), addr, client.Options{ClientID: "c"}); err == nil {
		t.Fatal("connected to nobody")
	}
}

// oneUser knows one name and password.
type oneUser struct{}

func (oneUser) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	if c.User != "ann" || string(c.Password) != "secret" {
		return nil, core.NotAuthenticated
	}
	return &core.Principal{User: c.User, ClientID: c.ClientID}, core.OK
}

func TestMQTTSN_A1_TheClientShowsAUserAndPassword(t *testing.T) {
	t.Parallel()
	addr := gatewayOf(t, mqttsn.Config{AuthPacket: true}, oneUser{})
	d := dial(t, addr, "c", client.Options{User: "ann", Password: "secret", Will: &client.Will{Topic: "w"}})
	if err := d.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.Sleep(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := d.Connect(t.Context()); err != nil { // with AUTH again
		t.Fatal(err)
	}
	var refused *client.Refused
	_, err := client.Dial(t.Context(), addr, client.Options{ClientID: "c", User: "ann", Password: "wrong"})
	if !errors.As(err, &refused) || refused.By != packet.CONNACK || refused.Code != packet.NotSupported {
		t.Errorf("a wrong password: %v", err)
	}
	if err := d.Ping(t.Context()); err != nil {
		t.Errorf("the owner: %v", err)
	}
}
