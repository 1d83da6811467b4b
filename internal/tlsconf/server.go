package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"
)

// Server names the files of a listener and says how it treats certificates of clients.
type Server struct {
	Cert, Key  string // PEM; the chain follows the certificate
	ClientCA   string // PEM; authorities of clients
	ClientAuth string // none, optional or require; "": require with ClientCA, none without
	MinVersion string // 1.2 or 1.3; "": 1.2
	CRL        string // PEM or DER; revoked certificates of clients
}

// A Problem is what is wrong with one key.
type Problem struct {
	Key     string // cert, key, client_ca, client_auth or crl
	Message string // one sentence with the file's name
	Warning bool   // TLS works all the same
	Ending  bool   // a warning: the certificate ends soon
}

// soon is how long before its end a certificate is warned about.
const soon = 30 * 24 * time.Hour

// material is what the files hold.
type material struct {
	pair  tls.Certificate
	auth  tls.ClientAuthType
	min   uint16
	roots *x509.CertPool
	lists lists // nil: no crl
}

// Check reads the files and reports all that is wrong with them now.
func (s Server) Check(now time.Time) []Problem {
	_, problems := s.load(now)
	return problems
}

func (s Server) load(now time.Time) (*material, []Problem) {
	r := &report{}
	m := &material{min: tls.VersionTLS12}
	if s.MinVersion == "1.3" {
		m.min = tls.VersionTLS13
	}
	m.pair = r.pair(s.Cert, s.Key)
	r.validity(s.Cert, m.pair.Leaf, now)
	auth := s.ClientAuth
	switch {
	case auth == "" && s.ClientCA != "":
		auth = "require"
	case s.ClientCA == "" && (auth == "optional" || auth == "require"):
		r.fail("client_auth", "client_auth is %s, but client_ca names no authority to verify against", auth)
	}
	switch auth {
	case "optional":
		m.auth = tls.VerifyClientCertIfGiven
	case "require":
		m.auth = tls.RequireAndVerifyClientCert
	}
	var authorities []*x509.Certificate
	if s.ClientCA != "" {
		authorities = r.certificates("client_ca", s.ClientCA)
		m.roots = x509.NewCertPool()
		for _, c := range authorities {
			m.roots.AddCert(c)
		}
	}
	if s.CRL != "" {
		if s.ClientCA == "" {
			r.fail("crl", "crl lists certificates of clients, but client_ca is not set")
		}
		m.lists = r.lists(s.CRL, authorities, now)
	}
	return m, r.problems
}

// report gathers problems.
type report struct{ problems []Problem }

func (r *report) fail(key, format string, args ...any) {
	r.problems = append(r.problems, Problem{Key: key, Message: fmt.Sprintf(format, args...)})
}

func (r *report) warn(key, format string, args ...any) {
	r.problems = append(r.problems, Problem{Key: key, Message: fmt.Sprintf(format, args...), Warning: true})
}

// failed tells whether something is worse than a warning, and what.
func failed(problems []Problem) (string, bool) {
	for _, p := range problems {
		if !p.Warning {
			return p.Message, true
		}
	}
	return "", false
}

// config is the configuration of the material. Clients that offer protocols by ALPN must offer one of alpn, if it has any.
func (m *material) config(alpn []string, now func() time.Time) *tls.Config {
	c := &tls.Config{
		Certificates: []tls.Certificate{m.pair}, MinVersion: m.min, NextProtos: alpn,
		ClientAuth: m.auth, ClientCAs: m.roots, Time: now,
	}
	if m.lists != nil {
		// Not VerifyPeerCertificate, which a resumed session passes by.
		c.VerifyConnection = func(s tls.ConnectionState) error { return m.lists.verify(s, now()) }
	}
	return c
}
