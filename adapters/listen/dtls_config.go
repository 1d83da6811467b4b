package listen

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"reflect"

	"github.com/pion/dtls/v3"
)

// Suites that are offered, where there is a certificate and where there are
// keys. All of them authenticate what they encrypt.
var (
	certificateSuites = []dtls.CipherSuiteID{
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		dtls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, dtls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM, dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8,
	}
	keySuites = []dtls.CipherSuiteID{
		dtls.TLS_PSK_WITH_AES_128_GCM_SHA256, dtls.TLS_PSK_WITH_AES_128_CCM, dtls.TLS_PSK_WITH_AES_128_CCM_8, dtls.TLS_PSK_WITH_AES_256_CCM_8,
	}
)

// checkDTLS tells what the terms of a DTLS listener lack.
func (t *terms) checkDTLS(name string) error {
	switch {
	case t.tls == nil && t.PSK == nil:
		return fmt.Errorf("%s: DTLS needs keys of its clients, or a certificate and a key", name)
	case !cookieKnown:
		return fmt.Errorf("%s: this version of the DTLS engine hides its cookie", name)
	}
	return nil
}

// options are those of one handshake, with the certificates of now.
func (a *association) options() ([]dtls.ServerOption, error) {
	o := []dtls.ServerOption{
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret), // RFC 7627
		dtls.WithConnectionIDGenerator(a.newCID),
	}
	var suites []dtls.CipherSuiteID
	now := a.d.l.terms.Load()
	if now.tls != nil {
		c := now.tls
		if c.GetConfigForClient != nil {
			var err error
			if c, err = c.GetConfigForClient(&tls.ClientHelloInfo{}); err != nil {
				return nil, err
			}
		}
		suites = append(suites, certificateSuites...)
		o = append(o, certificateOptions(c)...)
	}
	if now.PSK != nil {
		suites = append(suites, keySuites...)
		o = append(o, dtls.WithPSK(now.key))
	}
	return append(o, dtls.WithCipherSuites(suites...)), nil
}

func certificateOptions(c *tls.Config) []dtls.ServerOption {
	o := []dtls.ServerOption{dtls.WithCertificates(c.Certificates...)}
	switch c.ClientAuth {
	case tls.NoClientCert:
		return o
	case tls.RequireAndVerifyClientCert:
		o = append(o, dtls.WithClientAuth(dtls.RequireAndVerifyClientCert))
	default:
		o = append(o, dtls.WithClientAuth(dtls.VerifyClientCertIfGiven))
	}
	o = append(o, dtls.WithClientCAs(c.ClientCAs))
	if c.VerifyConnection != nil { // revocation (U15); there is no resumption that would pass it by
		o = append(o, dtls.WithVerifyPeerCertificate(func(_ [][]byte, chains [][]*x509.Certificate) error {
			if len(chains) == 0 {
				return errors.New("certificate of the client was not verified")
			}
			return c.VerifyConnection(tls.ConnectionState{PeerCertificates: chains[0], VerifiedChains: chains})
		}))
	}
	return o
}

// key finds the key of an identity. Without one the handshake goes on with a
// random key, so that neither time nor alert tells (U16).
func (t *terms) key(identity []byte) ([]byte, error) {
	random := make([]byte, 16)
	rand.Read(random)
	if key, ok := t.PSK(string(identity)); ok {
		return key, nil
	}
	return random, nil
}

// cookieKnown tells that setCookie works with this version of the engine.
var cookieKnown = setCookie(new(dtls.Conn), nil) == nil

// setCookie replaces the cookie that the engine has drawn at random by the one
// that the client has shown already. The engine has no option for it, and its
// own way would keep a connection with its goroutines for each ClientHello of
// an address that is not proven (K2a).
func setCookie(c *dtls.Conn, cookie []byte) error {
	v := reflect.ValueOf(c).Elem().FieldByName("state")
	if v.Kind() == reflect.Struct {
		v = v.FieldByName("cookie")
	}
	if !v.IsValid() || v.Type() != reflect.TypeFor[[]byte]() || copy(v.Bytes(), cookie) != len(cookie) {
		return errors.New("the engine's cookie cannot be set")
	}
	return nil
}
