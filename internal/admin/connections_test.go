package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// open are connections by their names.
type open struct {
	names []string
	ended string
}

func (o *open) All() iter.Seq[Connection] {
	return func(yield func(Connection) bool) {
		for _, n := range o.names {
			if !yield(Connection{Name: n, Properties: json.RawMessage(`{"connection_name":"n"}`)}) {
				return
			}
		}
	}
}

func (o *open) Find(name string) (c Connection, ok bool) {
	for c := range o.All() {
		if c.Name == name {
			return c, true
		}
	}
	return c, false
}

func (o *open) Close(name, why string) bool {
	_, ok := o.Find(name)
	if ok {
		o.ended += name + "|" + why
	}
	return ok
}

const (
	somebody = "127.0.0.1:50000 -> 127.0.0.1:5672"
	encoded  = "/api/connections/127.0.0.1%3A50000%20-%3E%20127.0.0.1%3A5672"
)

func ask(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "localhost"
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAMQP_AQ18_ConnectionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	x := &open{}
	h := Handler(Options{State: state{}, Connections: x, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for _, path := range []string{"/api/connections", "/api/connections/"} {
		if w := ask(h, "GET", path); w.Code != 200 || strings.TrimSpace(w.Body.String()) != "[]" || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s of none: %d %q", path, w.Code, w.Body)
		}
	}
	for i := range 2000 { // more than fits into one write
		x.names = append(x.names, fmt.Sprintf("127.0.0.1:%d -> 127.0.0.1:5672", 50000+i))
	}
	for _, path := range []string{"/api/connections", "/api/connections/"} {
		var list []map[string]any
		if w := ask(h, "GET", path); w.Code != 200 || json.Unmarshal(w.Body.Bytes(), &list) != nil || len(list) != 2000 || list[0]["name"] != somebody || !strings.Contains(w.Body.String(), " -> ") {
			t.Fatalf("%s: %d, %d", path, w.Code, len(list))
		}
	}
	var one map[string]any
	if w := ask(h, "GET", encoded); w.Code != 200 || json.Unmarshal(w.Body.Bytes(), &one) != nil || one["name"] != somebody {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	for _, key := range []string{"name", "user", "vhost", "protocol", "peer_host", "peer_port", "host", "port", "state", "channels", "connected_at",
		"channel_max", "frame_max", "timeout", "client_properties", "ssl", "auth_mechanism"} {
		if _, ok := one[key]; !ok {
			t.Errorf("no %s", key)
		}
	}
	if w := ask(h, "DELETE", encoded, "X-Reason", "maintenance"); w.Code != 204 || w.Body.Len() > 0 || x.ended != somebody+"|maintenance" {
		t.Errorf("%d %q %q", w.Code, w.Body, x.ended)
	}
	if line := log.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, `msg=admin.action action=disconnect object="`+somebody+`" reason=maintenance addr=`) {
		t.Errorf("%q", line)
	}
	for _, method := range []string{"GET", "DELETE"} {
		if w := ask(h, method, "/api/connections/other"); w.Code != 404 || !strings.Contains(w.Body.String(), `"code":"no_connection"`) {
			t.Errorf("%s: %d %q", method, w.Code, w.Body)
		}
	}
	if w := ask(h, "PUT", encoded); w.Code != 405 {
		t.Errorf("%d %q", w.Code, w.Header())
	}
}

func TestAMQP_AQ18_ViewersSeeConnectionsAndOperatorsEndThem(t *testing.T) {
	t.Parallel()
	x := &open{names: []string{somebody}}
	var asked Level
	verdict := Granted
	o := Options{State: state{}, Connections: x, Admit: func(_ *http.Request, l Level) Verdict { asked = l; return verdict }}
	h := Handler(o)
	for v, code := range map[Verdict]int{Granted: 200, Nameless: 401, Refused: 403, Busy: 503} {
		for _, path := range []string{"/api/connections", "/api/connections/", encoded} {
			verdict, asked = v, 0
			if w := ask(h, "GET", path); w.Code != code || asked != Viewer || code != 200 && strings.Contains(w.Body.String(), "5672") {
				t.Errorf("%s, verdict %d: %d, level %d", path, v, w.Code, asked)
			}
		}
		if v == Granted {
			continue
		}
		if w := ask(h, "DELETE", encoded); w.Code != code || asked != Operator || x.ended != "" {
			t.Errorf("verdict %d: %d, level %d, %q", v, w.Code, asked, x.ended)
		}
	}
	verdict = Granted
	if w := ask(h, "DELETE", encoded, "Origin", "http://elsewhere.example"); w.Code != 403 || x.ended != "" {
		t.Errorf("a page elsewhere: %d", w.Code)
	}
	o.Connections = nil
	for _, path := range []string{"/api/connections", "/api/connections/", encoded} {
		if w := ask(Handler(o), "GET", path); w.Code != 404 {
			t.Errorf("not wanted: %s %d", path, w.Code)
		}
	}
}
