package dial

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// secure is the TLS of one connection; nil for the schemes without.
func (o Options) secure() *tls.Config {
	if !o.Address.Scheme.TLS {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		c = o.TLS.Clone()
	}
	c.ServerName = o.Address.Host
	if o.Address.Scheme.Protocol == "mqtt" {
		c.NextProtos = []string{"mqtt"}
	}
	return c
}

// tlsError says in plain words why TLS failed; nil if something else did.
func tlsError(err error) error {
	var untrusted *tls.CertificateVerificationError
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.As(err, &name):
		return errorText("the server's certificate is for another name: " + name.Error())
	case errors.As(err, &authority):
		return errorText("the server's certificate comes from an authority that is not trusted here")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return errorText("the server's certificate has expired or is not valid yet")
	case errors.As(err, &untrusted):
		return errorText("the server's certificate cannot be trusted: " + untrusted.Err.Error())
	case errors.As(err, &record):
		return errorText("the server does not speak TLS there")
	case errors.As(err, &op) && op.Op == "remote error":
		return errorText("the server refused TLS: " + op.Err.Error())
	}
	return nil
}
