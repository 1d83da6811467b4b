package tlsconf

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"time"

	"github.com/entrepot/entrepot/internal/unreadable"
)

// read returns a file, or reports why not.
func (r *report) read(key, file string) []byte {
	b, err := os.ReadFile(file)
	if err != nil {
		r.fail(key, "%s cannot be read: %s", file, unreadable.Why(err))
		return nil
	}
	return b
}

// certificates reads all certificates of a PEM file.
func (r *report) certificates(key, file string) (list []*x509.Certificate) {
	b := r.read(key, file)
	if b == nil {
		return nil
	}
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			r.fail(key, "%s: certificate %d cannot be read: %s", file, len(list)+1, err)
			return nil
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		r.fail(key, "%s holds no certificate in PEM format", file)
	}
	return list
}

// pair reads a certificate with its chain, and the key that belongs to it.
func (r *report) pair(cert, key string) (pair tls.Certificate) {
	if cert == "" {
		r.fail("cert", "cert names no file")
	}
	if key == "" {
		r.fail("key", "key names no file")
	}
	if cert == "" || key == "" {
		return pair
	}
	chain := r.certificates("cert", cert)
	text := r.read("key", key)
	if text == nil || len(chain) == 0 {
		return pair
	}
	if !bytes.Contains(text, []byte("PRIVATE KEY-----")) {
		r.fail("key", "%s holds no private key in PEM format", key)
		return pair
	}
	if bytes.Contains(text, []byte("ENCRYPTED")) {
		r.fail("key", "%s is protected by a passphrase; write it without one", key)
		return pair
	}
	if info, err := os.Stat(key); err == nil && info.Mode().Perm()&0o007 != 0 {
		r.warn("key", "%s can be read by every user of this machine (mode %04o); make it 0600", key, info.Mode().Perm())
	}
	certText := r.read("cert", cert)
	pair, err := tls.X509KeyPair(certText, text)
	switch {
	case err == nil:
	case bytes.Contains([]byte(err.Error()), []byte("does not match")):
		r.fail("key", "%s does not belong to the certificate in %s", key, cert)
	default:
		r.fail("key", "%s cannot be used with %s: %s", key, cert, err)
	}
	return pair
}

// validity looks at the time and the strength of a certificate.
func (r *report) validity(file string, c *x509.Certificate, now time.Time) {
	switch {
	case c == nil:
		return
	case now.After(c.NotAfter):
		r.fail("cert", "%s expired at %s", file, c.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(c.NotBefore):
		r.fail("cert", "%s is not valid before %s", file, c.NotBefore.UTC().Format(time.RFC3339))
	case c.NotAfter.Sub(now) < soon:
		r.warn("cert", "%s expires at %s", file, c.NotAfter.UTC().Format(time.RFC3339))
		r.problems[len(r.problems)-1].Ending = true
	}
	if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < 2048 {
		r.warn("cert", "%s has an RSA key of %d bits; 2048 is the least that clients should trust", file, k.N.BitLen())
	}
}
