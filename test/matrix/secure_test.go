package matrix

import (
	"context"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/auth/password"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/internal/gateway"
	"github.com/entrepot/entrepot/internal/tlsconf"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// devices is a gateway whose sensors come by DTLS, with keys or certificates,
// each allowed its own topics.
type devices struct {
	ca   *tlstest.Authority
	urls map[string]string
}

const devicesYAML = `
node: {data: memory}
listeners:
  - {url: "mqtt://127.0.0.1:0"}
  - {url: "mqttsns://127.0.0.1:0", psk: devices.psk, tls: {cert: server.crt, key: server.key, client_ca: authority.pem, client_auth: optional}}
  - {url: "coaps://127.0.0.1:0", psk: devices.psk, tls: {cert: server.crt, key: server.key, client_ca: authority.pem, client_auth: optional}}
  - {url: "coaps://localhost:0", psk: devices.psk, auth: [psk]}
roles:
  sensor: ["pubsub dev/#"]
users:
  - {name: key1, role: [sensor], password: none}
  - {name: cert1, role: [sensor], password: none}
  - {name: pass1, role: [sensor], password: "HASH"}
mqttsn: {auth_packet: true}
`

func startDevices(t *testing.T) *devices {
	t.Helper()
	d := &devices{ca: tlstest.New(t, "authority"), urls: map[string]string{}}
	d.ca.Issue("server")
	write := func(name, text string) string {
		file := filepath.Join(d.ca.Dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("devices.psk", "key1:00112233445566778899aabbccddeeff\nnobody:00112233445566778899aabbccddeeff\n")
	text := strings.NewReplacer("authority.pem", d.ca.File, "HASH", password.New([]byte("secret")).Text()).Replace(devicesYAML)

	in := config.Input{File: write("devices.yaml", text), Set: []string{"limits.overload.cpu=false"}, Sections: gateway.Sections(), Protocols: gateway.Protocols()}
	c, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.Open(gateway.Options{Config: c, Sections: in.Sections, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for i, l := range g.Listening() {
		d.urls[fmt.Sprint(i)] = l.URL
	}
	return d
}

// dial connects as who: a key, a certificate, a user with a password after a second colon, or nobody; "once:" before it
// stands for no session at all.
func (d *devices) dial(t *testing.T, url, who string, got chan<- dial.Message) (dial.Conn, error) {
	t.Helper()
	a, err := config.ParseAddress(url)
	if err != nil {
		t.Fatal(err)
	}
	o := dial.Options{Address: a, OnMessage: func(m dial.Message) { got <- m }}
	who, o.Connectionless = strings.CutPrefix(who, "once:")
	if name, ok := strings.CutPrefix(who, "user:"); ok {
		user, pass, _ := strings.Cut(name, ":")
		o.User, o.Password = user, []byte(pass)
	}
	key, isKey := strings.CutPrefix(who, "psk:")
	if isKey {
		o.PSKIdentity, o.PSK = key, []byte("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff")
	} else {
		client := tlsconf.Client{CAFile: d.ca.File}
		if name, ok := strings.CutPrefix(who, "cert:"); ok {
			leaf := d.ca.Issue(name, func(c *x509.Certificate) { c.URIs = nil })
			client.Cert, client.Key = leaf.Cert, leaf.Key
		}
		if o.TLS, err = client.Config(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := dial.Dial(ctx, o)
	if err == nil {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			c.Close(ctx)
		})
	}
	return c, err
}

func TestSecurity_U16_DevicesByDTLSReachEachOther(t *testing.T) {
	t.Parallel()
	d := startDevices(t)
	sn, coap := d.urls["1"], d.urls["2"]
	for n, c := range []struct{ from, who, to, whom string }{
		{sn, "psk:key1", coap, "psk:key1"}, {coap, "psk:key1", sn, "cert:cert1"},
		{sn, "cert:cert1", sn, "psk:key1"}, {coap, "cert:cert1", coap, "cert:cert1"},
	} {
		got := make(chan dial.Message, 10)
		out, err := d.dial(t, c.to, c.whom, got)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		topic := fmt.Sprint("dev/", n)
		if _, err := out.Subscribe(t.Context(), topic, 1); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		in, err := d.dial(t, c.from, c.who, nil)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		for _, text := range []string{"one", "two"} {
			if err := dial.Send(t.Context(), in, dial.Message{Topic: topic, Payload: []byte(text), QoS: 1}); err != nil {
				t.Fatalf("%+v: %v", c, err)
			}
			select {
			case m := <-got:
				if string(m.Payload) != text {
					t.Errorf("%+v: %q", c, m.Payload)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%+v: nothing came", c)
			}
		}
		if err := dial.Send(t.Context(), in, dial.Message{Topic: "other", Payload: []byte("x"), QoS: 1}); dial.KindOf(err) != dial.Denied {
			t.Errorf("%+v: %v", c, err) // Z12
		}
	}
}

// QoS -1 over DTLS is who the association proves, and AUTH is a login there.
func TestSecurity_2_2_AUTHAndQoSMinusOneOfMQTTSNByDTLS(t *testing.T) {
	t.Parallel()
	d := startDevices(t)
	sn := d.urls["1"]
	got := make(chan dial.Message, 10)
	reader, err := d.dial(t, sn, "user:pass1:secret", got)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Subscribe(t.Context(), "dev/#", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := d.dial(t, sn, "user:pass1:wrong", nil); dial.KindOf(err) != dial.Login {
		t.Errorf("a wrong password: %v", err)
	}
	if _, err := d.dial(t, sn, "user:nobody:secret", nil); dial.KindOf(err) != dial.Login {
		t.Errorf("an unknown user: %v", err)
	}
	once, err := d.dial(t, sn, "once:psk:key1", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"other", "dev/once"} { // the first is denied
		if err := dial.Send(t.Context(), once, dial.Message{Topic: topic, Payload: []byte("x"), QoS: -1}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case m := <-got:
		if m.Topic != "dev/once" || string(m.Payload) != "x" {
			t.Errorf("%+v", m)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
	}
}

// An identity that is no user, and whoever proves nothing, is refused (U1, U3, E11).
func TestSecurity_E11_WhoIsNoUserIsRefused(t *testing.T) {
	t.Parallel()
	d := startDevices(t)
	for _, c := range []struct{ url, who string }{
		{d.urls["1"], "psk:nobody"}, {d.urls["1"], "cert:stranger"}, {d.urls["1"], ""},
		{d.urls["2"], "psk:nobody"}, {d.urls["2"], "cert:stranger"}, {d.urls["2"], ""},
	} {
		conn, err := d.dial(t, c.url, c.who, nil)
		if err == nil {
			err = dial.Send(t.Context(), conn, dial.Message{Topic: "dev/x", Payload: []byte("x"), QoS: 1})
		}
		if dial.KindOf(err) != dial.Login {
			t.Errorf("%+v: %v", c, err)
		}
	}
	conn, err := d.dial(t, d.urls["3"], "psk:key1", nil)
	if err == nil {
		err = dial.Send(t.Context(), conn, dial.Message{Topic: "dev/x", Payload: []byte("x"), QoS: 1})
	}
	if err != nil {
		t.Error(err)
	}
}

func TestSecurity_S15_TheClientsSayWhyDTLSFailed(t *testing.T) {
	t.Parallel()
	d := startDevices(t)
	a, err := config.ParseAddress(d.urls["2"])
	if err != nil {
		t.Fatal(err)
	}
	for want, o := range map[dial.Kind]dial.Options{
		dial.Untrusted:   {Address: a}, // the authority is not the system's
		dial.Unreachable: {Address: a, PSKIdentity: "key1", PSK: []byte("a guess")},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		_, err := dial.Dial(ctx, o)
		cancel()
		if dial.KindOf(err) != want {
			t.Errorf("%v, want kind %d", err, want)
		}
	}
}
