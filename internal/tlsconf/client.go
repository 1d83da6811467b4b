package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// Client says whom a client trusts, and what it shows of itself.
type Client struct {
	CAFile    string // PEM; "": the system's authorities
	Cert, Key string // PEM; both or none
	Insecure  bool   // any certificate of the server is taken
	Name      string // that the certificate of the server must have
	ALPN      []string
}

// Config reads the files.
func (c Client) Config() (*tls.Config, error) {
	r := &report{}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.Name, InsecureSkipVerify: c.Insecure, NextProtos: c.ALPN}
	if c.CAFile != "" {
		out.RootCAs = x509.NewCertPool()
		for _, ca := range r.certificates("cafile", c.CAFile) {
			out.RootCAs.AddCert(ca)
		}
	}
	if c.Cert != "" || c.Key != "" {
		out.Certificates = []tls.Certificate{r.pair(c.Cert, c.Key)}
	}
	if text, bad := failed(r.problems); bad {
		return nil, errors.New(text)
	}
	return out, nil
}
