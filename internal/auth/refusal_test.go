package auth

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/auth/password"
)

// users is a table of a user with a password, one who logs in otherwise, and one with a credential for SCRAM.
func users(t *testing.T) *Table {
	t.Helper()
	plain := password.New([]byte("secret"))
	scram, err := password.NewSCRAM([]byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	table, err := NewTable(&User{Name: "joe", Password: plain}, &User{Name: "device", ClientIDs: []string{"d-*"}}, &User{Name: "sc", Password: scram}, &User{Name: "jim", Password: plain})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Whether there is a user, and whether it has a password, is not told by what a refusal costs: a hash the first time,
// and none when the same comes again.
func TestSecurity_U10_ARefusalCostsTheSameForEverybody(t *testing.T) {
	w := NewWorkers(1)
	table := users(t)
	c := NewChain(Options{Backends: []Backend{NewFile(table, w, nil)}, Table: table, Workers: w})
	for _, user := range []string{"joe", "device", "nobody"} {
		if _, r := c.Authenticate(t.Context(), creds(user, "wrong")); r != core.NotAuthenticated {
			t.Fatalf("%s: %v", user, r)
		}
	}
	release := make(chan struct{})
	held := make(chan struct{})
	go func() { _ = w.Do(context.Background(), func() { close(held); <-release }) }()
	<-held
	defer close(release)
	for _, user := range []string{"joe", "device", "nobody"} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // whoever waits for a worker waits no longer
		if _, r := c.Authenticate(ctx, creds(user, "another")); r != core.Busy {
			t.Errorf("%s: another password is not hashed: %v", user, r)
		}
		if _, r := c.Authenticate(t.Context(), creds(user, "wrong")); r != core.NotAuthenticated {
			t.Errorf("%s: the same password is hashed again: %v", user, r)
		}
	}
}

func TestSecurity_U10_TheDecoyIsOfTheMostUsualForm(t *testing.T) {
	var none *Table
	old, err := password.Parse("$6$c2FsdHNhbHRzYWx0$" + sha512OfSecret)
	if err != nil {
		t.Fatal(err)
	}
	mixed, err := NewTable(&User{Name: "a", Password: password.New(nil)}, &User{Name: "b", Password: old}, &User{Name: "c"}, &User{Name: "d", Password: old})
	if err != nil {
		t.Fatal(err)
	}
	if none.Decoy() != password.Decoy || users(t).Decoy().Kind() != "argon2id" || mixed.Decoy() != old {
		t.Errorf("%s, %s", users(t).Decoy().Kind(), mixed.Decoy().Kind())
	}
}

// A refused login is one line of the log, that says where and why. SECURITY S2, OPERATIONS G4
func TestARefusedLoginIsOneLine(t *testing.T) {
	var log bytes.Buffer
	table := users(t)
	w := NewWorkers(1)
	file := NewFile(table, w, nil)
	o := Options{
		Backends: []Backend{file}, Table: table, Workers: w, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Unfit: func(p *core.Principal) string {
			if p.ClientID == "a/b" {
				return "client identifier"
			}
			return ""
		},
	}
	chain := NewChain(o)
	o.Backends = []Backend{&fake{name: "svc", err: errors.New("gone")}}
	broken := NewChain(o)
	login := func(c *Chain, cr adapters.Credentials) func() core.Reason {
		return func() core.Reason { _, r := c.Authenticate(t.Context(), cr); return r }
	}
	exchange := func(cr adapters.Credentials, user string) func() core.Reason {
		return func() core.Reason {
			conv := chain.Begin("", cr)
			challenge := conv.Step(t.Context(), []byte("n,,n="+user+",r=abc"))
			nonce, _, _ := strings.Cut(string(challenge.Data), ",")
			return conv.Step(t.Context(), []byte("c=biws,"+nonce+",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")).Reason
		}
	}
	waiting := func() core.Reason { // longer than the time of a backend
		release, held := make(chan struct{}), make(chan struct{})
		defer close(release)
		go func() { _ = w.Do(context.Background(), func() { close(held); <-release }) }()
		<-held
		o := o
		o.Backends, o.Timeout = []Backend{NewFile(table, w, nil)}, time.Millisecond
		_, r := NewChain(o).Authenticate(t.Context(), creds("joe", "x"))
		return r
	}
	nothing := creds("", "")
	badID := creds("joe", "secret")
	badID.ClientID = "a/b"
	for name, c := range map[string]struct {
		try    func() core.Reason
		reason core.Reason
		line   string
	}{
		"nothing shown":  {login(chain, nothing), core.NotAuthenticated, `reason="no credentials" protocol=mqtt listener=l addr=192.0.2.1:99 client=c1`},
		"wrong password": {login(chain, creds("joe", "x")), core.NotAuthenticated, `reason=password protocol=mqtt listener=l addr=192.0.2.1:99 user=joe client=c1`},
		"nobody":         {login(chain, creds("eve", "x")), core.NotAuthenticated, `reason=password protocol=mqtt listener=l addr=192.0.2.1:99 user=eve client=c1`},
		"identifier":     {login(chain, badID), core.BadClientID, `reason="client id" protocol=mqtt listener=l addr=192.0.2.1:99 user=joe client=a/b`},
		"no worker":      {waiting, core.Busy, `reason=busy protocol=mqtt listener=l addr=192.0.2.1:99 user=joe client=c1`},
		"backend":        {login(broken, creds("joe", "x")), core.Busy, `reason=backend protocol=mqtt listener=l addr=192.0.2.1:99 user=joe client=c1 backend=svc err=gone`},
		"SCRAM":          {exchange(nothing, "sc"), core.NotAuthenticated, `reason=scram protocol=mqtt listener=l addr=192.0.2.1:99 user=sc client=c1`},
		"SCRAM, nobody":  {exchange(nothing, "eve"), core.NotAuthenticated, `reason=scram protocol=mqtt listener=l addr=192.0.2.1:99 user=eve client=c1`},
	} {
		log.Reset()
		if r := c.try(); r != c.reason {
			t.Errorf("%s: %v", name, r)
		}
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "msg=auth.denied "+c.line+"\n") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// Guesses by SCRAM count for the user that they are about.
func TestSecurity_U13_FailedExchangesCountForTheirUser(t *testing.T) {
	c := NewChain(Options{Table: users(t)})
	c.Begin("", creds("", "")).Step(t.Context(), []byte("n,,n=sc,r=abc"))
	conv := c.Begin("", creds("", ""))
	conv.Step(t.Context(), []byte("n,,n=sc,r=abc"))
	conv.Step(t.Context(), []byte("nonsense"))
	if n := c.failures.counts[failure{"192.0.2.1", "sc"}]; n != 1 {
		t.Errorf("%d failures", n)
	}
}
