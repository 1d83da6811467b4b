package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/entrepot/entrepot/internal/admin"
	"github.com/entrepot/entrepot/internal/auth/password"
)

// record is a log that a test reads while it is written.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) has(what string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(r.text.String(), what)
}

// managed is a gateway with the API of RabbitMQ's tools.
type managed struct {
	*reloadable
	log record
}

func (m *managed) url(scheme string) string {
	for _, u := range m.urls() {
		if strings.HasPrefix(u, scheme+"://") {
			return u
		}
	}
	return ""
}

func (m *managed) dial(user, name string) (*amqp.Connection, chan *amqp.Error) {
	m.t.Helper()
	c, err := amqp.DialConfig(m.url("amqp"), amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{Username: user, Password: "secret"}},
		Properties: amqp.Table{"connection_name": name}, Heartbeat: 20 * time.Second})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { c.Close() })
	return c, c.NotifyClose(make(chan *amqp.Error, 1))
}

func (m *managed) ask(method, path, user string, header ...string) (int, []byte) {
	m.t.Helper()
	r, err := http.NewRequestWithContext(m.t.Context(), method, m.url("http")+path, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	if user != "" {
		r.SetBasicAuth(user, "secret")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return answer.StatusCode, body
}

// list are the connections as a viewer sees them, by the names that clients gave.
func (m *managed) list() map[string]admin.Connection {
	m.t.Helper()
	code, body := m.ask("GET", "/api/connections/", "look")
	var all []admin.Connection
	if err := json.Unmarshal(body, &all); code != 200 || err != nil {
		m.t.Fatal(code, err, string(body))
	}
	by := map[string]admin.Connection{}
	for _, c := range all {
		var p struct {
			Name string `json:"connection_name"`
		}
		if err := json.Unmarshal(c.Properties, &p); err != nil || p.Name != c.Given {
			m.t.Errorf("%v %s", err, c.Properties)
		}
		by[p.Name] = c
	}
	return by
}

func pathOf(name string) string { return "/api/connections/" + url.PathEscape(name) }

func TestAMQP_AQ18_ToolsListAndEndConnections(t *testing.T) {
	hash := password.New([]byte("secret")).Text()
	text := func(more string) string {
		s := "listeners: ['amqp://127.0.0.1:0', 'http://127.0.0.1:0']\nroles: {all: [\"pubsub #\", \"queue #\"], see: [\"admin viewer\"], act: [\"admin operator\"]}\nusers:\n"
		for name, role := range map[string]string{"worker": "all", "look": "see", "ops": "act"} {
			s += fmt.Sprintf("  - {name: %s, role: [%s], password: %q}\n", name, role, hash)
		}
		return s + more
	}
	m := &managed{}
	m.reloadable = openLogged(t, text("admin: {rabbitmq_api: true}\n"), slog.New(slog.NewTextHandler(&m.log, nil)))
	first, lost := m.dial("worker", "first")
	if _, err := first.Channel(); err != nil {
		t.Fatal(err)
	}
	m.reload(text("admin: {rabbitmq_api: true}\namqp: {frame_max: 65536}\n"), "")
	m.dial("worker", "second") // served by a room of other settings
	all := m.list()
	c := all["first"]
	if len(all) != 2 || c.Name != c.PeerHost+":"+fmt.Sprint(c.PeerPort)+" -> "+strings.TrimPrefix(m.url("amqp"), "amqp://") || c.User != "worker" || c.Vhost != "/" || c.Channels != 1 ||
		c.Mechanism != "PLAIN" || c.Heartbeat != 20 || c.FrameMax != 131072 || all["second"].FrameMax != 65536 || time.Since(time.UnixMilli(c.Since)).Abs() > time.Minute {
		t.Errorf("%+v", all)
	}
	if code, body := m.ask("GET", pathOf(c.Name), "look"); code != 200 || !strings.Contains(string(body), `"name":"`+c.Name+`"`) {
		t.Error(code, string(body))
	}
	for user, want := range map[string]int{"": 401, "worker": 403, "look": 403} {
		if code, _ := m.ask("DELETE", pathOf(c.Name), user); code != want {
			t.Errorf("%q ends it: %d", user, code)
		}
		if code, _ := m.ask("GET", "/api/connections", user); user != "look" && code != want {
			t.Errorf("%q lists: %d", user, code)
		}
	}
	if code, _ := m.ask("DELETE", pathOf("127.0.0.1:1 -> 127.0.0.1:2"), "ops"); code != 404 {
		t.Error(code)
	}
	if code, body := m.ask("DELETE", pathOf(c.Name), "ops", "X-Reason", "moved to another host"); code != 204 || len(body) > 0 {
		t.Error(code, string(body))
	}
	if err := <-lost; err == nil || err.Code != 320 || err.Reason != "CONNECTION_FORCED - moved to another host" {
		t.Error(err)
	}
	if all = m.list(); len(all) != 1 || all["second"].Name == "" {
		t.Errorf("%+v", all)
	}
	if !m.log.has("msg=admin.action action=disconnect object=\"" + c.Name + "\" reason=\"moved to another host\" addr=127.0.0.1:") {
		t.Error("not logged")
	}
	m.reload(text(""), "")
	if code, _ := m.ask("GET", "/api/connections/", "look"); code != 404 {
		t.Errorf("without the key: %d", code)
	}
}
