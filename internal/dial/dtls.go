package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/pion/dtls/v3"
	dtlsnet "github.com/pion/dtls/v3/pkg/net"
)

// associate shakes hands by DTLS: with the pre-shared key if there is one, else with certificates. The client asks for a
// connection identifier, so that it may change its address (RFC 9146).
func (o Options) associate(ctx context.Context, addr string) (*dtls.Conn, error) {
	socket, err := new(net.Dialer).DialContext(ctx, "udp", addr)
	if err != nil {
		return nil, err
	}
	c, err := dtls.ClientWithOptions(dtlsnet.PacketConnFromConn(socket), socket.RemoteAddr(), o.dtls()...)
	if err != nil {
		socket.Close()
		return nil, &Error{Untrusted, err}
	}
	if err := c.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, o.dtlsError(ctx, err)
	}
	return c, nil
}

func (o Options) dtls() []dtls.ClientOption {
	list := []dtls.ClientOption{
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret),
		dtls.WithConnectionIDGenerator(dtls.OnlySendCIDGenerator()),
	}
	if o.PSK != nil {
		return append(list, dtls.WithPSK(func([]byte) ([]byte, error) { return o.PSK, nil }), dtls.WithPSKIdentityHint([]byte(o.PSKIdentity)),
			dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_GCM_SHA256, dtls.TLS_PSK_WITH_AES_128_CCM, dtls.TLS_PSK_WITH_AES_128_CCM_8))
	}
	c := o.TLS
	if c == nil {
		c = new(tls.Config)
	}
	list = append(list, dtls.WithServerName(c.ServerName), dtls.WithRootCAs(c.RootCAs), dtls.WithInsecureSkipVerify(c.InsecureSkipVerify))
	if len(c.Certificates) > 0 {
		list = append(list, dtls.WithCertificates(c.Certificates...))
	}
	return list
}

// dtlsError says in plain words why a handshake failed. Whoever has a wrong key gets no answer that it can read.
func (o Options) dtlsError(ctx context.Context, err error) error {
	if ctx.Err() != nil && o.PSK != nil {
		return &Error{Unreachable, errorText("no answer in time; a wrong identity or key looks like that too")}
	}
	var failed *dtls.HandshakeError
	if plain := tlsError(err); plain != nil {
		return &Error{Untrusted, plain}
	}
	var network *net.OpError
	if errors.As(err, &failed) && !errors.As(err, &network) && ctx.Err() == nil {
		return &Error{Untrusted, errorText("the server refused DTLS: " + failed.Unwrap().Error())}
	}
	return err
}
