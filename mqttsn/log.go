package mqttsn

import (
	"log/slog"

	"github.com/entrepot/entrepot/adapters"
)

var _ adapters.Identified = (*peer)(nil)

// Identity is whose peer it is. The loop logs it; what it does to client ids
// and how often it writes is the log's affair, payloads are never logged (X9).
func (p *peer) Identity() adapters.Identity {
	return adapters.Identity{Client: p.id, Principal: p.principal, Addr: p.at().addr}
}

// denied logs a login that is refused here, without that anybody was asked who the client is.
func (e *endpoint) denied(at origin, id, why string) {
	c := adapters.Credentials{Protocol: Name, Listener: e.listener, Addr: at.addr.String(), ClientID: id}
	adapters.Denied(e.room.host.Log, slog.LevelInfo, &c, why)
}
