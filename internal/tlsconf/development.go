package tlsconf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// developmentTime is how long certificates for trials are valid: the most that clients of TLS accept.
const developmentTime = 825 * 24 * time.Hour

// Development is an authority of its own and a certificate that it has issued, for trials: PEM, ECDSA P-256.
type Development struct{ CA, CAKey, Cert, Key []byte }

// NewDevelopment makes a certificate for hosts, which are names and addresses.
func NewDevelopment(hosts []string, now time.Time) (*Development, error) {
	ca := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "entrepot development CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(developmentTime - time.Hour),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: hosts[0]}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, h)
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	d := &Development{}
	if d.CA, d.CAKey, err = issue(ca, ca, caKey, caKey); err != nil {
		return nil, err
	}
	d.Cert, d.Key, err = issue(leaf, ca, key, caKey)
	return d, err
}

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails, says its documentation
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

// issue signs a certificate, and writes it and its key as PEM.
func issue(c, by *x509.Certificate, key, byKey *ecdsa.PrivateKey) (cert, private []byte, err error) {
	der, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, byKey)
	if err != nil {
		return nil, nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), nil
}
