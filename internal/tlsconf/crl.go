package tlsconf

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"time"
)

// list is one revocation list. RFC 5280, section 5.
type list struct {
	*x509.RevocationList
	serials map[string]bool
}

type lists []*list

// lists reads the revocation lists of a file: PEM, or one in DER.
func (r *report) lists(file string, authorities []*x509.Certificate, now time.Time) (all lists) {
	b := r.read("crl", file)
	if b == nil {
		return nil
	}
	ders := [][]byte{}
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "X509 CRL" {
			ders = append(ders, block.Bytes)
		}
	}
	if len(ders) == 0 {
		ders = append(ders, b)
	}
	for _, der := range ders {
		l, err := x509.ParseRevocationList(der)
		if err != nil && oldList(der) {
			r.fail("crl", "%s is a revocation list of version 1, and version 2 is needed (openssl writes it where crl_extensions is set)", file)
			return nil
		}
		if err != nil {
			r.fail("crl", "%s holds no revocation list that can be read", file)
			return nil
		}
		for _, c := range authorities {
			if bytes.Equal(c.RawSubject, l.RawIssuer) && l.CheckSignatureFrom(c) != nil {
				r.fail("crl", "%s: the list of %q is not signed by it", file, l.Issuer.String())
			}
		}
		if !l.NextUpdate.IsZero() && now.After(l.NextUpdate) {
			r.fail("crl", "%s: the list of %q was to be renewed at %s", file, l.Issuer.String(), l.NextUpdate.UTC().Format(time.RFC3339))
		}
		one := &list{l, map[string]bool{}}
		for _, e := range l.RevokedCertificateEntries {
			one.serials[e.SerialNumber.String()] = true
		}
		all = append(all, one)
	}
	return all
}

// verify accepts a client one of whose chains is not revoked. It fails closed: the authority that issued the client's
// certificate must have a list, signed and not overdue.
func (ls lists) verify(s tls.ConnectionState, now time.Time) error {
	if len(s.PeerCertificates) == 0 {
		return nil
	}
	err := fmt.Errorf("certificate of the client was not verified")
	for _, chain := range s.VerifiedChains {
		if err = ls.chain(chain, now); err == nil {
			return nil
		}
	}
	return err
}

func (ls lists) chain(chain []*x509.Certificate, now time.Time) error {
	for i, c := range chain[:max(len(chain)-1, 0)] {
		listed := false
		for _, l := range ls {
			if !bytes.Equal(l.RawIssuer, chain[i+1].RawSubject) || l.CheckSignatureFrom(chain[i+1]) != nil {
				continue
			}
			if !l.NextUpdate.IsZero() && now.After(l.NextUpdate) {
				return fmt.Errorf("the revocation list of %q is overdue", l.Issuer.String())
			}
			if l.serials[c.SerialNumber.String()] {
				return fmt.Errorf("certificate %q is revoked", c.Subject.String())
			}
			listed = true
		}
		if i == 0 && !listed {
			return fmt.Errorf("no revocation list of %q", chain[i+1].Subject.String())
		}
	}
	return nil
}

// oldList tells that a list has no version, which makes it one of version 1. RFC 5280, section 5.1.2.1
func oldList(der []byte) bool {
	var list struct { // the beginning of a CertificateList
		ToBeSigned struct {
			Version   int `asn1:"optional,default:0"`
			Signature pkix.AlgorithmIdentifier
		}
	}
	_, err := asn1.Unmarshal(der, &list)
	return err == nil && list.ToBeSigned.Version == 0
}
