package mqttsn

import (
	"net/netip"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/mqttsn/packet"
)

// forwarded takes a datagram of a forwarder (section 5.5): the node behind it
// is the peer.
func (e *endpoint) forwarded(t *core.Turn, from origin, in []byte, out *adapters.Output) {
	e.metrics.packet(adapters.In, packet.FRWDENCAP)
	if !e.isForwarder(from.addr.Addr()) { // F5
		e.drop("forwarder")
		return
	}
	f, err := packet.ParseForward(in)
	if err == nil && len(f.Node) == 0 {
		err = packet.ErrForwarder // such a node could not be told from the forwarder itself
	}
	if err != nil { // F3
		e.metrics.malformed(err)
		return
	}
	from.node = string(f.Node)
	e.input(t, from, f.Inner, out)
}

func (e *endpoint) isForwarder(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range e.room.forwarders {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
