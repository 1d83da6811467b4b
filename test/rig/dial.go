package rig

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/dial"
)

// Protocols are the ways in, as Dial names them.
var Protocols = []string{"mqtt", "mqtt3", "mqtt-ws", "mqttsn", "coap", "stomp", "stomp-ws", "amqp"}

// Dial connects by a protocol, for a test that is one goroutine; the connection ends with the test, or by HangUp. CoAP says who it is with each request, so that dialling proves
// nothing.
func (g *Gateway) Dial(protocol, user, pass, id string, on func(dial.Message)) (dial.Conn, error) {
	g.Helper()
	a, err := config.ParseAddress(g.URL[protocol])
	if err != nil {
		g.Fatal(err)
	}
	o := dial.Options{Address: a, ClientID: id, OnMessage: on}
	if user != "" {
		o.User, o.Password = user, []byte(pass)
	}
	if protocol == "mqtt3" {
		o.Version = "3.1.1"
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	c, err := dial.Dial(ctx, o)
	if err == nil {
		if g.dialled == nil {
			g.Cleanup(g.HangUp)
		}
		g.dialled = append(g.dialled, c)
	}
	return c, err
}

// HangUp closes what was dialled.
func (g *Gateway) HangUp() {
	for _, c := range g.dialled {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = c.Close(ctx)
		cancel()
	}
	clear(g.dialled) // what they hold
	g.dialled = g.dialled[:0]
}

// Publish sends a message of QoS 1 and waits for its acknowledgement.
func Publish(c dial.Conn, topic, payload string) error {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	return dial.Send(ctx, c, dial.Message{Topic: topic, Payload: []byte(payload), QoS: 1})
}

// Subscribe asks for a filter with QoS 1.
func Subscribe(c dial.Conn, filter string) error {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	_, err := c.Subscribe(ctx, filter, 1)
	return err
}

// Ask gets a path of the admin listener, as a user where one is named, and returns the status and the body.
func (g *Gateway) Ask(path, user, pass string) (int, string) {
	g.Helper()
	r, err := http.NewRequest(http.MethodGet, g.URL["http"]+path, nil)
	if err != nil {
		g.Fatal(err)
	}
	if user != "" {
		r.SetBasicAuth(user, pass)
	}
	resp, err := g.http.Do(r)
	if err != nil {
		g.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		g.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
