package scram

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	xdg "github.com/xdg-go/scram"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// people is a directory in memory.
type people struct {
	stored  map[string]Credential
	broken  error
	refuses core.Reason
	asked   []string // for credentials
}

func (p *people) Credential(_ context.Context, user string) (Credential, bool, error) {
	p.asked = append(p.asked, user)
	c, ok := p.stored[user]
	return c, ok, p.broken
}

func (p *people) Principal(_ context.Context, user string, shown adapters.Credentials) (*core.Principal, core.Reason) {
	return &core.Principal{User: user, Method: "scram", Namespace: shown.ClientID}, p.refuses
}

func mustDerive(t testing.TB, password, salt string, iterations int) Credential {
	t.Helper()
	c, err := Derive(password, []byte(salt), iterations)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func unbase64(t testing.TB, s string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// vector is the exchange of RFC 7677, section 3.
func vector(t testing.TB) (*people, *Server) {
	t.Helper()
	p := &people{stored: map[string]Credential{"user": mustDerive(t, "pencil", unbase64(t, "W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)}}
	s := New(Options{Directory: p, Key: []byte("key")})
	s.nonce = func() string { return "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0" }
	return p, s
}

const (
	first     = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
	challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
	final     = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
	signature = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
)

func show(a adapters.Answer) string {
	who := ""
	if a.Principal != nil {
		who = " " + a.Principal.User
	}
	return fmt.Sprintf("%v%s %s", a.Reason, who, a.Data)
}

func expect(t *testing.T, what string, got adapters.Answer, want string) {
	t.Helper()
	if s := show(got); s != want {
		t.Errorf("%s: got %q, want %q", what, s, want)
	}
}

func TestSCRAM_RFC7677_TheExampleOfTheSpecification(t *testing.T) {
	t.Parallel()
	_, s := vector(t)
	c := s.Begin(adapters.Credentials{ClientID: "c"})
	expect(t, "nothing sent", c.Step(t.Context(), nil), "ok ")
	expect(t, "first", c.Step(t.Context(), []byte(first)), "ok "+challenge)
	end := c.Step(t.Context(), []byte(final))
	expect(t, "final", end, "ok user "+signature)
	if end.Principal.Namespace != "c" {
		t.Error("the directory was not told what the peer had shown")
	}
	expect(t, "one more", c.Step(t.Context(), []byte(final)), "not authenticated ")
	expect(t, "nothing twice", s.Begin(adapters.Credentials{}).Step(t.Context(), []byte{}), "not authenticated ")
}

func TestSCRAM_RFC5802_WhatTheClientMayNotSay(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("u", maxName+1)
	for what, rows := range map[string][]string{
		"first": {
			"", "n", "n,,", "n,,n=user", "n,,n=,r=abc", "n,,n=user,r=", "n,,n=user,r=a b", "n,,n=user,r=a\u00e9", "n,,r=abc,n=user", ",,n=user,r=abc", "x,,n=user,r=abc",
			"p=tls-unique,,n=user,r=abc", "p=tls-exporter,,n=user,r=abc", "p=x,,n=user,r=abc", "n,a=other,n=user,r=abc", "n,b=user,n=user,r=abc",
			"n,,m=ext,n=user,r=abc", "n,,n=us=er,r=abc", "n,,n=user=2c,r=abc", "n,,n=us+er,r=abc", "n,,n=us#er,r=abc", "n,,n=us\x00er,r=abc", "n,,n=us\ner,r=abc", "n,,n=us\u0085er,r=abc", "n,,n=\xff,r=abc",
			"n,,n=" + long + ",r=abc", "n,,n=user,r=" + strings.Repeat("r", maxMessage),
		},
		"final": {
			"", "c=biws", strings.Replace(final, "biws", "eSws", 1), strings.Replace(final, "biws", "biw", 1), strings.Replace(final, "k0,", "k1,", 1), strings.Replace(final, "r=rO", "r=RO", 1),
			strings.Replace(final, ",p=", ",q=", 1), final[:strings.Index(final, ",p=")], strings.Replace(final, "p=dH", "p=DH", 1), final[:len(final)-4], final[:strings.Index(final, ",p=")] + ",p=",
			strings.Replace(final, ",p=", ",\np=", 1), final + "\n",
		},
	} {
		for _, in := range rows {
			_, s := vector(t)
			c := s.Begin(adapters.Credentials{})
			if what == "final" {
				expect(t, "first", c.Step(t.Context(), []byte(first)), "ok "+challenge)
			}
			expect(t, in, c.Step(t.Context(), []byte(in)), "not authenticated ")
			expect(t, in+" then the proof", c.Step(t.Context(), []byte(final)), "not authenticated ")
		}
	}
}

// login is a whole exchange with the client of the library.
func login(t *testing.T, s *Server, user, password, authzid string) (a adapters.Answer, client *xdg.ClientConversation) {
	t.Helper()
	xc, err := xdg.SHA256.NewClient(user, password, authzid)
	if err != nil {
		t.Fatal(err)
	}
	client = xc.NewConversation()
	c := s.Begin(adapters.Credentials{})
	in := ""
	for range 2 {
		out, err := client.Step(in)
		if err != nil {
			t.Fatal(err)
		}
		if a = c.Step(t.Context(), []byte(out)); a.Reason != core.OK {
			return a, client
		}
		in = string(a.Data)
	}
	if _, err := client.Step(in); err != nil {
		t.Error(err)
	}
	return a, client
}

func TestSCRAM_ClientsOfTheLibraryLogIn(t *testing.T) {
	t.Parallel()
	p := &people{stored: map[string]Credential{}}
	for user, password := range map[string]string{"a,b=c": "x", "J\u00fcrgen": "\u00aa\u2168", "IX": "IX"} {
		c, err := NewCredential(password, 5000)
		if err != nil {
			t.Fatal(err)
		}
		p.stored[user] = c
		s := New(Options{Directory: p})
		for authzid, want := range map[string]core.Reason{"": core.OK, user: core.OK, "other": core.NotAuthenticated} {
			a, client := login(t, s, user, password, authzid)
			if a.Reason != want || client.Valid() != (want == core.OK) || want == core.OK && a.Principal.User != user {
				t.Errorf("%s for %q: %s", user, authzid, show(a))
			}
		}
		if a, _ := login(t, s, user, password+"x", ""); a.Reason != core.NotAuthenticated {
			t.Errorf("%s with a wrong password: %s", user, show(a))
		}
	}
	// SASLprep: a soft hyphen maps to nothing, a Roman numeral to letters. RFC 4013, section 3
	if a, _ := login(t, New(Options{Directory: p}), "I\u00adX", "\u2168", ""); a.Principal == nil || a.Principal.User != "IX" {
		t.Errorf("prepared: %s", show(a))
	}
}

func TestSCRAM_U10_AnUnknownUserGoesTheWayOfAWrongPassword(t *testing.T) {
	t.Parallel()
	p, s := vector(t)
	run := func(user string) (string, adapters.Answer) {
		c := s.Begin(adapters.Credentials{})
		a := c.Step(t.Context(), []byte(strings.Replace(first, "user", user, 1)))
		return string(a.Data), c.Step(t.Context(), []byte(strings.Replace(final, "p=dH", "p=eH", 1)))
	}
	known, wrong := run("user")
	unknown, refused := run("who")
	again, _ := run("who")
	other, _ := run("else")
	if show(wrong) != show(refused) || refused.Reason != core.NotAuthenticated {
		t.Errorf("wrong proof %q, unknown user %q", show(wrong), show(refused))
	}
	if len(known) != len(unknown) || unknown != again || unknown == other || known == unknown {
		t.Errorf("challenges of user, who, who and else:\n%s\n%s\n%s\n%s", known, unknown, again, other)
	}
	if strings.Join(p.asked, " ") != "user who who else" {
		t.Errorf("the directory was asked for %q", p.asked)
	}
	if a := New(Options{Directory: p}).decoy("who"); string(a.Salt) == string(New(Options{Directory: p}).decoy("who").Salt) {
		t.Error("two processes have one key")
	}
}

func TestSCRAM_AProofAgainstAnUnknownUsersKeysAdmitsNobody(t *testing.T) {
	t.Parallel()
	p, s := vector(t)
	c := mustDerive(t, "pencil", unbase64(t, "W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
	for what, change := range map[string]func(*Credential){
		"too few iterations":  func(c *Credential) { c.Iterations = MinIterations - 1 },
		"too many iterations": func(c *Credential) { c.Iterations = MaxIterations + 1 },
		"no salt":             func(c *Credential) { c.Salt = nil },
		"a short key":         func(c *Credential) { c.StoredKey = c.StoredKey[:31] },
		"no server key":       func(c *Credential) { c.ServerKey = nil },
	} {
		bad := c
		change(&bad)
		if bad.Check() == nil {
			t.Errorf("%s: nothing is wrong", what)
		}
		p.stored["user"] = bad
		conv := s.Begin(adapters.Credentials{})
		a := conv.Step(t.Context(), []byte(first))
		if !strings.HasSuffix(string(a.Data), ",i=4096") || strings.Contains(string(a.Data), "s=,") {
			t.Errorf("%s: challenge %s", what, a.Data)
		}
		expect(t, what, conv.Step(t.Context(), []byte(final)), "not authenticated ")
	}
	if _, err := NewCredential("x", 1<<40); err == nil {
		t.Error("iterations without bound")
	}
}

func TestSCRAM_S7_TheDirectoryHasTheLastWord(t *testing.T) {
	t.Parallel()
	p, s := vector(t)
	p.refuses = core.BadClientID
	c := s.Begin(adapters.Credentials{})
	c.Step(t.Context(), []byte(first))
	expect(t, "refused by the directory", c.Step(t.Context(), []byte(final)), "bad client id ")
	p.broken = errors.New("down")
	expect(t, "directory down", s.Begin(adapters.Credentials{}).Step(t.Context(), []byte(first)), "store unavailable ")
}

func TestSCRAM_S10_CredentialsAreNotPrinted(t *testing.T) {
	t.Parallel()
	c := Credential{Salt: []byte("salt"), StoredKey: []byte("stored"), ServerKey: []byte("server")}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "c", c)
	text, err := json.Marshal(map[string]any{"c": c})
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %x %d %v", c, c, c, c, c, c, &c) + log.String() + string(text)
	for _, part := range []string{"salt", "stored", "server", "73", "115"} {
		if strings.Contains(all, part) {
			t.Errorf("%q is in %s", part, all)
		}
	}
}
