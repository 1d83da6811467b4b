package listen

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
)

// The header of the PROXY protocol comes before TLS and before HTTP.
//
//	1: PROXY TCP4 192.0.2.1 192.0.2.2 56324 1883 CR LF    at most 107 bytes
//	2: signature (12) | version 2, command | family, transport | length (2) | addresses | TLVs
const (
	proxyFirst = 12  // bytes that tell the versions apart; no header is shorter
	proxyFixed = 16  // of version 2
	proxyLine  = 107 // of version 1
	proxyMost  = 536 // U17
	maxName    = 1024
)

var (
	errNoProxy     = errors.New("not from an address of proxy_protocol.from")
	errProxyHeader = errors.New("no PROXY header")
	errProxyLength = fmt.Errorf("PROXY header of more than %d bytes", proxyMost)
	errProxyCRC    = errors.New("PROXY header with a wrong checksum")
	errProxyFamily = errors.New("PROXY header of a datagram")
	errProxyName   = errors.New("PROXY header with a certificate name that is no user name")
)

// proxied is what a header told.
type proxied struct {
	socket      netip.Addr // of the proxy
	certificate *adapters.Certificate
}

func (t *terms) fromProxy(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(t.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// proxyHeader reads the header and makes its source the peer, whom limits,
// logs and the room know from now on (MH5); false: the connection was refused.
func (a *arrival) proxyHeader() bool {
	text, err := readProxyHeader(a)
	if err == nil {
		err = a.learn(text)
	}
	switch {
	case errors.Is(err, errProxyName): // A6c
		a.l.counts.nameRefused()
		a.l.server.events.denied(a.l.counts, a.remote, "name")
		return false
	case err != nil:
		a.failed("proxy", err)
		return false
	}
	r := a.l.server.gate.Locate(a.remote.Addr(), a.l.server.clock.Now())
	if r != limit.Admitted {
		a.l.counts.refused(r)
		a.l.server.events.refused(a.l.counts, a.remote, r)
		return false
	}
	a.counted = a.remote.Addr()
	return true
}

// readProxyHeader reads the header and nothing of what follows.
func readProxyHeader(r io.Reader) ([]byte, error) {
	head := make([]byte, proxyFirst, proxyMost)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	switch {
	case bytes.Equal(head, proxyproto.SIGV2):
		head = head[:proxyFixed]
		if _, err := io.ReadFull(r, head[proxyFirst:]); err != nil {
			return nil, err
		}
		n := proxyFixed + int(binary.BigEndian.Uint16(head[14:]))
		if n > proxyMost {
			return nil, errProxyLength
		}
		head = head[:n]
		_, err := io.ReadFull(r, head[proxyFixed:])
		return head, err
	case bytes.HasPrefix(head, []byte("PROXY ")):
		for head[len(head)-1] != '\n' {
			if len(head) == proxyLine {
				return nil, errProxyLength
			}
			n := len(head)
			head = head[:n+1]
			if _, err := io.ReadFull(r, head[n:]); err != nil {
				return nil, err
			}
		}
		return head, nil
	}
	return nil, errProxyHeader
}

// learn takes what a header tells: the source, and the name of a verified
// certificate. A command LOCAL, an unknown family and a Unix socket at the
// proxy keep the socket's addresses.
func (a *arrival) learn(text []byte) error {
	if len(text) >= proxyFixed && text[12] == 0x21 && text[13] == 0 {
		text[12] = 0x20 // PROXY of an unspecified family: "use the real endpoint addresses" (2.2)
	}
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(text), proxyMost))
	if err != nil {
		return err
	}
	tlvs, err := h.TLVs()
	if err != nil {
		return err
	}
	if h.Version == 2 && !checksum(text, h.TransportProtocol) {
		return errProxyCRC
	}
	if h.Command.IsLocal() {
		return nil
	}
	if h.TransportProtocol.IsDatagram() {
		return errProxyFamily
	}
	c, err := proxiedCertificate(tlvs)
	if err != nil && err != errProxyName {
		return err
	}
	a.proxied = &proxied{socket: a.remote.Addr(), certificate: c}
	if source, target, ok := h.TCPAddrs(); ok {
		a.remote, a.local = addrPort(source), addrPort(target)
	}
	return err
}

// checksum verifies the CRC-32C of a header, if it carries one (2.2.3).
func checksum(text []byte, family proxyproto.AddressFamilyAndProtocol) bool {
	at := proxyFixed
	switch {
	case family.IsIPv4():
		at += 12
	case family.IsIPv6():
		at += 36
	case family.IsUnix():
		at += 216
	}
	for at+3 <= len(text) {
		n := int(binary.BigEndian.Uint16(text[at+1:]))
		value := text[at+3 : min(at+3+n, len(text))]
		if proxyproto.PP2Type(text[at]) == proxyproto.PP2_TYPE_CRC32C {
			if len(value) != 4 {
				return false
			}
			want := binary.BigEndian.Uint32(value)
			clear(value)
			return crc32.Checksum(text, crc32.MakeTable(crc32.Castagnoli)) == want
		}
		at += 3 + n
	}
	return true
}

// proxiedCertificate is what the proxy verified; nil if it verified nothing.
func proxiedCertificate(tlvs []proxyproto.TLV) (*adapters.Certificate, error) {
	for _, t := range tlvs {
		if t.Type != proxyproto.PP2_TYPE_SSL {
			continue
		}
		ssl, err := tlvparse.SSL(t)
		if err != nil {
			return nil, err
		}
		name, ok := ssl.ClientCN()
		if !ok || !ssl.ClientCertConn() && !ssl.ClientCertSess() || !ssl.Verified() {
			return nil, nil
		}
		if !userName(name) {
			return nil, errProxyName
		}
		return &adapters.Certificate{CommonName: name, Proxied: true}, nil
	}
	return nil, nil
}

// userName reports whether a name may be that of a user (U7).
func userName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == '+' || r == '#' })
}
