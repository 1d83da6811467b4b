package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	paho5 "github.com/eclipse/paho.golang/paho"
	xdg "github.com/xdg-go/scram"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/auth/scram"
	"github.com/entrepot/entrepot/mqtt/client"
	"github.com/entrepot/entrepot/mqtt/packet"
)

// users are names with what is stored of their passwords; SCRAM-SHA-256 is
// all that they may log in by.
type users struct {
	stored map[string]scram.Credential
	server *scram.Server
}

func newUsers(t *testing.T, passwords map[string]string) *users {
	t.Helper()
	u := &users{stored: map[string]scram.Credential{}}
	for name, password := range passwords {
		c, err := scram.NewCredential(password, scram.MinIterations)
		if err != nil {
			t.Fatal(err)
		}
		u.stored[name] = c
	}
	u.server = scram.New(scram.Options{Directory: u})
	return u
}

func (u *users) Credential(_ context.Context, user string) (scram.Credential, bool, error) {
	c, ok := u.stored[user]
	return c, ok, nil
}

func (u *users) Principal(_ context.Context, user string, _ adapters.Credentials) (*core.Principal, core.Reason) {
	return &core.Principal{User: user, Method: "scram", Expires: time.Now().Add(time.Hour)}, core.OK
}

func (u *users) Authenticate(context.Context, adapters.Credentials) (*core.Principal, core.Reason) {
	return nil, core.NotAuthenticated
}

func (u *users) Methods(adapters.Credentials) []string { return []string{scram.Method} }

func (u *users) Begin(_ string, c adapters.Credentials) adapters.Conversation {
	return u.server.Begin(c)
}

// proof is paho's side of SCRAM, by the client of another library.
type proof struct {
	t      *testing.T
	client *xdg.Client
	now    *xdg.ClientConversation
	ended  chan struct{}
}

func newProof(t *testing.T, user, password string) *proof {
	t.Helper()
	c, err := xdg.SHA256.NewClient(user, password, "")
	if err != nil {
		t.Fatal(err)
	}
	return &proof{t: t, client: c, ended: make(chan struct{}, 10)}
}

// first begins an exchange.
func (p *proof) first() []byte {
	p.now = p.client.NewConversation()
	return p.step(nil)
}

func (p *proof) step(data []byte) []byte {
	p.t.Helper()
	out, err := p.now.Step(string(data))
	if err != nil {
		p.t.Error(err)
	}
	return []byte(out)
}

func (p *proof) Authenticate(a *paho5.Auth) *paho5.Auth {
	return &paho5.Auth{ReasonCode: a.ReasonCode, Properties: &paho5.AuthProperties{
		AuthMethod: a.Properties.AuthMethod, AuthData: p.step(a.Properties.AuthData),
	}}
}

func (p *proof) Authenticated() { p.ended <- struct{}{} }

func dialAuth(t *testing.T, addr, method string, p *proof, got chan<- string, lost chan<- byte) (*paho5.Client, *paho5.Connack, error) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := paho5.NewClient(paho5.ClientConfig{
		Conn: nc, AuthHandler: p, OnServerDisconnect: func(d *paho5.Disconnect) { lost <- d.ReasonCode },
		OnPublishReceived: []func(paho5.PublishReceived) (bool, error){func(r paho5.PublishReceived) (bool, error) {
			got <- string(r.Packet.Payload)
			return true, nil
		}},
	})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ack, err := c.Connect(ctx, &paho5.Connect{
		ClientID: "c", CleanStart: true, KeepAlive: 30, Properties: &paho5.ConnectProperties{AuthMethod: method, AuthData: p.first()},
	})
	return c, ack, err
}

func TestMQTT_ME2_ME5_InteropPahoGo5SCRAM(t *testing.T) {
	t.Parallel()
	people := newUsers(t, map[string]string{"alice": "wonder,land=", "bob": "builder"})
	addr, _ := serve(t, func(h *adapters.Host) { h.Auth = people })
	got, lost := make(chan string, 100), make(chan byte, 1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	p := newProof(t, "alice", "wonder,land=")
	c, ack, err := dialAuth(t, addr, scram.Method, p, got, lost)
	if err != nil {
		t.Fatal(err)
	}
	<-p.ended
	if p.step(ack.Properties.AuthData); ack.Properties.AuthMethod != scram.Method || !p.now.Valid() {
		t.Errorf("CONNACK by %q, the server's proof is valid: %v", ack.Properties.AuthMethod, p.now.Valid())
	}
	if _, err := c.Subscribe(ctx, &paho5.Subscribe{Subscriptions: []paho5.SubscribeOptions{{Topic: "a", QoS: 1}}}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		first := p.first()
		again, err := c.Authenticate(ctx, &paho5.Auth{ReasonCode: 0x19, Properties: &paho5.AuthProperties{AuthMethod: scram.Method, AuthData: first}})
		if err != nil || !again.Success {
			t.Fatalf("re-authentication %d: %+v, %v", i, again, err)
		}
		<-p.ended
		if _, err := c.Publish(ctx, &paho5.Publish{Topic: "a", QoS: 1, Payload: fmt.Append(nil, i)}); err != nil {
			t.Fatal(err)
		}
	}
	if all := collect(t, got, 3); fmt.Sprint(all) != "[0 1 2]" {
		t.Error(all)
	}

	*p = *newProof(t, "bob", "builder") // a right proof, of another
	first := p.first()
	late, stop := context.WithCancel(ctx)
	go func() {
		_, _ = c.Authenticate(late, &paho5.Auth{ReasonCode: 0x19, Properties: &paho5.AuthProperties{AuthMethod: scram.Method, AuthData: first}})
	}()
	select {
	case code := <-lost:
		if code != 0x87 {
			t.Errorf("DISCONNECT %02x", code)
		}
	case <-ctx.Done():
		t.Error("another user goes on in the session")
	}
	stop()

	for what, row := range map[string]struct {
		user, password, method string
		code                   byte
	}{
		"wrong password": {"alice", "wonderland", scram.Method, 0x86},
		"unknown user":   {"carol", "wonder,land=", scram.Method, 0x86},
		"unknown method": {"alice", "wonder,land=", "SCRAM-SHA-1", 0x8C},
	} {
		_, ack, err := dialAuth(t, addr, row.method, newProof(t, row.user, row.password), got, lost)
		if err == nil || ack == nil || ack.ReasonCode != row.code {
			t.Errorf("%s: %+v, %v", what, ack, err)
		}
	}
}

// mechanism is our own client's side, by the same library.
type mechanism struct{ *xdg.Client }

func (mechanism) Method() string               { return scram.Method }
func (m mechanism) Begin() client.Conversation { return talk{m.NewConversation()} }

type talk struct{ *xdg.ClientConversation }

func (c talk) Step(data []byte) ([]byte, error) {
	out, err := c.ClientConversation.Step(string(data))
	return []byte(out), err
}

func TestMQTT_ME2_ME5_OurClientBySCRAM(t *testing.T) {
	t.Parallel()
	addr, ws := serve(t, func(h *adapters.Host) { h.Auth = newUsers(t, map[string]string{"alice": "wonderland"}) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	as := func(password string) client.Options {
		x, err := xdg.SHA256.NewClient("alice", password, "")
		if err != nil {
			t.Fatal(err)
		}
		return client.Options{ClientID: "c", Auth: mechanism{x}}
	}
	for _, to := range []client.Target{{Network: "tcp", Address: addr}, {Network: "tcp", Address: ws, WebSocket: "/mqtt"}} {
		c, err := client.Dial(ctx, to, as("wonderland"))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := c.Reauthenticate(ctx); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Subscribe(ctx, client.Subscription{Filter: "a"}); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(ctx); err != nil {
			t.Error(err)
		}
		var refused *client.Refused
		if _, err := client.Dial(ctx, to, as("looking-glass")); !errors.As(err, &refused) || refused.Code != packet.BadUserNameOrPassword {
			t.Errorf("wrong password: %v", err)
		}
	}
}

// The loop's own end of the same time must not come before the room's word.
func TestMQTT_ME3_L2_IsToldOverSockets(t *testing.T) {
	t.Parallel()
	addr, _ := serve(t, func(h *adapters.Host) {
		h.Auth = newUsers(t, nil)
		h.Limits.PreauthExchange = 50 * time.Millisecond
	})
	say := &packet.Connect{Version: packet.V5, CleanStart: true, ClientID: []byte("c")}
	say.Properties.SetStr(packet.AuthenticationMethod, []byte(scram.Method))
	in := say.AppendTo(nil, packet.V5)
	for range 20 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		start := time.Now()
		if err := nc.SetDeadline(start.Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write(in); err != nil {
			t.Fatal(err)
		}
		out, err := io.ReadAll(nc)
		last := out
		if len(out) > 20 && out[0] == 0xf0 { // AUTH, unless the machine is so busy that even the first step is late
			last = out[20:]
		}
		if err != nil || len(last) < 4 || last[0] != 0x20 || last[3] != 0x82 {
			t.Fatalf("% x, %v", out, err)
		}
		if took := time.Since(start); took < 49*time.Millisecond { // the loops' clock counts milliseconds
			t.Errorf("after %v", took)
		}
	}
}
