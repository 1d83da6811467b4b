package credentials

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/dial"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
	"github.com/entrepot/entrepot/test/rig"
)

// TestSecurity_2_2_U1_E11_ACertificateIsAUser: by EXTERNAL of AMQP, and without a name in MQTT and STOMP; a certificate
// of one with the password of another is refused.
func TestSecurity_2_2_U1_E11_ACertificateIsAUser(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "ca")
	h := startWith(t, "", ca)
	secure := func(leaf *tlstest.Leaf) *tls.Config {
		c := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS12}
		if leaf != nil {
			c.Certificates = []tls.Certificate{leaf.Pair(t)}
		}
		return c
	}
	boss, stranger := ca.Issue("boss"), ca.Issue("stranger")
	for _, x := range []struct {
		what string
		leaf *tlstest.Leaf
		sasl amqp091.Authentication
		ok   bool
	}{
		{"EXTERNAL", &boss, &amqp091.ExternalAuth{}, true},
		{"EXTERNAL of nobody", &stranger, &amqp091.ExternalAuth{}, false},
		{"EXTERNAL without a certificate", nil, &amqp091.ExternalAuth{}, false},
		{"PLAIN with its name", &boss, &amqp091.PlainAuth{Username: "boss", Password: "secret"}, true},
		{"PLAIN with another name", &boss, &amqp091.PlainAuth{Username: "many", Password: "secret"}, false},
		{"PLAIN beside a stranger's", &stranger, &amqp091.PlainAuth{Username: "boss", Password: "secret"}, false},
		{"AMQPLAIN", nil, &amqp091.AMQPlainAuth{Username: "boss", Password: "secret"}, true},
		{"AMQPLAIN, wrong", nil, &amqp091.AMQPlainAuth{Username: "boss", Password: "x"}, false},
	} {
		c, err := amqp091.DialConfig(h.URL["amqps"], amqp091.Config{SASL: []amqp091.Authentication{x.sasl}, Vhost: "/", TLSClientConfig: secure(x.leaf)})
		if x.ok != (err == nil) {
			t.Errorf("%s: %v", x.what, err)
		}
		if x.leaf == nil && x.what == "EXTERNAL without a certificate" && !errors.Is(err, amqp091.ErrSASL) {
			t.Errorf("EXTERNAL is offered without a certificate: %v", err)
		}
		if err == nil {
			_ = c.Close()
		}
	}
	for _, p := range []string{"mqtts", "stomps"} {
		for _, x := range []struct {
			leaf *tlstest.Leaf
			user string
			ok   bool
		}{{&boss, "", true}, {&boss, "boss", true}, {&boss, "many", false}, {&stranger, "", false}, {&stranger, "boss", false}, {nil, "boss", true}, {nil, "", false}} {
			a, err := config.ParseAddress(h.URL[p])
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
			c, err := dial.Dial(ctx, dial.Options{Address: a, User: x.user, Password: []byte("secret"), TLS: secure(x.leaf)})
			if x.ok != (err == nil) || err != nil && dial.KindOf(err) != dial.Login {
				t.Errorf("%s: certificate %v, user %q: %v", p, x.leaf, x.user, err)
			}
			if err == nil {
				_ = c.Close(ctx)
			}
			cancel()
		}
	}
}

// TestSecurity_U3_E11_AListenerThatAsksForACertificate takes nothing else, also beside a listener for anybody: no
// password, no fall-back to anonymous, and no certificate of one with the name of another.
func TestSecurity_U3_E11_AListenerThatAsksForACertificate(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "ca")
	h := startWith(t, "", ca)
	boss, stranger := ca.Issue("boss"), ca.Issue("stranger")
	secure := func(leaf *tlstest.Leaf) *tls.Config {
		c := &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS12}
		if leaf != nil {
			c.Certificates = []tls.Certificate{leaf.Pair(t)}
		}
		return c
	}
	for _, x := range []struct {
		protocol   string
		leaf       *tlstest.Leaf
		user, pass string
		ok         bool
	}{
		{"-cert", &boss, "", "", true},
		{"-cert", &boss, "boss", "secret", true},
		{"-cert", &boss, "many", "secret", false},
		{"-cert", &stranger, "boss", "secret", false},
		{"-cert", &stranger, "", "", false},
		{"-cert", nil, "boss", "secret", false},
		{"-cert", nil, "", "", false},
		{"mqtts-open", nil, "", "", true}, // anybody
		{"mqtts-open", nil, "boss", "secret", true},
		{"mqtts-open", nil, "boss", "wrong", false},
		{"mqtts-open", &boss, "", "", true},
		{"mqtts-open", &boss, "many", "secret", false},
		{"mqtts-open", &stranger, "", "", false}, // whoever shows something is not anonymous
	} {
		names := []string{x.protocol}
		if x.protocol == "-cert" {
			names = []string{"mqtts-cert", "stomps-cert", "amqps-cert"}
		}
		for _, p := range names {
			a, err := config.ParseAddress(h.URL[p])
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
			c, err := dial.Dial(ctx, dial.Options{Address: a, User: x.user, Password: []byte(x.pass), TLS: secure(x.leaf)})
			if x.ok != (err == nil) || err != nil && dial.KindOf(err) != dial.Login {
				t.Errorf("%s: certificate %v, user %q: %v", p, x.leaf, x.user, err)
			}
			if err == nil {
				_ = c.Close(ctx)
			}
			cancel()
		}
	}
}

// TestSecurity_2_2_AUTHOfMQTTSN: a name and password by the extension, beside the table of clients.
func TestSecurity_2_2_AUTHOfMQTTSN(t *testing.T) {
	t.Parallel()
	h := start(t, "limits: {auth_failures: 1000/min}\nmqttsn: {auth_packet: true}\n")
	for _, x := range []struct {
		what, user, pass, id string
		ok                   bool
		topic                string
	}{
		{"good", "gw1", "secret", "gw1-a", true, "dev/x"},
		{"stronger than the table", "eve", "secret", "eve-1", true, "dev/x"},
		{"wrong password", "gw1", "wrong", "gw1-a", false, ""},
		{"unknown user", "nobody", "secret", "gw1-a", false, ""},
		{"another's client id", "gw1", "secret", "eve-1", false, ""}, // U8
		{"by the table", "", "", "gw1-b", true, "dev/x"},
		{"nothing, and not in the table", "", "", "far-1", false, ""},
	} {
		c, err := h.Dial("mqttsn", x.user, x.pass, x.id, nil)
		if x.ok != (err == nil) || err != nil && dial.KindOf(err) != dial.Login {
			t.Errorf("%s: %v", x.what, err)
		}
		if err != nil {
			continue
		}
		if err := rig.Publish(c, x.topic, "x"); err != nil {
			t.Errorf("%s: %v", x.what, err)
		}
		if err := rig.Publish(c, "dev/secret/x", "x"); dial.KindOf(err) != dial.Denied {
			t.Errorf("%s: a denied topic: %v", x.what, err)
		}
	}
}

// TestSecurity_2_2_ATokenIsAPassword: a JSON Web Token in the password of every protocol that has one.
func TestSecurity_2_2_ATokenIsAPassword(t *testing.T) {
	t.Parallel()
	key := "a secret of thirty-two octets....."
	h := start(t, "limits: {auth_failures: 1000/min}\nauth: {jwt: {secret: \""+key+"\", roles: roles, client_ids: ids}}\n")
	token := func(with string, change func(jwt.MapClaims)) string {
		claims := jwt.MapClaims{"sub": "robot", "roles": []string{"sensor"}, "ids": []string{"bot-*"}, "exp": time.Now().Add(time.Hour).Unix()}
		if change != nil {
			change(claims)
		}
		text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(with))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, p := range []string{"mqtt", "mqtt3", "mqtt-ws", "coap", "stomp", "amqp"} {
		for _, x := range []struct {
			what, user, pass, id string
			ok                   bool
		}{
			{"for jwt", "jwt", token(key, nil), "bot-1", true},
			{"for its user", "robot", token(key, nil), "bot-1", true},
			{"for another user", "other", token(key, nil), "bot-1", false},
			{"for a user of the file", "boss", token(key, nil), "bot-1", false},
			{"with another client id", "jwt", token(key, nil), "gw1-a", false},
			{"expired", "jwt", token(key, func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Hour).Unix() }), "bot-1", false},
			{"without an end", "jwt", token(key, func(c jwt.MapClaims) { delete(c, "exp") }), "bot-1", false},
			{"signed by another", "jwt", token("another secret of thirty-two octets", nil), "bot-1", false},
			{"of a name with a wildcard", "jwt", token(key, func(c jwt.MapClaims) { c["sub"] = "#" }), "bot-1", false}, // E1
		} {
			c, err := h.Dial(p, x.user, x.pass, x.id, nil)
			if err = proves(p, c, err); x.ok != (err == nil) {
				t.Errorf("%s: a token %s: %v", p, x.what, err)
			}
			if x.ok && err == nil && p != "mqtt3" {
				if err := rig.Publish(c, "cmd/x", "x"); dial.KindOf(err) != dial.Denied {
					t.Errorf("%s: the roles of the token: %v", p, err)
				}
			}
		}
	}
}
