package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/store/memory"
	"github.com/entrepot/entrepot/stomp"
	"github.com/entrepot/entrepot/stomp/frame"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

type login struct{}

func (login) Authenticate(_ context.Context, c adapters.Credentials) (*core.Principal, core.Reason) {
	if c.User == "nobody" {
		return nil, core.NotAuthenticated
	}
	return core.Anonymous, core.OK
}

// serve starts the real server on a free port.
func serve(t testing.TB) string {
	t.Helper()
	tcp, _ := serveBoth(t)
	return tcp
}

func serveBoth(t testing.TB) (tcp, ws string) {
	t.Helper()
	router, err := core.New(core.Options{Store: memory.New()})
	if err != nil {
		t.Fatal(err)
	}
	host := &adapters.Host{Router: router, Auth: login{}, Log: slog.New(slog.DiscardHandler), Metrics: adapters.NewMetrics()}
	s, err := listen.New(listen.Options{
		Host: host, Rooms: map[string]adapters.Room{"stomp": stomp.New(host, stomp.DefaultConfig())},
		Listeners: []listen.Listener{{URL: "stomp://127.0.0.1:0"}, {URL: "ws://127.0.0.1:0"}},
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
	return s.Addrs()[0].String(), "ws://" + s.Addrs()[1].String() + "/stomp"
}

func dial(t testing.TB, address string, o Options) *Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := Dial(ctx, address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		c.Close(ctx)
	})
	return c
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

func publish(t testing.TB, c *Client, m Message) {
	t.Helper()
	result := make(chan error, 1)
	c.Publish(context.Background(), m, func(err error) { result <- err })
	if err := await(t, result); err != nil {
		t.Fatal(err)
	}
}

func TestAMessageArrivesWithEverythingItCarries(t *testing.T) {
	t.Parallel()
	address := serve(t)
	for _, version := range []string{"1.0", "1.1", "1.2", ""} {
		t.Run("version "+version, func(t *testing.T) {
			t.Parallel()
			got := make(chan Message, 10)
			sub := dial(t, address, Options{Version: version, OnMessage: func(m Message) { got <- m }, Heartbeat: time.Second})
			pub := dial(t, address, Options{Version: version, User: "user", Password: "x"})
			name := "v" + version + "/a.b/c"
			if granted, err := sub.Subscribe(context.Background(), "v"+version+"/+/#", 1); granted != 1 || err != nil {
				t.Fatal(granted, err)
			}
			m := Message{Topic: name, Payload: []byte("a\x00b"), QoS: 1, ContentType: "x/y", ReplyTo: "back/to.me",
				Correlation: []byte{0xff, 1}, Headers: []Header{{"k", "v:w"}, {"l", ""}}}
			publish(t, pub, m)
			if in := await(t, got); !reflect.DeepEqual(in, m) {
				t.Errorf("got  %+v\nwant %+v", in, m)
			}
			publish(t, pub, Message{Topic: name, Expiry: time.Hour, Retain: true, Payload: []byte("kept")})
			if in := await(t, got); in.QoS != 0 || in.Expiry < time.Minute || in.Retain {
				t.Errorf("%+v", in)
			}
			late := make(chan Message, 1)
			if _, err := dial(t, address, Options{OnMessage: func(m Message) { late <- m }}).Subscribe(context.Background(), name, 0); err != nil {
				t.Fatal(err)
			}
			if in := await(t, late); !in.Retain || string(in.Payload) != "kept" {
				t.Errorf("%+v", in)
			}
		})
	}
}

func TestQueuesAndGroupsGiveEachMessageOnce(t *testing.T) {
	t.Parallel()
	address := serve(t)
	for _, row := range []struct{ filter, topic string }{{"$queue/jobs/1", "$queue/jobs/1"}, {"$share/g/x/+", "x/y"}} {
		got := make(chan Message, 100)
		for range 2 {
			c := dial(t, address, Options{OnMessage: func(m Message) { got <- m }})
			if _, err := c.Subscribe(context.Background(), row.filter, 1); err != nil {
				t.Fatal(err)
			}
		}
		pub := dial(t, address, Options{})
		seen := map[string]bool{}
		for i := range 20 {
			publish(t, pub, Message{Topic: row.topic, QoS: 1, Payload: fmt.Append(nil, i)})
		}
		for range 20 {
			m := await(t, got)
			if seen[string(m.Payload)] || m.Topic != row.topic {
				t.Errorf("%s twice, or of %s", m.Payload, m.Topic)
			}
			seen[string(m.Payload)] = true
		}
	}
}

func TestPublishesAreInOrderAndAcknowledgedOnce(t *testing.T) {
	t.Parallel()
	address := serve(t)
	got := make(chan Message, 2000)
	sub := dial(t, address, Options{OnMessage: func(m Message) { got <- m }})
	if _, err := sub.Subscribe(context.Background(), "a", 1); err != nil {
		t.Fatal(err)
	}
	pub := dial(t, address, Options{Window: 8})
	acks := make(chan error, 1000)
	for i := range 1000 {
		pub.Publish(context.Background(), Message{Topic: "a", QoS: 1, Payload: fmt.Append(nil, i)}, func(err error) { acks <- err })
	}
	for i := range 1000 {
		if err := await(t, acks); err != nil {
			t.Fatal(err)
		}
		if m := await(t, got); string(m.Payload) != fmt.Sprint(i) {
			t.Fatalf("%s came as number %d", m.Payload, i)
		}
	}
}

func TestWebSocketCarriesTheSame(t *testing.T) {
	t.Parallel()
	_, address := serveBoth(t)
	got := make(chan Message, 1)
	c := dial(t, address, Options{OnMessage: func(m Message) { got <- m }, Heartbeat: time.Second})
	if _, err := c.Subscribe(context.Background(), "a/+", 1); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, 1<<20)
	for i := range body {
		body[i] = byte(i * 7)
	}
	publish(t, c, Message{Topic: "a/b", QoS: 1, Payload: body})
	if m := await(t, got); string(m.Payload) != string(body) {
		t.Errorf("%d octets differ", len(m.Payload))
	}
	if err := c.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestWhatTheServerRefusesIsAnError(t *testing.T) {
	t.Parallel()
	address := serve(t)
	_, err := Dial(context.Background(), address, Options{User: "nobody", Password: "x"})
	var e *Error
	if !errors.As(err, &e) || e.Message != "Bad CONNECT" {
		t.Errorf("%v", err)
	}
	c := dial(t, address, Options{})
	result := make(chan error, 1)
	c.Publish(context.Background(), Message{Topic: "$SYS/x", QoS: 1}, func(err error) { result <- err })
	if err := await(t, result); !errors.As(err, &e) || e.Message != "access_refused" {
		t.Errorf("%v", err)
	}
	await(t, c.Done())
	if err := c.Err(); !errors.As(err, &e) {
		t.Errorf("%v", err)
	}
	c.Publish(context.Background(), Message{Topic: "x"}, func(err error) { result <- err })
	if await(t, result) == nil {
		t.Error("a publish after the end succeeded")
	}
	if _, err := c.Subscribe(context.Background(), "x", 0); err == nil {
		t.Error("a subscription after the end succeeded")
	}
}

func TestCloseIsOrderly(t *testing.T) {
	t.Parallel()
	c := dial(t, serve(t), Options{Heartbeat: 200 * time.Millisecond})
	c.Publish(context.Background(), Message{Topic: "x"}, func(error) {})
	if err := c.Close(context.Background()); err != nil || c.Err() != nil {
		t.Errorf("%v, %v", err, c.Err())
	}
	await(t, c.Done())
}

func TestDialEndsWithItsContext(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // a server that says nothing
		conn, err := l.Accept()
		if err == nil {
			cancel()
			var b [4096]byte
			for err == nil {
				_, err = conn.Read(b[:])
			}
			conn.Close()
		}
	}()
	if _, err := Dial(ctx, l.Addr().String(), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestDestinationsComeBack(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a/b", "a.b/c", "/", "a", "50%", "$queue/a/b%", "*/>"} {
		if got := topicOf(destination(name)); got != name {
			t.Errorf("%s came back as %s", name, got)
		}
	}
	for filter, want := range map[string]string{"a/+/#": "/topic/a.*.#", "$queue/a/b": "/queue/a%2Fb", "$share/g/a/+": "/topic/a.*"} {
		if v, _ := subscribe(filter, "1", 0).Get("destination"); string(v) != want {
			t.Errorf("%s: %s", filter, v)
		}
	}
	if f := (&Message{Topic: "a"}).send(); f.Command != frame.Send || len(f.Headers) != 1 {
		t.Errorf("%+v", f)
	}
}

func TestEachMessageHasTheTopicOfItsDestination(t *testing.T) {
	var last names
	for _, dest := range []string{"", "/topic/a.b", "/topic/a.b", "/topic/a%2Eb", "/queue/a", "", "/topic/", "/topic/a.b", "/reply-queue/r"} {
		if got := last.topicOf([]byte(dest)); got != topicOf(dest) {
			t.Errorf("%q: %q, want %q", dest, got, topicOf(dest))
		}
	}
}

// A message as it comes from a topic, again and again.
func BenchmarkReceived(b *testing.B) {
	in := []byte("MESSAGE\nsubscription:s1\ndestination:/topic/site.4711.temperature\nmessage-id:T_s1@@session-abcdefgh@@123456\nredelivered:false\ncontent-length:64\n\n" + strings.Repeat("x", 64) + "\x00")
	p := frame.Parser{Version: frame.V12}
	var f frame.Frame
	var last names
	b.ReportAllocs()
	for b.Loop() {
		if n, ok, err := p.Next(in, &f); !ok || err != nil || n != len(in) {
			b.Fatal(n, ok, err)
		}
		if m := received(&f, &last); m.Topic != "site/4711/temperature" {
			b.Fatal(m.Topic)
		}
	}
}
