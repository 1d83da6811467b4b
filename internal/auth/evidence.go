package auth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// Evidence that the transport has proved is stronger than what a peer says, and decides (U1): a certificate, then a
// pre-shared key.

var errContradiction = errors.New("the user name is not the one that was proved")

// proven is the name that the strongest evidence of the transport proves, "" when there is none.
func (c *Chain) proven(cr *adapters.Credentials, l *Listener) (name, method string, err error) {
	switch {
	case cr.Certificate != nil && l.counts("cert"):
		method = "cert"
		if c.options.CertUser == nil {
			return cr.Certificate.CommonName, method, nil
		}
		name, err = c.options.CertUser(cr.Certificate)
	case cr.PSKIdentity != "" && l.counts("psk"):
		name, method = cr.PSKIdentity, "psk"
	default:
		return "", "", nil
	}
	if err == nil && cr.HasUser && cr.User != name {
		err = errContradiction
	}
	if err == nil {
		err = CheckName(name)
	}
	return name, method, err
}

// byProof makes the principal of a proven name, which has to be a user's.
func (c *Chain) byProof(cr *adapters.Credentials, l Listener, name, method string, err error) (*core.Principal, core.Reason) {
	if err != nil {
		return nil, c.denied(cr, "name: "+err.Error())
	}
	u := c.options.Table.User(name)
	if u == nil {
		return nil, c.denied(cr, "nobody has the name of the "+method)
	}
	return c.principal(cr, l, Answer{Verdict: Allowed, User: u.Name, Roles: u.Roles, ClientIDs: u.ClientIDs, Namespaces: u.Namespaces, Method: method})
}

// CertRule takes the user's name out of a certificate: kind is san_uri, san_dns, san_email or cn; "" is the first SAN
// URI, else the common name. strip is cut off where the name begins with it; a name without it stays (U15).
func CertRule(kind, strip string) func(*adapters.Certificate) (string, error) {
	first := func(list []string) string {
		if len(list) == 0 {
			return ""
		}
		return list[0]
	}
	return func(c *adapters.Certificate) (name string, err error) {
		switch kind {
		case "san_uri":
			name = first(c.URIs)
		case "san_dns":
			name = first(c.DNSNames)
		case "san_email":
			name = first(c.Emails)
		case "cn":
			name = c.CommonName
		default:
			if name = first(c.URIs); name == "" {
				name = c.CommonName
			}
		}
		if name == "" {
			return "", fmt.Errorf("the certificate has no %s", strings.ReplaceAll(kind, "_", " "))
		}
		return strings.TrimPrefix(name, strip), nil
	}
}
