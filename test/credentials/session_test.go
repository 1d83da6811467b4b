package credentials

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
	mqtt "github.com/entrepot/entrepot/mqtt/client"
	sn "github.com/entrepot/entrepot/mqttsn/client"
	"github.com/entrepot/entrepot/mqttsn/packet"
	"github.com/entrepot/entrepot/test/rig"
)

// session opens a session of MQTT 5 that outlives its connection.
func (h *house) session(user, pass string, clean bool, on func(mqtt.Message)) (*mqtt.Client, bool, error) {
	h.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	c, err := mqtt.Dial(ctx, mqtt.Target{Network: "tcp", Address: h.At["mqtt"]}, mqtt.Options{ClientID: "shared", User: user, Password: []byte(pass), Resume: !clean, Expiry: time.Hour, OnMessage: on})
	if err != nil {
		return nil, false, err
	}
	return c, c.Present(), nil
}

// TestSecurity_S1_F1_F2_F5_ASessionIsItsOwners: another principal with the same client identifier, by each protocol that
// has one, and wrong passwords with a clean start, change nothing of the owner's.
func TestSecurity_S1_F1_F2_F5_ASessionIsItsOwners(t *testing.T) {
	t.Parallel()
	h := start(t, "limits: {auth_failures: 1000/min}\n")
	owner, present, err := h.session("gw1", "secret", true, nil)
	if err != nil || present {
		t.Fatal(present, err)
	}
	if _, err := owner.Subscribe(t.Context(), mqtt.Subscription{Filter: "cmd/#", QoS: 1}); err != nil {
		t.Fatal(err)
	}
	_ = owner.Close(t.Context())
	boss := h.must("mqtt", "boss", "boss-1", nil)
	if err := rig.Publish(boss, "cmd/a", "kept"); err != nil {
		t.Fatal(err)
	}
	for i := range 20 { // F2: no login, no trace
		if _, _, err := h.session("gw1", fmt.Sprint("wrong", i), true, nil); err == nil {
			t.Fatal("a wrong password is let in")
		}
	}
	for range 20 { // F1, F5
		c, present, err := h.session("eve", "secret", true, nil)
		if err != nil || present {
			t.Fatalf("eve: present %v, %v", present, err)
		}
		_ = c.Close(t.Context())
	}
	for _, p := range []string{"stomp", "amqp"} {
		if err := rig.Subscribe(h.must(p, "eve", "shared", nil), "cmd/#"); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	got := make(chan mqtt.Message, 8)
	owner, present, err = h.session("gw1", "secret", false, func(m mqtt.Message) { got <- m })
	if err != nil || !present {
		t.Fatalf("the owner comes back: present %v, %v", present, err)
	}
	select {
	case m := <-got:
		if string(m.Payload) != "kept" {
			t.Errorf("%+v", m)
		}
	case <-time.After(rig.Patience):
		t.Error("the owner's queue is gone")
	}
	// The owner is connected: nobody else evicts it.
	h.must("mqtt", "eve", "shared", nil)
	h.must("stomp", "eve", "shared", nil)
	if err := rig.Publish(boss, "cmd/b", "live"); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-got:
		if string(m.Payload) != "live" {
			t.Errorf("%+v", m)
		}
	case <-owner.Done():
		t.Errorf("the owner was evicted: %v", owner.Err())
	case <-time.After(rig.Patience):
		t.Error("the owner's subscription is gone")
	}
	// The same principal by MQTT-SN is the same session, and takes it over.
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	device, err := sn.Dial(ctx, h.At["mqttsn"], sn.Options{ClientID: "shared", Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	select {
	case <-owner.Done():
	case <-time.After(rig.Patience):
		t.Error("one principal has two connections of one session")
	}
}

// TestSecurity_Z12_QoSMinusOneIsItsUser: who opens no session is the listener's qos_m1_client.
func TestSecurity_Z12_QoSMinusOneIsItsUser(t *testing.T) {
	t.Parallel()
	h := start(t, "")
	w := new(rig.Wall)
	if err := rig.Subscribe(h.must("mqtt", "boss", "boss-1", w.Add), "#"); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("udp", h.At["mqttsn"])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, topic := range []string{"dev/secret/x", "cmd/x", "dev/x"} {
		p := packet.Publish{QoS: -1, Kind: packet.Normal, TopicID: uint16(len(topic)), Data: []byte(topic + "on")}
		if _, err := conn.Write(p.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
	}
	h.Wait("the allowed message", func() bool { return w.Has("dev/x on") })
	if w.Has("dev/secret/x on") || w.Has("cmd/x on") {
		t.Error("a denied topic was published")
	}
	_ = conn.SetReadDeadline(time.Now().Add(rig.Patience))
	b := make([]byte, 64)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if ack, err := packet.Parse(b[:n]); err != nil || ack.(packet.TopicAck).Code != packet.NotSupported {
		t.Errorf("%+v, %v", ack, err)
	}
}

// TestSecurity_U6_U8_U9_ClientIdentifiers asks what each protocol answers.
func TestSecurity_U6_U8_U9_ClientIdentifiers(t *testing.T) {
	t.Parallel()
	h := start(t, "")
	for _, x := range []struct{ protocol, id, want string }{
		{"mqtt", "gw1-#", "0x85"}, {"mqtt", "gw1-+", "0x85"}, {"mqtt", "gw1-a\x01", "0x85"}, {"mqtt", "eve-1", "0x85"}, {"mqtt", "gw1-a/b", "0x85"},
		{"mqtt3", "gw1-#", "0x02"}, {"mqtt3", "eve-1", "0x02"},
		{"mqttsn", "gw1-#", "CONNACK"}, {"mqttsn", "gw1-a/b", "CONNACK"},
		{"stomp", "gw1-#", "Bad CONNECT"}, {"stomp", "eve-1", "Bad CONNECT"}, {"amqp", "eve-1", "not allowed"},
	} {
		if _, err := h.Dial(x.protocol, "gw1", "secret", x.id, nil); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s with the client id %q: %v", x.protocol, x.id, err)
		}
	}
	// An identifier that is assigned has to match client_ids like any other.
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	for user, ok := range map[string]bool{"gw1": false, "boss": true} {
		c, err := mqtt.Dial(ctx, mqtt.Target{Network: "tcp", Address: h.At["mqtt"]}, mqtt.Options{User: user, Password: []byte("secret")})
		if (err == nil) != ok {
			t.Errorf("%s with an empty client id: %v", user, err)
		}
		if err == nil {
			_ = c.Close(ctx)
		}
	}
	// A rule with {client} holds for the identifier that is the user's.
	for _, p := range rig.Protocols {
		c := h.must(p, "gw1", "gw1-own", nil)
		if err := rig.Publish(c, "own/gw1-own/x", "x"); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		if err := rig.Publish(h.must(p, "gw1", "gw1-own", nil), "own/gw1-other/x", "x"); p != "mqtt3" && dial.KindOf(err) != dial.Denied {
			t.Errorf("%s publishes for another: %v", p, err)
		}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.Error("that took too long")
	}
}
