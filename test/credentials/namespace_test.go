package credentials

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	amqp "github.com/entrepot/entrepot/amqp/client"
	"github.com/entrepot/entrepot/stomp/client"
	"github.com/entrepot/entrepot/test/rig"
)

func TestSecurity_2_2_TheHostOfSTOMPIsTheNamespace(t *testing.T) {
	t.Parallel()
	for _, strict := range []bool{false, true} {
		more := ""
		if strict {
			more = "stomp: {strict_host: true}\n"
		}
		h := start(t, more)
		for _, x := range []struct {
			user, host string
			ok         bool
		}{
			{"many", "/", true}, {"many", "plant", true}, {"many", "default", true}, {"many", "/plant", true},
			{"many", "127.0.0.1", !strict}, {"many", "hq", !strict}, {"many", "/hq", false},
			{"away", "plant", true}, {"away", "/", false}, {"away", "127.0.0.1", false},
			{"boss", "/", true}, {"boss", "default", true}, {"boss", "plant", !strict}, {"boss", "/plant", false},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
			c, err := client.Dial(ctx, h.At["stomp"], client.Options{User: x.user, Password: "secret", Host: x.host})
			cancel()
			var refused *client.Error
			if x.ok != (err == nil) || err != nil && (!errors.As(err, &refused) || refused.Message != "Bad CONNECT") {
				t.Errorf("strict %v: %s at %s: %v", strict, x.user, x.host, err)
			}
			if err == nil {
				_ = c.Close(t.Context())
			}
		}
	}
}

func TestSecurity_2_2_TheVhostOfAMQPIsTheNamespace(t *testing.T) {
	t.Parallel()
	h := start(t, "")
	for _, x := range []struct {
		user, pass, vhost string
		code              int // 0: let in
	}{
		{"many", "secret", "/", 0}, {"many", "secret", "plant", 0}, {"many", "secret", "hq", 530}, {"away", "secret", "/", 530}, {"away", "secret", "hq", 0},
		{"boss", "secret", "/", 0}, {"boss", "secret", "default", 0}, {"boss", "secret", "plant", 530}, {"boss", "secret", "../plant", 530},
		{"boss", "wrong", "/", 403}, {"nobody", "secret", "plant", 403},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
		c, err := amqp.Dial(ctx, h.At["amqp"], amqp.Options{User: x.user, Password: x.pass, Vhost: x.vhost})
		cancel()
		var e *amqp091.Error
		code := 0
		if errors.As(err, &e) {
			code = e.Code
		}
		if code != x.code || (err == nil) != (x.code == 0) {
			t.Errorf("%s at %s: %v", x.user, x.vhost, err)
		}
		if err == nil {
			_ = c.Close(t.Context())
		}
	}
}

// TestSecurity_Namespace_IsNotLeft publishes in one and listens in the other.
func TestSecurity_Namespace_IsNotLeft(t *testing.T) {
	t.Parallel()
	h := start(t, "")
	w := new(rig.Wall)
	if err := rig.Subscribe(h.must("mqtt", "boss", "boss-1", w.Add), "#"); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"plant", "default"} {
		c, err := client.Dial(t.Context(), h.At["stomp"], client.Options{User: "many", Password: "secret", Host: host})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		c.Publish(t.Context(), client.Message{Topic: "from/" + host, QoS: 1}, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		_ = c.Close(t.Context())
	}
	h.Wait("the message of the own namespace", func() bool { return w.Has("from/default ") })
	if w.Has("from/plant ") {
		t.Error("a message left its namespace")
	}
}

func TestSecurity_Z12_STOMPSaysWhyAndCloses(t *testing.T) {
	t.Parallel()
	h := start(t, "")
	for name, x := range map[string]struct{ frames, want string }{
		"login":     {"CONNECT\naccept-version:1.2\nhost:/\nlogin:gw1\npasscode:wrong\n\n\x00", "message:Bad CONNECT"},
		"SEND":      {"CONNECT\naccept-version:1.2\nhost:/\nlogin:gw1\npasscode:secret\n\n\x00SEND\ndestination:/topic/dev.secret.a\n\nx\x00", "message:access_refused"},
		"SUBSCRIBE": {"CONNECT\naccept-version:1.2\nhost:/\nlogin:gw1\npasscode:secret\n\n\x00SUBSCRIBE\nid:1\ndestination:/topic/#\n\n\x00", "message:access_refused"},
	} {
		conn, err := net.Dial("tcp", h.At["stomp"])
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(rig.Patience))
		if _, err := io.WriteString(conn, x.frames); err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(bufio.NewReader(conn)) // to the end: it is closed
		if err != nil || !strings.Contains(string(all), "ERROR\n") || !strings.Contains(string(all), x.want) || strings.Contains(string(all), "secret:") {
			t.Errorf("%s: %v: %q", name, err, all)
		}
		conn.Close()
	}
}

func TestSecurity_2_2_CookiesAndTheQueryOfAWebSocketAreNoCredential(t *testing.T) {
	t.Parallel()
	h := start(t, "")
	base := h.URL["ws"]
	for _, user := range []string{"", "gw1"} {
		h.URL["query"] = base + "/mqtt?username=gw1&password=secret&u=gw1&p=secret&token=secret"
		if _, err := h.Dial("query", user, "", "gw1-q", nil); err == nil {
			t.Errorf("%q came in by the query", user)
		}
	}
	r, err := http.NewRequest(http.MethodGet, h.URL["http"]+"/readyz?verbose&u=boss&p=secret&access_token=secret", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: "session", Value: "boss"})
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the admin listener lets a cookie in: %d", resp.StatusCode)
	}
}

func TestSecurity_H1_TheAdminListenerAsksForALogin(t *testing.T) {
	t.Parallel()
	h := start(t, "")
	for _, x := range []struct {
		path, user, pass string
		want             int
	}{
		{"/healthz", "", "", 200}, {"/readyz", "", "", 200}, {"/metrics", "", "", 200},
		{"/readyz?verbose", "", "", 401}, {"/readyz?verbose", "boss", "wrong", 401}, {"/readyz?verbose", "nobody", "secret", 401},
		{"/readyz?verbose", "gw1", "secret", 403}, {"/readyz?verbose", "viewer", "secret", 200}, {"/readyz?verbose", "boss", "secret", 200},
	} {
		if status, body := h.Ask(x.path, x.user, x.pass); status != x.want {
			t.Errorf("%s as %q: %d %s", x.path, x.user, status, body)
		}
	}
}
