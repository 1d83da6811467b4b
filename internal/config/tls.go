package config

import (
	"fmt"
	"time"

	"github.com/entrepot/entrepot/internal/tlsconf"
)

// TLS is the key `tls` of a listener. SECURITY S15, U15
type TLS struct {
	// Cert is the PEM file of the certificate, followed by those that lead to its authority.
	Cert File `yaml:"cert"`
	// Key is the PEM file of its private key.
	Key File `yaml:"key"`
	// ClientCA is the PEM file of the authorities that certificates of clients are verified against.
	ClientCA File `yaml:"client_ca"`
	// ClientAuth is whether a client shows a certificate: none, optional or require. The default is require with client_ca and none without.
	ClientAuth string `yaml:"client_auth" enum:"none,optional,require"`
	// MinVersion is the oldest version of TLS: 1.2 or 1.3. The default is 1.2.
	MinVersion string `yaml:"min_version" enum:"1.2,1.3"`
	// CRL is the file of revoked certificates of clients, PEM or DER, signed by their authority. The default is auth.cert.crl.
	CRL File `yaml:"crl"`
}

// Server names the files of the key.
func (t *TLS) Server() tlsconf.Server {
	return tlsconf.Server{Cert: string(t.Cert), Key: string(t.Key), ClientCA: string(t.ClientCA),
		ClientAuth: t.ClientAuth, MinVersion: t.MinVersion, CRL: string(t.CRL)}
}

// revoked is the file of revoked certificates of clients that a section names for listeners without one of their own.
func (s schema) revoked() File {
	for _, section := range s.sections {
		if r, ok := section.(interface{ Revoked() File }); ok {
			return r.Revoked()
		}
	}
	return ""
}

// checkTLS reads the files of a listener's TLS, so that a start fails before anything is bound.
func checkTLS(d *decoder, l *Listener, n *node, at origin, path string) {
	key, scheme := n.child("tls"), l.Address.Scheme
	switch {
	case l.TLS == nil && !scheme.TLS:
		return
	case l.TLS == nil && scheme.DTLS():
		if l.PSK == "" {
			d.fail(at, CodeTLS, path, fmt.Sprintf("%s needs keys of its clients, or a certificate", l.URL)).Hint = "write psk: devices.psk, or tls: {cert: server.pem, key: server.key}, or both beside the url"
		}
		return
	case l.TLS == nil:
		d.fail(at, CodeTLS, path, fmt.Sprintf("%s needs a certificate", l.URL)).Hint = "write tls: {cert: server.pem, key: server.key} beside the url"
		return
	case !scheme.TLS:
		p := d.fail(key.at, CodeTLS, path+".tls", fmt.Sprintf("%s:// is not encrypted by TLS, so tls would be ignored", scheme.Name))
		for _, s := range Schemes {
			if s.Protocol == scheme.Protocol && s.Network == scheme.Network && s.TLS {
				p.Hint = "write " + s.Name + ":// for it"
			}
		}
		return
	case scheme.DTLS() && l.TLS.MinVersion == "1.3":
		d.fail(key.child("min_version").at, CodeTLS, path+".tls.min_version", path+".tls.min_version: DTLS is version 1.2").Hint = "leave min_version out"
	}
	for _, f := range l.TLS.Server().Check(time.Now()) {
		place := key.at
		if child := key.child(f.Key); child != nil {
			place = child.at
		}
		code := CodeTLS
		if f.Ending {
			code = CodeExpiring
		}
		d.fail(place, code, path+".tls."+f.Key, path+".tls: "+f.Message).Warning = f.Warning
	}
}
