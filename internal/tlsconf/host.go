package tlsconf

import (
	"bytes"
	"crypto/x509"
	"errors"
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
	r.incomplete(s.Cert, chain)
	switch leaf.SignatureAlgorithm {
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.MD5WithRSA:
		r.warn("cert", "%s is signed with %s, which clients do not trust any more", s.Cert, leaf.SignatureAlgorithm)
	}
	return r.problems
}

// incomplete warns about a chain that ends before an authority which clients could know: the issuer of its last certificate
// is none of this system's, and says where it can be fetched, as intermediate ones do. A certificate of an authority of
// one's own says nothing of that kind.
func (r *report) incomplete(file string, chain []*x509.Certificate) {
	last := chain[len(chain)-1]
	if len(last.IssuingCertificateURL) == 0 || bytes.Equal(last.RawIssuer, last.RawSubject) {
		return
	}
	_, err := last.Verify(x509.VerifyOptions{CurrentTime: last.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		r.warn("cert", "%s: the certificate of %q is missing below, so that clients which do not have it cannot follow the chain", file, last.Issuer.String())
	}
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
