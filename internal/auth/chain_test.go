package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/auth/password"
)

// fake is a backend with an answer for each user.
type fake struct {
	name  string
	users map[string]Answer
	err   error
	mu    sync.Mutex
	asked int
}

func (f *fake) Name() string { return f.name }

func (f *fake) Check(ctx context.Context, c *adapters.Credentials) (Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return f.users[c.User], f.err
}

func creds(user, pass string) adapters.Credentials {
	return adapters.Credentials{Protocol: "mqtt", Listener: "l", Addr: "192.0.2.1:99", ClientID: "c1", User: user, Password: []byte(pass), HasUser: user != ""}
}

func TestSecurity_U2_TheFirstBackendThatKnowsTheUserDecides(t *testing.T) {
	first := &fake{name: "a", users: map[string]Answer{"no": {Verdict: Denied}, "yes": {Verdict: Allowed, Roles: []string{"first"}}}}
	second := &fake{name: "b", users: map[string]Answer{"no": {Verdict: Allowed}, "yes": {Verdict: Denied}, "later": {Verdict: Allowed, Roles: []string{"second"}}}}
	c := NewChain(Options{Backends: []Backend{first, second}})
	for user, want := range map[string]string{"no": "", "yes": "first", "later": "second", "nobody": ""} {
		p, r := c.Authenticate(t.Context(), creds(user, "x"))
		switch {
		case want == "" && (p != nil || r != core.NotAuthenticated):
			t.Errorf("%s: %v, %v", user, p, r)
		case want != "" && (r != core.OK || p.Roles[0] != want || p.User != user || p.Namespace != core.DefaultNamespace):
			t.Errorf("%s: %+v, %v", user, p, r)
		}
	}
}

func TestSecurity_S7_AnErrorOfABackendDeniesAndStops(t *testing.T) {
	broken := &fake{name: "a", err: errors.New("unreachable")}
	open := &fake{name: "b", users: map[string]Answer{"u": {Verdict: Allowed}}}
	var log bytes.Buffer
	c := NewChain(Options{Backends: []Backend{broken, open}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if p, r := c.Authenticate(t.Context(), creds("u", "secret-password")); p != nil || r != core.Busy || open.asked != 0 {
		t.Errorf("%v, %v, the next was asked %d times", p, r, open.asked)
	}
	if !strings.Contains(log.String(), "unreachable") || strings.Contains(log.String(), "secret-password") {
		t.Errorf("the log says %s", &log)
	}
}

func TestSecurity_U4_Anonymous(t *testing.T) {
	know := &fake{name: "a", users: map[string]Answer{"u": {Verdict: Allowed}}}
	for _, c := range []struct {
		backends []Backend
		open     bool
		user     string
		want     core.Reason
		method   string
	}{
		{nil, true, "", core.OK, "anonymous"},
		{nil, true, "guest", core.OK, "anonymous"}, // a pair is not checked while nobody could be known
		{nil, false, "", core.NotAuthenticated, ""},
		{[]Backend{know}, true, "", core.OK, "anonymous"},
		{[]Backend{know}, true, "x", core.NotAuthenticated, ""}, // a wrong name is no anonymous login
		{[]Backend{know}, false, "", core.NotAuthenticated, ""},
	} {
		chain := NewChain(Options{Backends: c.backends, Listeners: map[string]Listener{"l": {Anonymous: c.open}}})
		p, r := chain.Authenticate(t.Context(), creds(c.user, ""))
		if r != c.want || r == core.OK && p.Method != c.method {
			t.Errorf("%+v: %+v, %v", c, p, r)
		}
	}
}

func TestSecurity_U8_ClientIdentifiersOfAUser(t *testing.T) {
	b := &fake{name: "a", users: map[string]Answer{"u": {Verdict: Allowed, ClientIDs: []string{"gw1-*", "x"}}, "any": {Verdict: Allowed}}}
	c := NewChain(Options{Backends: []Backend{b}})
	for _, x := range []struct {
		user, id string
		want     core.Reason
		owns     bool
	}{
		{"u", "gw1-a", core.OK, true}, {"u", "gw1-", core.OK, true}, {"u", "x", core.OK, true}, {"u", "xy", core.BadClientID, false},
		{"u", "agw1-a", core.BadClientID, false}, {"u", "", core.OK, false}, {"any", "gw1-a", core.OK, false},
	} {
		cr := creds(x.user, "p")
		cr.ClientID = x.id
		p, r := c.Authenticate(t.Context(), cr)
		if r != x.want || r == core.OK && p.OwnsID != x.owns {
			t.Errorf("%+v: %+v, %v", x, p, r)
		}
	}
}

func TestGlobs(t *testing.T) {
	for _, c := range []struct {
		glob, s string
		want    bool
	}{
		{"", "", true}, {"a", "a", true}, {"a", "ab", false}, {"*", "", true}, {"*", "x/y", true}, {"a*", "a", true}, {"a*b", "ab", true},
		{"a*b", "aXbXb", true}, {"a*b", "aXc", false}, {"*a*", "xay", true}, {"a*a", "a", false}, {"a*b*c", "a-b-c", true}, {"a*b*c", "acb", false},
	} {
		if got := matchGlob(c.glob, c.s); got != c.want {
			t.Errorf("%q on %q: %v", c.glob, c.s, got)
		}
	}
}

func TestNamespaceOfALogin(t *testing.T) {
	for _, c := range []struct {
		listener, asked string
		own             []string
		want            string
		ok              bool
	}{
		{"", "", nil, "default", true}, {"", "plant", nil, "default", true}, {"plant", "", nil, "", false},
		{"plant", "hq", []string{"plant", "hq"}, "plant", true}, {"", "hq", []string{"plant", "hq"}, "hq", true},
		{"", "other", []string{"plant", "hq"}, "", false}, {"", "", []string{"plant", "hq"}, "", false}, {"", "other", []string{"plant"}, "plant", true},
	} {
		if got, ok := namespace(c.listener, c.asked, c.own); got != c.want || ok != c.ok {
			t.Errorf("%+v: %q, %v", c, got, ok)
		}
	}
}

func TestSecurity_U13_WhoFailsTooOftenIsNotAskedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &fake{name: "a", users: map[string]Answer{"u": {Verdict: Denied}, "good": {Verdict: Allowed}}}
		c := NewChain(Options{Backends: []Backend{b}})
		for range 10 {
			c.Authenticate(t.Context(), creds("u", "guess"))
		}
		asked := b.asked
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		if _, r := c.Authenticate(ctx, creds("u", "guess")); r != core.NotAuthenticated || b.asked != asked || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %v, asked %d times more", r, time.Since(start), b.asked-asked)
		}
		other := creds("u", "guess")
		other.Addr = "192.0.2.2:1"
		if c.Authenticate(t.Context(), other); b.asked != asked+1 {
			t.Error("the user is locked out from everywhere")
		}
		time.Sleep(2 * time.Minute)
		if _, r := c.Authenticate(t.Context(), creds("good", "x")); r != core.OK {
			t.Errorf("still blocked after two minutes: %v", r)
		}
	})
}

func TestSecurity_U11_HashingIsBounded(t *testing.T) {
	w := NewWorkers(1)
	release, started := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.Do(t.Context(), func() { close(started); <-release }) })
	<-started
	var mu sync.Mutex
	busy, done := 0, 0
	for range waiting + 50 {
		wg.Go(func() {
			err := w.Do(t.Context(), func() {})
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, ErrBusy) {
				if busy++; busy == 50 {
					close(release)
				}
			} else {
				done++
			}
		})
	}
	wg.Wait()
	if busy != 50 || done != waiting || w.Waiting() != 0 {
		t.Errorf("%d busy, %d done, %d waiting", busy, done, w.Waiting())
	}
}

func TestSecurity_U12_ResultsAreCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache[bool](time.Now)
		good, bad := c.sum([]byte("p"), "u", "h"), c.sum([]byte("q"), "u", "h")
		if good == c.sum(nil, "up", "h") || good == bad || good == c.sum([]byte("p"), "u", "h2") || good == c.sum([]byte("p"), "u") {
			t.Fatal("sums collide")
		}
		c.put(good, true, keepGood)
		c.put(bad, false, keepBad)
		time.Sleep(4 * time.Second)
		if ok, known := c.get(bad); ok || !known {
			t.Error("negative result lost")
		}
		time.Sleep(2 * time.Second)
		if _, known := c.get(bad); known {
			t.Error("negative result kept too long")
		}
		if ok, known := c.get(good); !ok || !known {
			t.Error("positive result lost")
		}
		time.Sleep(time.Minute)
		if _, known := c.get(good); known {
			t.Error("positive result kept too long")
		}
		for i := range mostResults + 10 {
			c.put(c.sum(nil, fmt.Sprint(i)), true, keepGood)
		}
		if len(c.results) != mostResults || c.order.Len() != mostResults {
			t.Errorf("%d results", len(c.results))
		}
	})
}

func TestTheFileBackend(t *testing.T) {
	weak, err := password.Parse("$6$c2FsdHNhbHRzYWx0$" + sha512OfSecret)
	if err != nil {
		t.Fatal(err)
	}
	table, err := NewTable(&User{Name: "joe", Password: weak, Roles: []string{"r"}}, &User{Name: "device"})
	if err != nil {
		t.Fatal(err)
	}
	var stronger *password.Hash
	f := NewFile(table, NewWorkers(1), func(user string, h *password.Hash) { stronger = h })
	for _, c := range []struct {
		user, pass string
		want       Verdict
	}{{"joe", "secret", Allowed}, {"joe", "wrong", Denied}, {"joe", "secret", Allowed}, {"device", "", Denied}, {"nobody", "secret", Unknown}} {
		cr := creds(c.user, c.pass)
		if a, err := f.Check(t.Context(), &cr); err != nil || a.Verdict != c.want {
			t.Errorf("%s: %+v, %v", c.user, a, err)
		}
	}
	if stronger == nil || !stronger.Verify([]byte("secret")) || stronger.Weak() {
		t.Error("the weak hash was not made anew")
	}
	if _, err := NewTable(&User{Name: "a", At: "f:1"}, &User{Name: "a", At: "f:2"}); err == nil || !strings.Contains(err.Error(), "f:1") {
		t.Errorf("a name twice: %v", err)
	}
	for _, bad := range []string{"", "a+", "#", "a\nb", "\xff", strings.Repeat("x", 1025)} {
		if _, err := NewTable(&User{Name: bad}); err == nil {
			t.Errorf("%q is a user name", bad)
		}
	}
}

// sha512OfSecret is the SHA-512 of "secret" and the salt "saltsaltsalt", as mosquitto 1 stores it.
const sha512OfSecret = "3aiBbchfIZo+1WYrkPzJjQxZ79F/NmwLQ+wF073kTd+6ANhaic8G/jWF/X4sqSFUKpLNdm1FZjBck6HQ8knM3A=="
