package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	coapmsg "github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	"github.com/plgd-dev/go-coap/v3/udp"
	udpclient "github.com/plgd-dev/go-coap/v3/udp/client"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/coap"
	"github.com/entrepot/entrepot/coap/client"
	"github.com/entrepot/entrepot/coap/message"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/store/memory"
)

// gateway serves CoAP on a free loopback port and returns its address.
func gateway(t *testing.T, c coap.Config) string {
	t.Helper()
	router, err := core.New(core.Options{Store: memory.New()})
	if err != nil {
		t.Fatal(err)
	}
	host := &adapters.Host{
		Router: router, Log: slog.New(slog.DiscardHandler), Limits: adapters.Limits{}.WithDefaults(), Metrics: adapters.NewMetrics(),
	}
	room, err := coap.New(host, c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := listen.New(listen.Options{
		Host: host, Rooms: map[string]adapters.Room{"coap": room}, Loops: 1,
		Listeners: []listen.Listener{{URL: "coap://127.0.0.1:0"}},
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

func dial(t *testing.T, addr string) (*client.Client, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	c, err := client.Dial(ctx, addr, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(ctx) })
	return c, ctx
}

// inbox receives what an observation tells.
type inbox chan client.Message

func (b inbox) put(m client.Message) { b <- m }

func (b inbox) want(t *testing.T, ctx context.Context, topic, payload string) client.Message {
	t.Helper()
	select {
	case m := <-b:
		if m.Topic != topic || string(m.Payload) != payload {
			t.Fatalf("got %s=%.40q, want %s=%.40q", m.Topic, m.Payload, topic, payload)
		}
		return m
	case <-ctx.Done():
		t.Fatalf("%s=%.40q did not come", topic, payload)
	}
	panic("unreachable")
}

func never(err error) { panic(err) }

// What the server answers is the error, in one line, without what the library makes of it.
func TestARefusedObservationIsTheServersAnswer(t *testing.T) {
	t.Parallel()
	c, ctx := dial(t, gateway(t, coap.Config{}))
	err := c.Observe(ctx, "a/#/b", 0, func(client.Message) {}, never)
	var refused *client.Error
	if !errors.As(err, &refused) || strings.ContainsAny(err.Error(), "\n(") || refused.Code != message.BadRequest {
		t.Errorf("%q", err)
	}
}

func TestPublishObserveGet(t *testing.T) {
	t.Parallel()
	addr := gateway(t, coap.Config{})
	sub, ctx := dial(t, addr)
	pub, _ := dial(t, addr)
	box := make(inbox, 100)
	if err := sub.Observe(ctx, "room/+/t", 1, box.put, never); err != nil {
		t.Fatal(err)
	}
	for qos := range 3 {
		m := client.Message{Topic: "room/a/t", Payload: []byte(fmt.Sprint(qos)), QoS: qos, ContentType: "text/plain;charset=utf-8", ReplyTo: "r", Correlation: []byte("c")}
		if err := pub.Publish(ctx, m); err != nil {
			t.Fatal(err)
		}
		got := box.want(t, ctx, "room/a/t", fmt.Sprint(qos))
		if got.QoS != min(qos, 1) || got.ContentType != m.ContentType || got.ReplyTo != "r" || string(got.Correlation) != "c" {
			t.Errorf("%+v", got)
		}
	}
	if err := pub.Publish(ctx, client.Message{Topic: "room/b/t", Payload: []byte("kept"), QoS: 1, Retain: true}); err != nil {
		t.Fatal(err)
	}
	box.want(t, ctx, "room/b/t", "kept")
	if m, err := sub.Get(ctx, "room/b/t"); err != nil || string(m.Payload) != "kept" || !m.Retain {
		t.Fatalf("%+v %v", m, err)
	}
	var e *client.Error
	if _, err := sub.Get(ctx, "room/c/t"); !errors.As(err, &e) || e.Code != message.NotFound {
		t.Fatal(err)
	}
	if err := pub.Publish(ctx, client.Message{Topic: "room/+", QoS: 1}); !errors.As(err, &e) || e.Code != message.BadRequest {
		t.Fatal(err)
	}
}

func TestOrderOfManyConfirmableNotifications(t *testing.T) {
	t.Parallel()
	addr := gateway(t, coap.Config{ObserveQueue: 1000})
	sub, ctx := dial(t, addr)
	pub, _ := dial(t, addr)
	box := make(inbox, 1000)
	if err := sub.Observe(ctx, "n", 1, box.put, never); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		if err := pub.Publish(ctx, client.Message{Topic: "n", Payload: fmt.Append(nil, i), QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 300 {
		box.want(t, ctx, "n", fmt.Sprint(i))
	}
}

func TestCoAP_O17_LargeValuesBothWays(t *testing.T) {
	t.Parallel()
	addr := gateway(t, coap.Config{})
	sub, ctx := dial(t, addr)
	pub, _ := dial(t, addr)
	box := make(inbox, 10)
	if err := sub.Observe(ctx, "big/#", 1, box.put, never); err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("0123456789abcdef", 4000)
	for _, retain := range []bool{false, true} {
		if err := pub.Publish(ctx, client.Message{Topic: "big/x", Payload: []byte(body), QoS: 1, Retain: retain}); err != nil {
			t.Fatal(err)
		}
		box.want(t, ctx, "big/x", body)
	}
	if m, err := pub.Get(ctx, "big/x"); err != nil || string(m.Payload) != body {
		t.Fatalf("%d octets, %v", len(m.Payload), err)
	}
}

func TestNamedQueueIsShared(t *testing.T) {
	t.Parallel()
	addr := gateway(t, coap.Config{})
	pub, ctx := dial(t, addr)
	box := make(inbox, 100)
	for range 2 {
		sub, _ := dial(t, addr)
		if err := sub.Observe(ctx, "$queue/jobs", 1, box.put, never); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		if err := pub.Publish(ctx, client.Message{Topic: "$queue/jobs", Payload: fmt.Append(nil, i), QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]int{}
	for range 20 {
		select {
		case m := <-box:
			got[string(m.Payload)]++
		case <-ctx.Done():
			t.Fatalf("%d of 20 came", len(got))
		}
	}
	if len(got) != 20 {
		t.Fatalf("%v", got)
	}
}

func TestDialFailsWhereNobodyAnswers(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := client.Dial(ctx, "127.0.0.1:9", client.Options{}); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatal(err)
	}
}

// plain is go-coap's client itself, as other programs use it.
func plain(t *testing.T, addr string) (*udpclient.Conn, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	cc, err := udp.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc, ctx
}

func code(t *testing.T, want codes.Code, m *pool.Message, err error) *pool.Message {
	t.Helper()
	if err != nil || m.Code() != want {
		t.Fatalf("%v %v, want %v", m, err, want)
	}
	return m
}

func TestCoAP_Q1_GoCoapClientPutGetDelete(t *testing.T) {
	t.Parallel()
	cc, ctx := plain(t, gateway(t, coap.Config{}))
	m, err := cc.Put(ctx, "/ps/a", coapmsg.TextPlain, strings.NewReader("v"))
	code(t, codes.Created, m, err)
	m, err = cc.Post(ctx, "/ps/a", coapmsg.AppJSON, strings.NewReader("{}"))
	code(t, codes.Changed, m, err)
	m, err = cc.Get(ctx, "/ps/a")
	body, _ := code(t, codes.Content, m, err).ReadBody()
	if f, err := m.ContentFormat(); string(body) != "v" || err != nil || f != coapmsg.TextPlain {
		t.Fatalf("%q %v %v", body, f, err)
	}
	tag, err := m.ETag()
	if err != nil {
		t.Fatal(err)
	}
	m, err = cc.Get(ctx, "/ps/a", coapmsg.Option{ID: coapmsg.ETag, Value: tag})
	code(t, codes.Valid, m, err)
	m, err = cc.Delete(ctx, "/ps/a")
	code(t, codes.Deleted, m, err)
	m, err = cc.Get(ctx, "/ps/a")
	code(t, codes.NotFound, m, err)
	m, err = cc.Get(ctx, "/.well-known/core")
	code(t, codes.Content, m, err)
}

func TestCoAP_Q11_GoCoapClientBlockwise(t *testing.T) {
	t.Parallel()
	cc, ctx := plain(t, gateway(t, coap.Config{BlockSize: 256}))
	body := bytes.Repeat([]byte("0123456789"), 5000)
	m, err := cc.Put(ctx, "/ps/big", coapmsg.AppOctets, bytes.NewReader(body))
	code(t, codes.Created, m, err)
	m, err = cc.Get(ctx, "/ps/big")
	got, _ := code(t, codes.Content, m, err).ReadBody()
	if !bytes.Equal(got, body) {
		t.Fatalf("%d octets", len(got))
	}
}

// Who observes by this client does not notice that the topic was deleted.
func TestCoAP_Q12_ADeletedTopicIsObservedAgain(t *testing.T) {
	t.Parallel()
	addr := gateway(t, coap.Config{})
	other, ctx := plain(t, addr)
	c, err := client.Dial(ctx, addr, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	seen, ended := make(chan string, 10), make(chan error, 1)
	if err := c.Observe(ctx, "a", 1, func(m client.Message) { seen <- string(m.Payload) }, func(err error) { ended <- err }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1", "2", "3"} {
		m, err := other.Put(ctx, "/ps/a", coapmsg.TextPlain, strings.NewReader(want))
		code(t, codes.Created, m, err)
		select {
		case got := <-seen:
			if got != want {
				t.Fatalf("%q, want %q", got, want)
			}
		case err := <-ended:
			t.Fatalf("the observation ended before %q: %v", want, err)
		case <-ctx.Done():
			t.Fatalf("%q did not come", want)
		}
		m, err = other.Delete(ctx, "/ps/a")
		code(t, codes.Deleted, m, err)
	}
}

func TestCoAP_Q12_GoCoapClientObserveAndCancel(t *testing.T) {
	t.Parallel()
	addr := gateway(t, coap.Config{})
	cc, ctx := plain(t, addr)
	other, _ := plain(t, addr)
	seen := make(chan string, 10)
	o, err := cc.Observe(ctx, "/ps/a", func(m *pool.Message) {
		body, _ := m.ReadBody()
		seen <- string(body)
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "1", "2"} {
		if i > 0 {
			m, err := other.Put(ctx, "/ps/a", coapmsg.TextPlain, strings.NewReader(want))
			if err != nil || m.Code() > codes.Content {
				t.Fatal(m, err)
			}
		}
		select {
		case got := <-seen:
			if got != want {
				t.Fatalf("%q, want %q", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("%q did not come", want)
		}
	}
	if err := o.Cancel(ctx); err != nil {
		t.Fatal(err)
	}
}
