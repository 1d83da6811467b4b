package coap

import (
	"net/netip"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/adapters/limit"
	"github.com/entrepot/entrepot/core"
)

var _ adapters.SecureEndpoint = (*Endpoint)(nil)

// source is where a datagram came from: the key of a peer. Observations and
// tokens follow the association, not the address (O5).
type source struct {
	addr   netip.AddrPort        // of an association: at its handshake
	secure *adapters.Association // nil on listeners without DTLS
}

// end ends a datagram for the source.
func (s source) end(out *adapters.Output) {
	if s.secure != nil {
		out.Secure(s.secure)
		return
	}
	out.Datagram(s.addr)
}

// atFirst is what the source has to show before it gets large answers.
func (s source) atFirst(setting string) limit.Amplification {
	if s.secure != nil { // S1: DTLS has proven it
		setting = "off"
	}
	return proofOf(setting, s.addr.Addr())
}

// Secure takes one datagram of an association.
func (e *Endpoint) Secure(t *core.Turn, a *adapters.Association, in []byte, out *adapters.Output) {
	e.datagram(t, source{a.Remote, a}, in, out)
}

// Gone ends the peer of an association. CoAP has no goodbye of its own: the
// end of the association is one.
func (e *Endpoint) Gone(t *core.Turn, a *adapters.Association, r core.Reason, _ *adapters.Output) {
	if r == core.ConnectionLost {
		r = core.Normal
	}
	if p := e.peers[source{a.Remote, a}]; p != nil {
		p.forget(t, r)
		p.handle.Ended(r)
	}
}

// Idle tells that nobody uses an association.
func (e *Endpoint) Idle(a *adapters.Association) bool { return e.peers[source{a.Remote, a}] == nil }
