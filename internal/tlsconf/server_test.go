package tlsconf

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

// file writes a file of a test.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// versionOne is what "openssl ca -gencrl" writes without crl_extensions and crlnumber.
const versionOne = `-----BEGIN X509 CRL-----
MIHDMGowCgYIKoZIzj0EAwIwEzERMA8GA1UEAwwIQ2xpZW50Q0EXDTI2MTEyOTIz
MTY0NloYDzIxMjYxMTA1MjMxNjQ2WjAnMCUCFGfBelV0MEkP8oj4IuK/ehlbMCyD
Fw0yNjExMjkyMzE2MTJaMAoGCCqGSM49BAMCA0kAMEYCIQDMWOtlxmohUxxW2B2I
fzSygqR0dIR3cgm8Xzum8DsXDgIhALfMKmGfSPz99cCuo7Yt69+u1IWUDGnkqJt4
u6wf0aM5
-----END X509 CRL-----
`

func TestTLS_C22_ProblemsNameTheirKeyAndFile(t *testing.T) {
	t.Parallel()
	ca, other := tlstest.New(t, "authority"), tlstest.New(t, "other")
	good, second, old := ca.Issue("good"), ca.Issue("second"), ca.Issue("old", tlstest.Expired)
	early := ca.Issue("early", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) })
	late := ca.Issue("late", tlstest.Ends(29*24*time.Hour))
	open := ca.Issue("open")
	if err := os.Chmod(open.Key, 0o644); err != nil {
		t.Fatal(err)
	}
	garbage := file(t, "garbage.pem", "nothing of ours")
	broken := file(t, "broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	secret := file(t, "secret.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	v1 := file(t, "v1.pem", versionOne)
	crl, overdue, foreign := ca.Revoke("crl.pem", time.Hour), ca.Revoke("old.pem", -time.Minute), other.Revoke("foreign.pem", time.Hour)
	forged := forge(t, ca)
	for _, c := range []struct {
		name string
		s    Server
		want string // "", or key: text; a ~ before it is a warning
	}{
		{"all is well", Server{Cert: good.Cert, Key: good.Key}, ""},
		{"with clients", Server{Cert: good.Cert, Key: good.Key, ClientCA: ca.File, ClientAuth: "optional", CRL: crl, MinVersion: "1.3"}, ""},
		{"list of another authority", Server{Cert: good.Cert, Key: good.Key, ClientCA: ca.File, CRL: foreign}, ""},
		{"no key", Server{Cert: good.Cert}, "key: key names no file"},
		{"no certificate", Server{Key: good.Key}, "cert: cert names no file"},
		{"missing certificate", Server{Cert: "/nowhere/c.pem", Key: good.Key}, "cert: /nowhere/c.pem cannot be read: there is no such file"},
		{"missing key", Server{Cert: good.Cert, Key: "/nowhere/k.pem"}, "key: /nowhere/k.pem cannot be read: there is no such file"},
		{"folder", Server{Cert: ca.Dir, Key: good.Key}, "cert: " + ca.Dir + " cannot be read: is a directory"},
		{"no PEM", Server{Cert: garbage, Key: good.Key}, "cert: " + garbage + " holds no certificate in PEM format"},
		{"broken PEM", Server{Cert: broken, Key: good.Key}, "cert: " + broken + ": certificate 1 cannot be read"},
		{"key for certificate", Server{Cert: good.Key, Key: good.Key}, "cert: " + good.Key + " holds no certificate"},
		{"certificate for key", Server{Cert: good.Cert, Key: good.Cert}, "key: " + good.Cert + " holds no private key"},
		{"key of another", Server{Cert: good.Cert, Key: second.Key}, "key: " + second.Key + " does not belong to the certificate in " + good.Cert},
		{"key with a passphrase", Server{Cert: good.Cert, Key: secret}, "key: " + secret + " is protected by a passphrase"},
		{"expired", Server{Cert: old.Cert, Key: old.Key}, "cert: " + old.Cert + " expired at "},
		{"not yet valid", Server{Cert: early.Cert, Key: early.Key}, "cert: " + early.Cert + " is not valid before "},
		{"ends soon", Server{Cert: late.Cert, Key: late.Key}, "~cert: " + late.Cert + " expires at "},
		{"key for everybody", Server{Cert: open.Cert, Key: open.Key}, "~key: " + open.Key + " can be read by every user of this machine (mode 0644)"},
		{"clients without authority", Server{Cert: good.Cert, Key: good.Key, ClientAuth: "require"}, "client_auth: client_auth is require, but client_ca names no authority"},
		{"authority that is none", Server{Cert: good.Cert, Key: good.Key, ClientCA: garbage}, "client_ca: " + garbage + " holds no certificate"},
		{"list without authority", Server{Cert: good.Cert, Key: good.Key, CRL: crl}, "crl: crl lists certificates of clients, but client_ca is not set"},
		{"list that is none", Server{Cert: good.Cert, Key: good.Key, ClientCA: ca.File, CRL: garbage}, "crl: " + garbage + " holds no revocation list"},
		{"list of version 1", Server{Cert: good.Cert, Key: good.Key, ClientCA: ca.File, CRL: v1}, "crl: " + v1 + " is a revocation list of version 1, and version 2 is needed"},
		{"list overdue", Server{Cert: good.Cert, Key: good.Key, ClientCA: ca.File, CRL: overdue}, "crl: " + overdue + ": the list of \"CN=authority\" was to be renewed"},
		{"list forged", Server{Cert: good.Cert, Key: good.Key, ClientCA: ca.File, CRL: forged}, "crl: " + forged + ": the list of \"CN=authority\" is not signed by it"},
	} {
		got := ""
		for _, p := range c.s.Check(time.Now()) {
			if p.Warning {
				got += "~"
			}
			got += p.Key + ": " + p.Message
		}
		if !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// forge writes a list in the name of an authority that did not sign it.
func forge(t *testing.T, of *tlstest.Authority) string {
	t.Helper()
	return tlstest.New(t, of.Cert.Subject.CommonName).Revoke("forged.pem", time.Hour)
}

func TestClient_ReadsItsFiles(t *testing.T) {
	t.Parallel()
	ca := tlstest.New(t, "authority")
	leaf := ca.Issue("client")
	c, err := Client{CAFile: ca.File, Cert: leaf.Cert, Key: leaf.Key, Name: "localhost", ALPN: []string{"mqtt"}}.Config()
	if err != nil || c.RootCAs == nil || len(c.Certificates) != 1 || c.InsecureSkipVerify || c.ServerName != "localhost" {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = (Client{Insecure: true}).Config(); err != nil || !c.InsecureSkipVerify || c.RootCAs != nil {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range []Client{{CAFile: "/nowhere"}, {Cert: leaf.Cert}, {Cert: leaf.Cert, Key: "/nowhere"}} {
		if _, err := bad.Config(); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}
