package limit

import (
	"net/netip"

	"github.com/entrepot/entrepot/adapters"
)

// Refused counts and logs a datagram peer that a room turns away. key is what
// to raise if it should not have.
func Refused(h *adapters.Host, protocol, listener string, from netip.AddrPort, r Refusal, key string) {
	if h.Metrics != nil {
		h.Metrics.Counter("connects_total", protocol, "refused", string(r)).Add(1)
		h.Metrics.Counter("limit_refused_total", protocol, string(r)).Add(1)
	}
	if h.Log != nil {
		h.Log.Warn("limit.refused", "protocol", protocol, "listener", listener, "addr", from.String(), "limit", string(r), "key", key)
	}
}
