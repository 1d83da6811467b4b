package mqtt_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	paho5 "github.com/eclipse/paho.golang/paho"
	paho3 "github.com/eclipse/paho.mqtt.golang"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/listen"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/store/memory"
	"github.com/entrepot/entrepot/mqtt"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

// serve runs the room behind real sockets: TCP and WebSocket.
func serve(t *testing.T, change ...func(*adapters.Host)) (tcp, ws string) {
	t.Helper()
	router, err := core.New(core.Options{Store: memory.New()})
	if err != nil {
		t.Fatal(err)
	}
	host := &adapters.Host{Router: router, Log: slog.New(slog.DiscardHandler), Metrics: adapters.NewMetrics()}
	for _, f := range change {
		f(host)
	}
	room, err := mqtt.New(host, &mqtt.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := listen.New(listen.Options{
		Host: host, Rooms: map[string]adapters.Room{"mqtt": room, "ws": room},
		Listeners: []listen.Listener{{URL: "mqtt://127.0.0.1:0"}, {URL: "ws://127.0.0.1:0"}},
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
	return s.Addrs()[0].String(), s.Addrs()[1].String()
}

// collect gathers n payloads.
func collect(t *testing.T, in <-chan string, n int) (all []string) {
	t.Helper()
	for len(all) < n {
		select {
		case s := <-in:
			all = append(all, s)
		case <-time.After(patience):
			t.Fatalf("%d of %d came: %q", len(all), n, all)
		}
	}
	return all
}

func dial5(t *testing.T, addr, id string, sessionFor uint32, got chan<- string) *paho5.Client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := paho5.NewClient(paho5.ClientConfig{Conn: nc, OnPublishReceived: []func(paho5.PublishReceived) (bool, error){
		func(r paho5.PublishReceived) (bool, error) {
			got <- string(r.Packet.Payload)
			return true, nil
		},
	}})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ack, err := c.Connect(ctx, &paho5.Connect{
		ClientID: id, CleanStart: sessionFor == 0, KeepAlive: 30,
		Properties: &paho5.ConnectProperties{SessionExpiryInterval: &sessionFor},
	})
	if err != nil {
		t.Fatal(err)
	}
	if ack.Properties.ReceiveMaximum == nil || *ack.Properties.ReceiveMaximum != 1024 {
		t.Errorf("Receive Maximum announced: %v", ack.Properties.ReceiveMaximum)
	}
	return c
}

func TestInteropPahoGo5(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t)
	got := make(chan string, 100)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r := dial5(t, addr, "r", 60, got)
	sub, err := r.Subscribe(ctx, &paho5.Subscribe{Subscriptions: []paho5.SubscribeOptions{{Topic: "a/#", QoS: 2}}})
	if err != nil || sub.Reasons[0] != 2 {
		t.Fatal(sub, err)
	}
	p := dial5(t, addr, "p", 0, got)
	for i := range 30 {
		if _, err := p.Publish(ctx, &paho5.Publish{Topic: "a/b", QoS: byte(i % 3), Payload: fmt.Append(nil, i)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range collect(t, got, 30) {
		if s != fmt.Sprint(i) {
			t.Fatalf("message %d is %s", i, s)
		}
	}
	if err := r.Disconnect(&paho5.Disconnect{}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Publish(ctx, &paho5.Publish{Topic: "a/late", QoS: 1, Payload: []byte("late")}); err != nil {
		t.Fatal(err)
	}
	again := dial5(t, addr, "r", 60, got)
	if s := collect(t, got, 1); s[0] != "late" {
		t.Errorf("got %q", s)
	}
	resp, err := p.Publish(ctx, &paho5.Publish{Topic: "nobody", QoS: 1})
	if err != nil || resp.ReasonCode != 0x10 {
		t.Errorf("nobody listens: %+v, %v", resp, err)
	}
	if ack, err := again.Unsubscribe(ctx, &paho5.Unsubscribe{Topics: []string{"a/#", "never"}}); err != nil || ack.Reasons[0] != 0 || ack.Reasons[1] != 0x11 {
		t.Errorf("UNSUBACK %+v, %v", ack, err)
	}
	for _, c := range []*paho5.Client{again, p} {
		_ = c.Disconnect(&paho5.Disconnect{})
	}
}

func TestInteropPahoMQTT311(t *testing.T) {
	t.Parallel()
	tcp, ws := serve(t)
	for name, url := range map[string]string{"tcp": "tcp://" + tcp, "ws": "ws://" + ws + "/mqtt"} {
		t.Run(name, func(t *testing.T) {
			got := make(chan string, 100)
			options := func(id string) *paho3.ClientOptions {
				return paho3.NewClientOptions().AddBroker(url).SetClientID(id).SetCleanSession(false).SetResumeSubs(true).SetAutoReconnect(false).
					SetDefaultPublishHandler(func(_ paho3.Client, m paho3.Message) { got <- string(m.Payload()) })
			}
			wait := func(tok paho3.Token) {
				t.Helper()
				if !tok.WaitTimeout(patience) || tok.Error() != nil {
					t.Fatal(tok.Error())
				}
			}
			r, p := paho3.NewClient(options("r"+name)), paho3.NewClient(options("p"+name))
			wait(r.Connect())
			wait(p.Connect())
			wait(r.Subscribe(name+"/+", 2, nil))
			for i := range 30 {
				wait(p.Publish(name+"/x", byte(i%3), false, fmt.Sprint(i)))
			}
			for i, s := range collect(t, got, 30) {
				if s != fmt.Sprint(i) {
					t.Fatalf("message %d is %s", i, s)
				}
			}
			r.Disconnect(100)
			wait(p.Publish(name+"/x", 2, true, "offline"))
			again := paho3.NewClient(options("r" + name))
			wait(again.Connect())
			s := collect(t, got, 1)
			if s[0] == "29" { // its PUBREC was not sent before the DISCONNECT, and the client has forgotten it
				s = collect(t, got, 1)
			}
			if s[0] != "offline" {
				t.Errorf("got %q", s)
			}
			again.Disconnect(100)
			p.Disconnect(100)
		})
	}
}
