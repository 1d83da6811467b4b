package abuse

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
	"github.com/entrepot/entrepot/test/rig"
)

func TestSECURITY_A1_SilentSocketsEndAtTheDeadlineAndCostLittle(t *testing.T) {
	const deadline = time.Second
	n := sockets(600, 10_000)
	a := attack{set: []string{"limits.preauth.deadline=1s", "stomp.login_timeout=1s", "amqp.login_timeout=1s", fmt.Sprint("limits.preauth.connections.process=", 2*n)},
		moved: []string{"preauth_closed mqtt deadline", "preauth_closed stomp deadline", "preauth_closed amqp deadline"}, logged: []string{"preauth.closed reason=deadline"}}
	a.run(t, func(g *target) {
		before := rig.Measure()
		kinds := []string{"mqtt", "ws", "stomp", "amqp"}
		type silent struct {
			net.Conn
			on    string
			began time.Time
		}
		all := make([]silent, 0, n)
		for i := range n {
			on := kinds[i%len(kinds)]
			began := time.Now()
			nc, err := net.DialTimeout("tcp", g.At[on], rig.Patience)
			if err != nil {
				t.Fatalf("socket %d: %v", i, err)
			}
			defer nc.Close()
			all = append(all, silent{nc, on, began})
		}
		if held := rig.Measure(); held.Heap-before.Heap > int64(n)*8<<10+flat+rig.StoreHeap {
			t.Errorf("%d sockets hold %d bytes each", n, (held.Heap-before.Heap)/int64(n))
		}
		for i, s := range all {
			s.SetReadDeadline(time.Now().Add(rig.Patience))
			if _, err := io.Copy(io.Discard, s); err != nil && !reset(err) {
				t.Fatalf("%s: socket %d: %v", s.on, i, err)
			}
			if took := time.Since(s.began); took < deadline/2 {
				t.Errorf("%s: closed after %v", s.on, took)
			}
		}
	})
}

func TestSECURITY_A3_WhatIsAnnouncedIsNotHeld(t *testing.T) {
	ca := tlstest.New(t, "ca")
	leaf := ca.Issue("localhost")
	file := strings.Replace(users(""), "listeners:\n", fmt.Sprintf("listeners:\n  - {url: \"mqtts://127.0.0.1:0\", anonymous: true, tls: {cert: %s, key: %s}}\n", leaf.Cert, leaf.Key), 1)
	attack{file: file, moved: []string{"preauth_closed mqtt bytes"}, logged: []string{"preauth.closed reason=bytes"}}.run(t, func(g *target) {
		before := rig.Measure()
		announced := "\x10\xff\xff\xff\x7f\x00\x04MQTT\x05\x02\x00\x00\x00"
		var group sync.WaitGroup
		for _, on := range []string{"mqtt", "mqtt-ws", "mqtts"} {
			for range 8 {
				group.Go(func() {
					if got, err := g.pours(on, ca, announced, 16<<20); err != nil || got != "connack 95" && got != "connack 95, close 1009" && (on != "mqtt-ws" || got != "close 1009") {
						t.Errorf("%s: it said %q, %v", on, got, err)
					}
				})
			}
		}
		group.Wait()
		if after := rig.Measure(); after.Heap-before.Heap > 24*64<<10+1<<20+rig.StoreHeap {
			t.Errorf("it holds %d bytes more", after.Heap-before.Heap)
		}
	})
}

// pours sends so many bytes behind a beginning, or as many as are taken, and tells the answer.
func (g *target) pours(on string, ca *tlstest.Authority, begin string, n int) (string, error) {
	var c *client
	if on == "mqtts" {
		nc, err := tls.Dial("tcp", g.At[on], &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost", MinVersion: tls.VersionTLS12})
		if err != nil {
			return "", err
		}
		c = &client{Conn: nc, on: "mqtt", in: nc}
		c.SetDeadline(time.Now().Add(rig.Patience))
	} else {
		var err error
		if c, err = g.dial(on); err != nil {
			return "", err
		}
	}
	defer c.Close()
	poured := make(chan struct{})
	go func() {
		defer close(poured)
		part := strings.Repeat("x", 16<<10)
		for err := c.send(begin); err == nil && n > 0; n -= len(part) {
			err = c.send(part)
		}
	}()
	got, err := c.answer()
	c.SetWriteDeadline(time.Now())
	<-poured
	if reset(err) || errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return got, err
}

// stranger is a configuration that takes tokens.
const stranger = `
limits: {auth_failures: 1000000/min}
auth: {jwt: {secret: "a secret of thirty-two octets.....", roles: roles, client_ids: ids}}
`

func TestSECURITY_A9_BadTokensAreRefusedAlikeAndNothingIsFetched(t *testing.T) {
	var fetched atomic.Int64
	lure := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched.Add(1) }))
	defer lure.Close()
	claims := func() jwt.MapClaims {
		return jwt.MapClaims{"sub": "robot", "roles": []string{"some"}, "ids": []string{"*"}, "exp": time.Now().Add(time.Hour).Unix()}
	}
	sign := func(m jwt.SigningMethod, key any, c jwt.MapClaims, header ...string) string {
		token := jwt.NewWithClaims(m, c)
		for i := 0; i < len(header); i += 2 {
			token.Header[header[i]] = header[i+1]
		}
		s, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	good, bad := []byte("a secret of thirty-two octets....."), []byte("another secret of thirty-two octets")
	many := claims()
	for i := range size(1000, 100_000) {
		many[fmt.Sprint("c", i)] = i
	}
	attack{file: users(stranger), moved: []string{"connects refused"}, logged: []string{"auth.denied protocol=mqtt"}}.run(t, func(g *target) {
		g.asks("mqtt", login5(2, "r", "jwt", sign(jwt.SigningMethodHS256, good, claims()), "")+over, "connack 00")
		for what, token := range map[string]string{
			"alg none":        sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims()),
			"another key":     sign(jwt.SigningMethodHS256, bad, claims()),
			"HS512":           sign(jwt.SigningMethodHS512, good, claims()),
			"jku":             sign(jwt.SigningMethodHS256, bad, claims(), "jku", lure.URL, "x5u", lure.URL),
			"above 8 KiB":     sign(jwt.SigningMethodHS256, good, jwt.MapClaims{"sub": "robot", "exp": time.Now().Add(time.Hour).Unix(), "x": strings.Repeat("x", 8200)}),
			"of 50 kB":        sign(jwt.SigningMethodHS256, good, jwt.MapClaims{"sub": "robot", "exp": time.Now().Add(time.Hour).Unix(), "x": strings.Repeat("x", 37_000)}),
			"of three dots":   "a.b.c.d",
			"of empty parts":  "..",
			"of broken JSON":  "eyJ.eyJ.eyJ",
			"E1 sub with +":   sign(jwt.SigningMethodHS256, good, jwt.MapClaims{"sub": "+", "exp": time.Now().Add(time.Hour).Unix()}),
			"E1 sub CR LF":    sign(jwt.SigningMethodHS256, good, jwt.MapClaims{"sub": "dev\r\n", "exp": time.Now().Add(time.Hour).Unix()}),
			"E1 sub with NUL": sign(jwt.SigningMethodHS256, good, jwt.MapClaims{"sub": "dev\x00", "exp": time.Now().Add(time.Hour).Unix()}),
		} {
			if got, err := g.ask("mqtt", login5(2, "r", "jwt", token, "")+over); err != nil || got != "connack 86" {
				t.Errorf("%s: it said %q, %v", what, got, err)
			}
			if got, err := g.ask("stomp", st("CONNECT", "accept-version:1.2\nlogin:jwt\npasscode:"+token, "")+bye); err != nil || !strings.HasPrefix(got, "ERROR") {
				t.Errorf("%s: STOMP said %q, %v", what, got, err)
			}
		}
		if got, err := g.ask("mqtt", login5(2, "r", "jwt", sign(jwt.SigningMethodHS256, good, many), "")+over); err != nil || got != "connack 86" && got != "connack 95" {
			t.Errorf("many claims: it said %q, %v", got, err)
		}
		if fetched.Load() > 0 {
			t.Error("an address in a token was fetched")
		}
	})
}

func TestSECURITY_A10_LoginsInCrowdsHashOneAfterTheOther(t *testing.T) {
	const waiting, hashing = 256, 1
	n := size(waiting+100, 1000)
	a := attack{file: users("limits: {auth_failures: 1000000/min}\nauth: {hash_workers: 1}\n"), set: []string{"limits.preauth.exchange=2s", fmt.Sprint("limits.preauth.connections.process=", 2*n)},
		moved: []string{"connects refused busy"}, logged: []string{"auth.denied reason=busy"}, held: 2 * 19 << 20}
	a.run(t, func(g *target) {
		var answers sync.Map
		crowd := func(pass func(i int) string) map[string]int {
			answers.Clear()
			var group sync.WaitGroup
			for i := range n {
				group.Go(func() {
					got, err := g.ask("mqtt", login5(2, "r", "dev", pass(i), "")+over)
					if err != nil {
						t.Error(err)
					}
					counter, _ := answers.LoadOrStore(got, new(atomic.Int64))
					counter.(*atomic.Int64).Add(1)
				})
			}
			group.Wait()
			all := map[string]int{}
			answers.Range(func(k, v any) bool { all[k.(string)] = int(v.(*atomic.Int64).Load()); return true })
			return all
		}
		long := strings.Repeat("x", 60_000)
		if got := crowd(func(int) string { return long }); got["connack 86"] != n {
			t.Errorf("passwords of 60 kB: %v", got)
		}
		got := crowd(func(i int) string { return fmt.Sprint(strings.Repeat("x", 8000), i) })
		t.Logf("passwords of 8 kB: %v", got)
		if got["connack 89"] == 0 || got["connack 00"] > 0 {
			t.Errorf("passwords of 8 kB: %v", got)
		}
		if rest := n - got["connack 89"] - got["connack 86"] - got["connack 87"]; rest > waiting+hashing {
			t.Errorf("%d waited", rest)
		}
	})
}
