// Package tlstest makes certificate authorities, certificates and revocation lists for tests, in files of the test's own
// folder: nothing secret is ever committed. RFC 5280.
package tlstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority issues certificates.
type Authority struct {
	t    testing.TB
	Dir  string
	File string // its certificate
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey
	last int64
}

// New makes an authority, with its files in a folder of the test.
func New(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{t: t, Dir: t.TempDir(), last: 1}
	a.key = a.newKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	a.Cert = a.sign(template, template, &a.key.PublicKey)
	a.File = a.write(name+".pem", 0o644, &pem.Block{Type: "CERTIFICATE", Bytes: a.Cert.Raw})
	return a
}

func (a *Authority) newKey() *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.check(err)
	return key
}

func (a *Authority) check(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *Authority) sign(template, parent *x509.Certificate, pub any) *x509.Certificate {
	a.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, a.key)
	a.check(err)
	c, err := x509.ParseCertificate(der)
	a.check(err)
	return c
}

func (a *Authority) write(name string, mode os.FileMode, blocks ...*pem.Block) string {
	a.t.Helper()
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(b)...)
	}
	path := filepath.Join(a.Dir, name)
	a.check(os.WriteFile(path, text, mode))
	return path
}

// A Leaf is a certificate and its files.
type Leaf struct {
	Cert, Key string
	*x509.Certificate
}

// Issue makes a certificate for servers and clients alike: for localhost, 127.0.0.1 and ::1, valid for a year. The files
// are NAME.crt and NAME.key.
func (a *Authority) Issue(name string, change ...func(*x509.Certificate)) Leaf {
	a.t.Helper()
	a.last++
	key := a.newKey()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(a.last), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, f := range change {
		f(c)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	a.check(err)
	signed := a.sign(c, a.Cert, &key.PublicKey)
	return Leaf{
		Cert:        a.write(name+".crt", 0o644, &pem.Block{Type: "CERTIFICATE", Bytes: signed.Raw}),
		Key:         a.write(name+".key", 0o600, &pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		Certificate: signed,
	}
}

// URI gives a certificate a subject alternative name.
func URI(text string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		u, err := url.Parse(text)
		if err != nil {
			panic(err)
		}
		c.URIs = append(c.URIs, u)
	}
}

// Expired ends a certificate a minute ago.
func Expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }

// Ends gives a certificate so much time from now.
func Ends(d time.Duration) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotAfter = time.Now().Add(d) }
}

// Revoke writes the authority's revocation list as NAME, to be renewed after d.
func (a *Authority) Revoke(name string, d time.Duration, revoked ...Leaf) string {
	a.t.Helper()
	template := &x509.RevocationList{Number: big.NewInt(time.Now().UnixNano()), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(d)}
	for _, l := range revoked {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: l.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.Cert, a.key)
	a.check(err)
	return a.write(name, 0o644, &pem.Block{Type: "X509 CRL", Bytes: der})
}

// Pool trusts the authority.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.Cert)
	return p
}

// Pair is the leaf for crypto/tls.
func (l Leaf) Pair(t testing.TB) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(l.Cert, l.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}
