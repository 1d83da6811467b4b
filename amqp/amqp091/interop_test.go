package amqp091_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/adaptertest"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/amqp"
	"github.com/entrepot/entrepot/amqp/amqp091"
	"github.com/entrepot/entrepot/core"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// serve starts the listener on a free port, and ends it with the test.
func serve(t testing.TB) (addr string) {
	t.Helper()
	router, err := core.New(core.Options{Store: adaptertest.NewStore()})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	host := &adapters.Host{Router: router, Log: log, Version: "test", Metrics: adapters.NewMetrics()}
	room, err := amqp.Registration().New(host, &amqp091.Config{})
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
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		router.Close()
	})
	return s.Addrs()[0].Addr.String()
}

// dialClient connects RabbitMQ's Go client and opens a channel.
func dialClient(t testing.TB, addr string) (*client.Connection, *client.Channel) {
	t.Helper()
	conn, err := client.Dial("amqp://guest:guest@" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil && !errors.Is(err, client.ErrClosed) {
			t.Error(err)
		}
	})
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	return conn, ch
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func receive(t testing.TB, c <-chan client.Delivery) client.Delivery {
	t.Helper()
	select {
	case d, ok := <-c:
		if !ok {
			t.Fatal("the deliveries ended")
		}
		return d
	case <-time.After(patience):
		t.Fatal("no delivery")
	}
	panic("unreachable")
}

func TestRabbitMQsGoClientWorksAQueue(t *testing.T) {
	t.Parallel()
	_, ch := dialClient(t, serve(t))
	q := must(ch.QueueDeclare("jobs", true, false, false, false, nil))(t)
	check(t, ch.Confirm(false))
	check(t, ch.Qos(10, 0, false))
	in := must(ch.Consume(q.Name, "", false, false, false, false, nil))(t)
	headers := client.Table{"n": int32(5), "list": []any{"a", int64(1) << 40}, "when": time.Unix(1700000000, 0), "nested": client.Table{"k": true}, "bin": []byte{0xff}}
	for i := range 100 {
		c := must(ch.PublishWithDeferredConfirm("", "jobs", false, false, client.Publishing{
			DeliveryMode: client.Persistent, ContentType: "text/plain", MessageId: fmt.Sprint(i), Headers: headers, Body: []byte(fmt.Sprint(i)),
		}))(t)
		if ok := must(c.WaitContext(t.Context()))(t); !ok {
			t.Fatal("nacked")
		}
	}
	for i := range 100 {
		d := receive(t, in)
		if string(d.Body) != fmt.Sprint(i) || d.MessageId != fmt.Sprint(i) || d.ContentType != "text/plain" || d.Redelivered || d.Headers["n"] != int32(5) {
			t.Fatalf("%+v", d)
		}
		check(t, d.Ack(false))
	}
	if n := must(ch.QueueInspect("jobs"))(t); n.Messages != 0 || n.Consumers != 1 {
		t.Fatalf("%+v", n)
	}
}

func TestAMQP_AQ41_ThousandsOfConfirmsAreAnsweredOnce(t *testing.T) {
	t.Parallel()
	_, ch := dialClient(t, serve(t))
	must(ch.QueueDeclare("q", true, false, false, false, nil))(t)
	check(t, ch.Confirm(false))
	const n = 5000
	confirms := make([]*client.DeferredConfirmation, n)
	for i := range n {
		confirms[i] = must(ch.PublishWithDeferredConfirm("", "q", false, false, client.Publishing{DeliveryMode: client.Persistent, Body: []byte("m")}))(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for i, c := range confirms {
		if ok, err := c.WaitContext(ctx); !ok || err != nil {
			t.Fatal(i, ok, err)
		}
	}
	if q := must(ch.QueueInspect("q"))(t); q.Messages != n {
		t.Fatal(q.Messages)
	}
}

func TestAMQP_AQ37_ReturnsReachTheGoClient(t *testing.T) {
	t.Parallel()
	_, ch := dialClient(t, serve(t))
	check(t, ch.Confirm(false))
	returns := ch.NotifyReturn(make(chan client.Return, 1))
	c := must(ch.PublishWithDeferredConfirm("amq.topic", "no.one", true, false, client.Publishing{Body: []byte("m")}))(t)
	if !must(c.WaitContext(t.Context()))(t) {
		t.Fatal("nacked")
	}
	select {
	case r := <-returns:
		if r.ReplyCode != client.NoRoute || string(r.Body) != "m" || r.RoutingKey != "no.one" {
			t.Fatalf("%+v", r)
		}
	default:
		t.Fatal("the confirm came before the return")
	}
}

func TestAMQP_AQ37_MegabytesArriveByteExact(t *testing.T) {
	t.Parallel()
	_, ch := dialClient(t, serve(t))
	q := must(ch.QueueDeclare("", false, true, true, false, nil))(t)
	in := must(ch.Consume(q.Name, "", true, false, false, false, nil))(t)
	body := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16)
	for range 3 {
		check(t, ch.PublishWithContext(t.Context(), "", q.Name, false, false, client.Publishing{Body: body}))
	}
	for range 3 {
		if d := receive(t, in); !bytes.Equal(d.Body, body) {
			t.Fatal("differs")
		}
	}
}

func TestTheGoClientSeesErrorsOnItsChannelAlone(t *testing.T) {
	t.Parallel()
	conn, ch := dialClient(t, serve(t))
	closed := ch.NotifyClose(make(chan *client.Error, 1))
	_, err := ch.QueueDeclarePassive("none", false, false, false, false, nil)
	var e *client.Error
	if !errors.As(err, &e) || e.Code != client.NotFound {
		t.Fatal(err)
	}
	if e := <-closed; e == nil || e.Code != client.NotFound {
		t.Fatal(e)
	}
	again := must(conn.Channel())(t)
	must(again.QueueDeclare("none", false, false, false, false, nil))(t)
}

func TestTheGoClientUsesTransactionsFlowAndGet(t *testing.T) {
	t.Parallel()
	_, ch := dialClient(t, serve(t))
	must(ch.QueueDeclare("q", false, false, false, false, nil))(t)
	check(t, ch.Tx())
	check(t, ch.PublishWithContext(t.Context(), "", "q", false, false, client.Publishing{Body: []byte("m")}))
	check(t, ch.TxRollback())
	check(t, ch.PublishWithContext(t.Context(), "", "q", false, false, client.Publishing{Body: []byte("n")}))
	check(t, ch.TxCommit())
	d, ok, err := ch.Get("q", true)
	if err != nil || !ok || string(d.Body) != "n" || d.MessageCount != 0 {
		t.Fatal(d, ok, err)
	}
	if _, ok, err := ch.Get("q", true); ok || err != nil {
		t.Fatal(ok, err)
	}
}

func TestAMQP_AQ47_TheGoClientIsToldOfADeletedQueue(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	_, a := dialClient(t, addr)
	_, b := dialClient(t, addr)
	must(a.QueueDeclare("q", false, false, false, false, nil))(t)
	cancelled := a.NotifyCancel(make(chan string, 1))
	must(a.Consume("q", "c", false, false, false, false, nil))(t)
	must(b.QueueDelete("q", false, false, false))(t)
	select {
	case tag := <-cancelled:
		if tag != "c" {
			t.Fatal(tag)
		}
	case <-time.After(patience):
		t.Fatal("no cancel")
	}
}

func TestAMQP_AQ52_ConsumersComeAndGoAndNothingIsLost(t *testing.T) {
	t.Parallel()
	addr := serve(t)
	_, pub := dialClient(t, addr)
	must(pub.QueueDeclare("q", false, false, false, false, nil))(t)
	const n = 20_000
	var mu sync.Mutex
	seen := map[string]int{}
	done := make(chan struct{})
	var workers sync.WaitGroup
	for range 4 {
		conn, _ := dialClient(t, addr)
		workers.Go(func() {
			for {
				ch, err := conn.Channel()
				if err != nil {
					t.Error(err)
					return
				}
				ch.Qos(50, 0, false)
				in, err := ch.Consume("q", "", false, false, false, false, nil)
				if err != nil {
					t.Error(err)
					return
				}
				for i := 0; i < 300; i++ {
					var d client.Delivery
					select {
					case d = <-in:
					case <-done:
						ch.Close()
						return
					}
					mu.Lock()
					if seen[string(d.Body)]++; seen[string(d.Body)] > 1 && !d.Redelivered {
						t.Errorf("%s came twice without the flag", d.Body)
					}
					if all := len(seen); all == n {
						select {
						case <-done:
						default:
							close(done)
						}
					}
					mu.Unlock()
					d.Ack(false)
				}
				ch.Close()
			}
		})
	}
	for i := range n {
		check(t, pub.PublishWithContext(t.Context(), "", "q", false, false, client.Publishing{Body: []byte(fmt.Sprint(i))}))
	}
	select {
	case <-done:
	case <-time.After(patience):
		mu.Lock()
		t.Errorf("%d of %d", len(seen), n)
		mu.Unlock()
		close(done)
	}
	workers.Wait()
}
