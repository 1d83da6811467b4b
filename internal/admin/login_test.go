package admin

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAdmin_H1_WhatIsForViewersNeedsALogin(t *testing.T) {
	t.Parallel()
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("numbers")) })
	verdict := Granted
	o := Options{State: &state{}, Metrics: page, AnyHost: true, Admit: func(*http.Request, Level) Verdict { return verdict }}
	for _, x := range []struct {
		v      Verdict
		remote bool
		path   string
		want   int
	}{
		{Granted, true, "/metrics", 200}, {Nameless, true, "/metrics", 401}, {Refused, true, "/metrics", 403}, {Busy, true, "/metrics", 503},
		{Nameless, false, "/metrics", 200}, {Nameless, false, "/readyz?verbose", 401}, {Refused, true, "/readyz?verbose", 403},
		{Nameless, true, "/readyz", 200}, {Nameless, true, "/healthz", 200}, {Granted, false, "/readyz?verbose", 200},
	} {
		verdict, o.AnyHost = x.v, x.remote
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, x.path, nil)
		r.Host = "localhost"
		Handler(o).ServeHTTP(w, r)
		if w.Code != x.want || (w.Code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("%+v: %d %s", x, w.Code, w.Body)
		}
	}
}
