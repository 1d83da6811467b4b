package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"

	"github.com/entrepot/entrepot/adapters"
)

// handshakeBytes is the least allowance of a handshake, whose certificates and
// key shares are none of the room's bytes (A5b).
const handshakeBytes = 64 << 10

// handshake is the TLS of a connection, within its deadline and allowance.
func (a *arrival) handshake() (*tls.Conn, error) {
	a.left.Store(max(int64(a.l.limits().PreauthBytes), handshakeBytes))
	tc := tls.Server(a, a.terms.tls)
	if err := tc.HandshakeContext(context.Background()); err != nil {
		return nil, err
	}
	shed(tc)
	return tc, nil
}

// certificate is what the client showed, if its chain was verified: by us, or
// else by the proxy.
func certificate(tc *tls.Conn, proxied *adapters.Certificate) *adapters.Certificate {
	s := tc.ConnectionState()
	if len(s.VerifiedChains) == 0 || len(s.PeerCertificates) == 0 {
		return proxied
	}
	return adapters.NewCertificate(s.PeerCertificates[0])
}

// brokenTLS tells whether an error of reading is TLS's own and not the
// network's: records that are none, alerts, or too many that carry nothing.
func brokenTLS(err error) bool {
	var alert tls.AlertError
	var record tls.RecordHeaderError
	var network *net.OpError
	switch {
	case errors.As(err, &alert), errors.As(err, &record):
		return true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return false
	case errors.As(err, &network):
		return network.Op == "remote error" || network.Op == "local error"
	}
	return len(err.Error()) > 5 && err.Error()[:5] == "tls: "
}
