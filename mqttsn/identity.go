package mqttsn

import (
	"net/netip"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// elsewhere tells that p, whose login has just succeeded and who is connected as old already, came by another line of the
// listener's table of clients: the owner stays (SECURITY K3d).
func (p *peer) elsewhere(old *peer) bool {
	return p.principal != nil && old.principal != nil &&
		p.principal.Attrs[adapters.AttrEntry] != old.principal.Attrs[adapters.AttrEntry]
}

// follows tells whether a PINGREQ from another address may move the sleeping client there. It proves nothing but a
// name, so whoever the table of clients has named moves between the ports of one address only (SECURITY F6).
func (p *peer) follows(to netip.Addr) bool {
	return p.principal == nil || p.principal.User == core.Anonymous.User || p.at().addr.Addr().Unmap() == to.Unmap()
}
