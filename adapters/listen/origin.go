package listen

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/entrepot/entrepot/adapters"
)

// origin is where the peer of a stream is. It takes less than a
// netip.AddrPort, which has room for a zone: of a connection there is none.
type origin struct {
	bytes [16]byte // of an address; of a Unix socket's peer its user
	port  uint16
	kind  originKind
}

type originKind uint8

const (
	unknownOrigin originKind = iota // a Unix socket whose peer the system does not tell
	unixUser
	ipv4
	ipv6
)

// originOf is where the peer is that info describes.
func originOf(info *adapters.Info) (o origin) {
	switch a := info.Remote.Addr(); {
	case a.Is4():
		o.kind, o.port = ipv4, info.Remote.Port()
		v4 := a.As4()
		copy(o.bytes[:], v4[:])
	case a.Is6():
		o.kind, o.port, o.bytes = ipv6, info.Remote.Port(), a.As16()
	case info.Unix != nil:
		o.kind = unixUser
		binary.NativeEndian.PutUint32(o.bytes[:], uint32(info.Unix.UID))
	}
	return o
}

// addr is the address; zero for Unix sockets.
func (o *origin) addr() netip.Addr {
	switch o.kind {
	case ipv4:
		return netip.AddrFrom4([4]byte(o.bytes[:4]))
	case ipv6:
		return netip.AddrFrom16(o.bytes)
	}
	return netip.Addr{}
}

// String is the peer as logs show it.
func (o *origin) String() string {
	if o.kind == unixUser {
		return "unix:uid=" + strconv.FormatUint(uint64(binary.NativeEndian.Uint32(o.bytes[:])), 10)
	}
	return addrText(netip.AddrPortFrom(o.addr(), o.port))
}
