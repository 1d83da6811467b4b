package adapters

import (
	"net/netip"
	"slices"

	"github.com/entrepot/entrepot/core"
)

// Association is a peer of a datagram listener whose datagrams are encrypted
// and whose address is proven (DTLS, RFC 6347). One pointer is one handshake:
// a client that shakes hands anew is another association, also at the same
// address, and one whose address changes keeps its own (RFC 9146). Immutable.
type Association struct {
	Remote netip.AddrPort // at the handshake
	// PSKIdentity is the name of the key that the client has proven to hold;
	// "" when a certificate was used instead.
	PSKIdentity string
	// Certificate is the client's, verified; nil if it showed none.
	Certificate *Certificate
}

// Same tells that two associations prove the same identity, or none.
func (a *Association) Same(b *Association) bool {
	switch {
	case a == nil || b == nil:
		return a == b
	case a.PSKIdentity != b.PSKIdentity || (a.Certificate == nil) != (b.Certificate == nil):
		return false
	case a.Certificate == nil:
		return true
	}
	x, y := a.Certificate, b.Certificate // a renewed one has another serial number
	return x.CommonName == y.CommonName && x.Issuer == y.Issuer && slices.Equal(x.URIs, y.URIs) &&
		slices.Equal(x.DNSNames, y.DNSNames) && slices.Equal(x.Emails, y.Emails)
}

// Proves tells that the client has proven an identity; false for nil.
func (a *Association) Proves() bool { return a != nil && (a.PSKIdentity != "" || a.Certificate != nil) }

// Show puts what the association proves into credentials; nil adds nothing.
func (a *Association) Show(c *Credentials) {
	if a != nil {
		c.TLS, c.PSKIdentity, c.Certificate = true, a.PSKIdentity, a.Certificate
	}
}

// SecureEndpoint is an Endpoint that also serves associations. A listener has
// either plain datagrams or associations.
type SecureEndpoint interface {
	Endpoint
	// Secure is given one decrypted datagram. `in` is valid during the call
	// only. Answers are ended by Output.Secure.
	Secure(t *core.Turn, a *Association, in []byte, out *Output)
	// Gone is told that the association has ended; nothing can be sent to it.
	Gone(t *core.Turn, a *Association, r core.Reason, out *Output)
	// Idle reports that nothing would be lost if the association ended.
	Idle(a *Association) bool
}
