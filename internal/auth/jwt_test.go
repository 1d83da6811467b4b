package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/entrepot/entrepot/core"
)

var b64 = base64.RawURLEncoding.EncodeToString

func jwk(kid string, k *rsa.PublicKey) map[string]string {
	return map[string]string{"kty": "RSA", "kid": kid, "alg": "RS256", "use": "sig", "n": b64(k.N.Bytes()), "e": b64(big.NewInt(int64(k.E)).Bytes())}
}

func keySet(t *testing.T, keys ...map[string]string) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func sign(t *testing.T, m jwt.SigningMethod, kid string, key any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(m, claims)
	token.Header["kid"] = kid
	token.Header["jku"] = "http://127.0.0.1:1/keys" // never followed
	s, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func rsaKey(t *testing.T, bits int) *rsa.PrivateKey {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSecurity_U14_A9_Tokens(t *testing.T) {
	good, other, small := rsaKey(t, 2048), rsaKey(t, 2048), rsaKey(t, 1024)
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, []byte(keySet(t, jwk("k1", &good.PublicKey), jwk("small", &small.PublicKey))), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := FileKeySet(path)
	if err != nil {
		t.Fatal(err)
	}
	j, err := NewJWT(JWTOptions{Keys: keys, Issuer: "me", Audience: "entrepot", Roles: "roles", Namespace: "tenant", ClientIDs: "ids"})
	if err != nil {
		t.Fatal(err)
	}
	claims := func(change jwt.MapClaims) jwt.MapClaims {
		c := jwt.MapClaims{"sub": "joe", "iss": "me", "aud": []string{"x", "entrepot"}, "exp": time.Now().Add(time.Hour).Unix(), "roles": []string{"a", "b"}, "tenant": "plant", "ids": "gw-* x"}
		for k, v := range change {
			if c[k] = v; v == nil {
				delete(c, k)
			}
		}
		return c
	}
	rs := jwt.SigningMethodRS256
	public, err := x509.MarshalPKIXPublicKey(&good.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		user, token string
		want        Verdict
	}{
		"good":                     {"jwt", sign(t, rs, "k1", good, claims(nil)), Allowed},
		"its own user":             {"joe", sign(t, rs, "k1", good, claims(nil)), Allowed},
		"another user":             {"eve", sign(t, rs, "k1", good, claims(nil)), Denied},
		"within the leeway":        {"jwt", sign(t, rs, "k1", good, claims(jwt.MapClaims{"exp": time.Now().Add(-30 * time.Second).Unix()})), Allowed},
		"expired":                  {"jwt", sign(t, rs, "k1", good, claims(jwt.MapClaims{"exp": time.Now().Add(-2 * time.Minute).Unix()})), Denied},
		"without exp":              {"jwt", sign(t, rs, "k1", good, claims(jwt.MapClaims{"exp": nil})), Denied},
		"not yet":                  {"jwt", sign(t, rs, "k1", good, claims(jwt.MapClaims{"nbf": time.Now().Add(time.Hour).Unix()})), Denied},
		"another issuer":           {"jwt", sign(t, rs, "k1", good, claims(jwt.MapClaims{"iss": "you"})), Denied},
		"another audience":         {"jwt", sign(t, rs, "k1", good, claims(jwt.MapClaims{"aud": "x"})), Denied},
		"no user":                  {"jwt", sign(t, rs, "k1", good, claims(jwt.MapClaims{"sub": nil})), Denied},
		"user that is no text":     {"jwt", sign(t, rs, "k1", good, claims(jwt.MapClaims{"sub": 7})), Denied},
		"another key":              {"jwt", sign(t, rs, "k1", other, claims(nil)), Denied},
		"unknown kid":              {"jwt", sign(t, rs, "k9", good, claims(nil)), Denied},
		"small key":                {"jwt", sign(t, rs, "small", small, claims(nil)), Denied},
		"alg none":                 {"jwt", sign(t, jwt.SigningMethodNone, "k1", jwt.UnsafeAllowNoneSignatureType, claims(nil)), Denied},
		"HS256 by the public key":  {"jwt", sign(t, jwt.SigningMethodHS256, "k1", public, claims(nil)), Denied},
		"RS512, not listed":        {"jwt", sign(t, jwt.SigningMethodRS512, "k1", good, claims(nil)), Denied},
		"too long":                 {"jwt", sign(t, rs, "k1", good, claims(jwt.MapClaims{"x": strings.Repeat("x", 9000)})), Denied},
		"tenant that is a list":    {"jwt", sign(t, rs, "k1", good, claims(jwt.MapClaims{"tenant": []string{"plant"}})), Denied},
		"ids that are a number":    {"jwt", sign(t, rs, "k1", good, claims(jwt.MapClaims{"ids": 7})), Denied},
		"an id that is a number":   {"jwt", sign(t, rs, "k1", good, claims(jwt.MapClaims{"ids": []any{"gw-*", 7}})), Denied},
		"roles that are an object": {"jwt", sign(t, rs, "k1", good, claims(jwt.MapClaims{"roles": map[string]bool{"a": true}})), Denied},
		"no token":                 {"joe", "secret", Unknown},
		"no token, but announced":  {"jwt", "secret", Denied},
		"nonsense":                 {"jwt", "eyJ.eyJ.x", Denied},
	} {
		cr := creds(c.user, c.token)
		a, err := j.Check(t.Context(), &cr)
		if err != nil || a.Verdict != c.want {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		if a.Verdict == Denied && a.Why != "token" {
			t.Errorf("%s: the log is told %q", name, a.Why)
		}
		if a.Verdict == Allowed && (a.User != "joe" || fmt.Sprint(a.Roles, a.Namespaces, a.ClientIDs) != "[a b] [plant] [gw-* x]" || !a.Expires.After(time.Now())) {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestSecurity_U14_KeysAndAlgorithmsMustFit(t *testing.T) {
	keys := URLKeySet("http://127.0.0.1:1/", nil)
	for name, c := range map[string]struct {
		o  JWTOptions
		ok bool
	}{
		"keys": {JWTOptions{Keys: keys}, true}, "secret": {JWTOptions{Secret: []byte("s")}, true}, "neither": {JWTOptions{}, false},
		"both": {JWTOptions{Keys: keys, Secret: []byte("s")}, false}, "HMAC with keys": {JWTOptions{Keys: keys, Algorithms: []string{"HS256"}}, false},
		"RSA with a secret": {JWTOptions{Secret: []byte("s"), Algorithms: []string{"RS256"}}, false}, "none": {JWTOptions{Keys: keys, Algorithms: []string{"none"}}, false},
		"unknown": {JWTOptions{Keys: keys, Algorithms: []string{"XY1"}}, false},
	} {
		if _, err := NewJWT(c.o); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAKeySetIsFetchedAndFetchedAgainForANewKey(t *testing.T) {
	first, second := rsaKey(t, 2048), rsaKey(t, 2048)
	var set atomic.Value
	set.Store(keySet(t, jwk("k1", &first.PublicKey)))
	var asked atomic.Int32
	var broken atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, set.Load())
	}))
	defer server.Close()
	keys := URLKeySet(server.URL, nil)
	j, err := NewJWT(JWTOptions{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	check := func(kid string, key *rsa.PrivateKey) (Verdict, error) {
		cr := creds("jwt", sign(t, jwt.SigningMethodRS256, kid, key, jwt.MapClaims{"sub": "joe", "exp": time.Now().Add(time.Hour).Unix()}))
		a, err := j.Check(t.Context(), &cr)
		return a.Verdict, err
	}
	broken.Store(true)
	if v, err := check("k1", first); v == Allowed || err == nil {
		t.Fatalf("without keys: %v, %v", v, err)
	}
	broken.Store(false)
	keys.tried = time.Time{} // half a minute later
	if v, err := check("k1", first); v != Allowed || err != nil {
		t.Fatalf("%v, %v", v, err)
	}
	if v, _ := check("k2", second); v != Denied {
		t.Fatalf("a key that is not there: %v", v)
	}
	if n := asked.Load(); n != 2 {
		t.Fatalf("asked %d times for a key that is not there", n)
	}
	set.Store(keySet(t, jwk("k2", &second.PublicKey)))
	keys.tried = time.Time{}
	if v, _ := check("k2", second); v != Allowed {
		t.Fatal("the new key is not seen")
	}
	broken.Store(true)
	keys.tried, keys.read = time.Time{}, time.Time{}
	if v, _ := check("k2", second); v != Allowed {
		t.Fatal("an old key is forgotten because the server is away")
	}
}

func TestES256(t *testing.T) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := k.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	set := keySet(t, map[string]string{"kty": "EC", "crv": "P-256", "kid": "e", "x": b64(point[1:33]), "y": b64(point[33:])})
	if err := os.WriteFile(path, []byte(set), 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := FileKeySet(path)
	if err != nil {
		t.Fatal(err)
	}
	j, err := NewJWT(JWTOptions{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	cr := creds("jwt", sign(t, jwt.SigningMethodES256, "e", k, jwt.MapClaims{"sub": "joe", "exp": time.Now().Add(time.Hour).Unix()}))
	if a, err := j.Check(t.Context(), &cr); err != nil || a.Verdict != Allowed {
		t.Errorf("%+v, %v", a, err)
	}
}

func FuzzToken(f *testing.F) {
	j, err := NewJWT(JWTOptions{Secret: []byte("secret of this test")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqb2UifQ.x")
	f.Add("eyJhbGciOiJub25lIn0.eyJzdWIiOiJqb2UifQ.")
	f.Fuzz(func(t *testing.T, token string) {
		cr := creds("jwt", token)
		if a, err := j.Check(t.Context(), &cr); err != nil || a.Verdict == Allowed {
			t.Fatalf("%q: %+v, %v", token, a, err)
		}
	})
}

// MQTT 5 lets a password come without a user name, and a token says itself whose it is.
func TestATokenNeedsNoUserName(t *testing.T) {
	j, err := NewJWT(JWTOptions{Secret: []byte("secret"), Roles: "roles"})
	if err != nil {
		t.Fatal(err)
	}
	token := sign(t, jwt.SigningMethodHS256, "", []byte("secret"), jwt.MapClaims{"sub": "joe", "exp": time.Now().Add(time.Hour).Unix(), "": "admin"})
	for name, c := range map[string]struct {
		backends []Backend
		listener Listener
		pass     string
		want     string // user; "" is refused
	}{
		"a token":                           {[]Backend{j}, Listener{}, token, "joe"},
		"a token, who shows nothing may in": {[]Backend{j}, Listener{Anonymous: true}, token, "joe"},
		"a wrong one there":                 {[]Backend{j}, Listener{Anonymous: true}, token + "x", ""},
		"a password alone":                  {[]Backend{j}, Listener{}, "secret", ""},
		"where nobody looks at tokens":      {[]Backend{&fake{name: "a"}}, Listener{}, token, ""},
		"where passwords do not count":      {[]Backend{j}, Listener{Kinds: []string{"cert"}}, token, ""},
	} {
		chain := NewChain(Options{Backends: c.backends, Listeners: map[string]Listener{"l": c.listener}})
		p, r := chain.Authenticate(t.Context(), creds("", c.pass))
		if (r == core.OK) != (c.want != "") || r == core.OK && (p.User != c.want || p.Roles != nil) {
			t.Errorf("%s: %+v, %v", name, p, r)
		}
	}
}

func TestWhatIsWrongWithAKeySetIsSaidInASentence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	if _, err := FileKeySet(path); err == nil || err.Error() != path+" cannot be read: there is no such file" {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("# no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := FileKeySet(path); err == nil || err.Error() != path+": it is no key set: JSON with a list of keys (RFC 7517)" {
		t.Error(err)
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	set := URLKeySet(gone.URL, nil)
	for range 2 { // the second is not tried, and says why all the same
		if _, err := set.Key(t.Context(), nil); !errors.Is(err, errUnreachable) || !strings.Contains(err.Error(), "connection refused") {
			t.Error(err)
		}
	}
}
