package adapters

import (
	"crypto/x509"
	"fmt"
)

// Certificate is what a verified certificate says of the client that showed
// it. The chain leads to an authority of the listener's client_ca; or the
// listener's proxy has verified it, and then Proxied is set and the common
// name is all there is (PROXY protocol, 2.2.6).
type Certificate struct {
	CommonName string
	URIs       []string // subject alternative names
	DNSNames   []string
	Emails     []string
	Serial     string // of the issuer, in decimal digits
	Issuer     string // its distinguished name
	Proxied    bool
}

// NewCertificate describes the leaf of a verified chain.
func NewCertificate(c *x509.Certificate) *Certificate {
	out := &Certificate{CommonName: c.Subject.CommonName, DNSNames: c.DNSNames, Emails: c.EmailAddresses,
		Serial: c.SerialNumber.String(), Issuer: c.Issuer.String()}
	for _, u := range c.URIs {
		out.URIs = append(out.URIs, u.String())
	}
	return out
}

// UnixPeer is the process at the other end of a Unix socket, as the kernel
// tells it.
type UnixPeer struct{ UID, GID, PID int }

// Addr is the peer as logs and lists show it.
func (i *Info) Addr() string {
	switch {
	case i.Remote.IsValid():
		return i.Remote.String()
	case i.Unix != nil:
		return fmt.Sprintf("unix:uid=%d", i.Unix.UID)
	}
	return "unix"
}
