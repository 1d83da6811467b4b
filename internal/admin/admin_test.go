package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

type state struct {
	alive    error
	started  bool
	problems []string
}

func (s state) Alive(context.Context) error { return s.alive }
func (s state) Started() bool               { return s.started }
func (s state) Problems() []string          { return s.problems }
func (s state) Details() []string           { return []string{"listener mqtt://127.0.0.1:1883"} }

func get(h http.Handler, method, target, host string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHealthReadyAndStartup(t *testing.T) {
	t.Parallel()
	up := Handler(Options{State: state{started: true}})
	down := Handler(Options{State: state{alive: errors.New("a loop is stuck"), problems: []string{"starting", "store"}}})
	for _, c := range []struct {
		h      http.Handler
		path   string
		status int
		body   string
	}{
		{up, "/healthz", 200, "ok\n"},
		{down, "/healthz", 503, "failed\n"},
		{up, "/startupz", 200, "ok\n"},
		{down, "/startupz", 503, "starting\n"},
		{up, "/readyz", 200, "ok\n"},
		{down, "/readyz", 503, "starting\nstore\n"},
		{up, "/readyz?verbose", 200, "ok\nlistener mqtt://127.0.0.1:1883\n"},
		{down, "/readyz?verbose=1", 503, "starting\nstore\nlistener mqtt://127.0.0.1:1883\n"},
		{up, "/metrics", 404, ""},
		{up, "/api/v1/status", 404, ""},
	} {
		w := get(c.h, "GET", c.path, "localhost")
		if w.Code != c.status || c.body != "" && w.Body.String() != c.body {
			t.Errorf("%s: %d %q", c.path, w.Code, w.Body)
		}
	}
}

func TestH1_HostMustNameThisMachine(t *testing.T) {
	t.Parallel()
	h := Handler(Options{State: state{}})
	for host, ok := range map[string]bool{
		"localhost": true, "localhost:8088": true, "LOCALHOST": true, "127.0.0.1:8088": true, "[::1]:8088": true, "[::1]": true,
		"evil.example": false, "127.0.0.1.evil.example": false, "": false, "10.0.0.1:8088": false, "localhost.evil.example:8088": false,
	} {
		if w := get(h, "GET", "/healthz", host); (w.Code == 200) != ok {
			t.Errorf("%q: %d", host, w.Code)
		}
	}
	if w := get(Handler(Options{State: state{}, AnyHost: true}), "GET", "/healthz", "gw.example"); w.Code != 200 {
		t.Errorf("AnyHost: %d", w.Code)
	}
}

func TestH6_EveryAnswerHasTheSecurityHeaders(t *testing.T) {
	t.Parallel()
	for _, w := range []*httptest.ResponseRecorder{
		get(Handler(Options{State: state{}}), "GET", "/readyz", "localhost"),
		get(Handler(Options{State: state{}}), "GET", "/x", "evil"),
	} {
		if w.Header().Get("Content-Security-Policy") != "default-src 'self'" || w.Header().Get("X-Content-Type-Options") != "nosniff" ||
			w.Header().Get("Referrer-Policy") != "no-referrer" || w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v", w.Header())
		}
	}
}

func TestOtherMethodsAndLargeBodiesAreRefused(t *testing.T) {
	t.Parallel()
	h := Handler(Options{State: state{}})
	if w := get(h, "POST", "/healthz", "localhost"); w.Code != 405 || !strings.Contains(w.Body.String(), `"code":"method"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	r := httptest.NewRequest("POST", "/healthz", io.LimitReader(neverEnding{}, maxBody+1))
	r.Host, r.ContentLength = "localhost", maxBody+1
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 413 {
		t.Errorf("%d", w.Code)
	}
}

type neverEnding struct{}

func (neverEnding) Read(p []byte) (int, error) { return len(p), nil }

func TestServeEndsWithShutdown(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{State: state{}})
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("%d", resp.StatusCode)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
