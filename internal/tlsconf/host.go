package tlsconf

import (
	"bytes"
	"crypto/x509"
	"net/netip"
)

// CheckHost reports, as warnings, what clients that connect to host would not trust: a certificate for other names, or
// a chain that does not lead from one certificate to the next. An empty host or the address of all interfaces is no name.
func (s Server) CheckHost(host string) []Problem {
	r := &report{}
	quiet := &report{} // Check reports what cannot be read
	chain := quiet.certificates("cert", s.Cert)
	if len(chain) == 0 {
		return nil
	}
	leaf := chain[0]
	if a, err := netip.ParseAddr(host); host != "" && (err != nil || !a.IsUnspecified()) && leaf.VerifyHostname(host) != nil {
		r.warn("cert", "%s is not for %q: its names are %s", s.Cert, host, names(leaf))
	}
	for i, c := range chain[1:] {
		if !bytes.Equal(chain[i].RawIssuer, c.RawSubject) || chain[i].CheckSignatureFrom(c) != nil {
			r.warn("cert", "%s: certificate %d did not issue the one before it, so the chain is broken", s.Cert, i+2)
		}
	}
	return r.problems
}

// names lists what a certificate is for.
func names(c *x509.Certificate) string {
	list := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	if len(list) == 0 {
		return "none"
	}
	text := list[0]
	for _, n := range list[1:] {
		text += ", " + n
	}
	return text
}
