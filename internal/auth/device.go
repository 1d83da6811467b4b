package auth

import (
	"net/netip"
	"slices"
	"strconv"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// Device lets peers that can show nothing be a user by where they come from and what they call themselves: an explicit
// weakening, for MQTT-SN and CoAP without DTLS. Address and client identifier must both match.
type Device struct {
	ClientID string // glob with *, matched whole
	From     []netip.Prefix
	User     string
}

// byPlace is the user that the listener's table names for a peer, or that its configuration names for QoS -1.
func (c *Chain) byPlace(cr *adapters.Credentials, l Listener) (*core.Principal, core.Reason) {
	name, entry := cr.Device, ""
	if name == "" {
		i := l.device(cr)
		if i < 0 {
			return nil, c.denied(cr, "not in the table of clients")
		}
		name, entry = l.Devices[i].User, strconv.Itoa(i)
	}
	u := c.options.Table.User(name)
	if u == nil {
		return nil, c.denied(cr, "nobody has the name that the listener gives it")
	}
	a := Answer{Verdict: Allowed, User: u.Name, Roles: u.Roles, ClientIDs: u.ClientIDs, Namespaces: u.Namespaces, Method: "device"}
	if entry != "" {
		a.Attrs = map[string]string{adapters.AttrEntry: entry}
	}
	return c.principal(cr, l, a)
}

// device is the first line that fits, -1 when none does.
func (l *Listener) device(cr *adapters.Credentials) int {
	addr, err := netip.ParseAddr(host(cr.Addr))
	if err != nil {
		return -1
	}
	addr = addr.Unmap()
	return slices.IndexFunc(l.Devices, func(d Device) bool {
		return matchGlob(d.ClientID, cr.ClientID) && slices.ContainsFunc(d.From, func(p netip.Prefix) bool { return p.Contains(addr) })
	})
}
