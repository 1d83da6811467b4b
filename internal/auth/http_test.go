package auth

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestTheHTTPBackend(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	answer, status := "", http.StatusOK
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Entrepot-Signature") != Sign([]byte("key"), now, body) {
			t.Errorf("signature %s", r.Header.Get("Entrepot-Signature"))
		}
		var q map[string]string
		if err := json.Unmarshal(body, &q); err != nil || q["user"] != "joe" || q["password"] != "pw" || q["client_id"] != "c1" || q["protocol"] != "mqtt" {
			t.Errorf("asked %s", body)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	defer server.Close()
	h := NewHTTP(HTTPOptions{URL: server.URL, Secret: []byte("key"), Now: func() time.Time { return now }})
	for _, c := range []struct {
		answer string
		status int
		want   Verdict
		err    bool
	}{
		{`{"result":"allow","roles":["r"],"attrs":{"site":"n"},"client_ids":["c*"],"expires":1700000100}`, 200, Allowed, false},
		{`{"result":"deny"}`, 200, Denied, false},
		{`{"result":"unknown"}`, 200, Unknown, false},
		{`{"result":"allow"}`, 201, 0, true},
		{`{"result":"allow"}`, 500, 0, true},
		{`{}`, 200, 0, true},
		{``, 200, 0, true},
		{`{"result":"deny"}`, 200, Denied, false},
		{`{"result":"allow"` + strings.Repeat(" ", 70<<10) + `}`, 200, 0, true},
		{`<html>`, 200, 0, true},
	} {
		answer, status = c.answer, c.status
		cr := creds("joe", "pw")
		a, err := h.Check(t.Context(), &cr)
		if a.Verdict != c.want || (err != nil) != c.err {
			t.Errorf("%.40s %d: %+v, %v", c.answer, c.status, a, err)
		}
		if a.Verdict == Allowed && (a.Roles[0] != "r" || a.Attrs["site"] != "n" || a.ClientIDs[0] != "c*" || a.Expires.Unix() != 1700000100) {
			t.Errorf("%+v", a)
		}
	}
	for range breakAfter {
		cr := creds("joe", "pw")
		_, _ = h.Check(t.Context(), &cr)
	}
	before := asked
	answer = `{"result":"allow"}`
	cr := creds("joe", "pw")
	if _, err := h.Check(t.Context(), &cr); err == nil || asked != before {
		t.Error("asked while the breaker is open")
	}
	now = now.Add(breakFor + time.Second)
	if a, err := h.Check(t.Context(), &cr); err != nil || a.Verdict != Allowed {
		t.Errorf("after the break: %+v, %v", a, err)
	}
}

func TestTheHTTPBackendThatIsNotThere(t *testing.T) {
	h := NewHTTP(HTTPOptions{URL: "http://127.0.0.1:1/"})
	cr := creds("joe", "pw")
	if a, err := h.Check(t.Context(), &cr); err == nil || a.Verdict == Allowed || strings.Contains(err.Error(), "pw") {
		t.Errorf("%+v, %v", a, err)
	}
}
