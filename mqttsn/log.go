package mqttsn

import (
	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

var _ adapters.Identified = (*peer)(nil)

// Identity is whose peer it is. The loop logs it; what it does to client ids
// and how often it writes is the log's affair, payloads are never logged (X9).
func (p *peer) Identity() adapters.Identity {
	return adapters.Identity{Client: p.id, Principal: p.principal, Addr: p.at.addr}
}

// denied logs a login that was refused.
func (e *endpoint) denied(p *peer, r core.Reason) { e.deniedAt(p.at, p.id, r.String()) }

func (e *endpoint) deniedAt(at origin, id, why string) {
	if log := e.room.host.Log; log != nil {
		log.Info("auth.denied", "protocol", Name, "listener", e.listener, "client", id, "addr", at.addr.String(), "reason", why)
	}
}
