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

	"github.com/entrepot/entrepot/adapters"
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

func TestSecurity_U12_AnswersOfAServiceAreKeptWhereThatIsWanted(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	answer, asked := "", 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprint(w, answer)
	}))
	defer server.Close()
	h := NewHTTP(HTTPOptions{URL: server.URL, Cache: 30 * time.Second, Now: func() time.Time { return now }})
	try := func(what string, want Verdict, more int, change func(*adapters.Credentials)) {
		t.Helper()
		cr := creds("joe", "pw")
		if change != nil {
			change(&cr)
		}
		before := asked
		if a, err := h.Check(t.Context(), &cr); err != nil || a.Verdict != want || asked != before+more {
			t.Errorf("%s: %+v, %v, asked %d times", what, a, err, asked-before)
		}
	}
	answer = `{"result":"deny"}`
	try("the first", Denied, 1, nil)
	answer = `{"result":"allow","roles":["r"]}`
	try("again", Denied, 0, nil)
	try("by another port", Denied, 0, func(c *adapters.Credentials) { c.Addr = "192.0.2.1:100" })
	try("with another password", Allowed, 1, func(c *adapters.Credentials) { c.Password = []byte("pW") })
	try("from another address", Allowed, 1, func(c *adapters.Credentials) { c.Addr = "192.0.2.2:99" })
	try("as another client", Allowed, 1, func(c *adapters.Credentials) { c.ClientID = "c2" })
	try("at another listener", Allowed, 1, func(c *adapters.Credentials) { c.Listener = "m" })
	try("in another namespace", Allowed, 1, func(c *adapters.Credentials) { c.Asked = "plant" })
	now = now.Add(6 * time.Second)
	try("after five seconds", Allowed, 1, nil)
	answer = `{"result":"deny"}`
	now = now.Add(29 * time.Second)
	try("a good one is kept", Allowed, 0, nil)
	now = now.Add(2 * time.Second)
	try("but no longer", Denied, 1, nil)
	now = now.Add(6 * time.Second)
	answer = fmt.Sprintf(`{"result":"allow","expires":%d}`, now.Unix()+10)
	try("one that ends", Allowed, 1, nil)
	now = now.Add(11 * time.Second)
	answer = `{"result":"unknown"}`
	try("has ended", Unknown, 1, nil)
	now = now.Add(6 * time.Second)
	answer = `{"result":"allow","roles":["` + strings.Repeat("r", mostKept) + `"]}`
	try("a long one", Allowed, 1, nil)
	try("is not kept", Allowed, 1, nil)
	answer = "nonsense"
	for range 2 {
		cr := creds("joe", "pw")
		if a, err := h.Check(t.Context(), &cr); err == nil {
			t.Errorf("%+v", a)
		}
	}
	answer = `{"result":"allow"}`
	try("an error is not kept", Allowed, 1, nil)
}
