package listen

import (
	"net"
	"net/netip"
	"testing"
	"unsafe"

	"github.com/entrepot/entrepot/adapters"
)

func TestAnOriginIsWhatItWasMadeOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		info adapters.Info
		text string
	}{
		{adapters.Info{Remote: netip.MustParseAddrPort("192.0.2.7:65535")}, "192.0.2.7:65535"},
		{adapters.Info{Remote: netip.MustParseAddrPort("0.0.0.0:0")}, "0.0.0.0:0"},
		{adapters.Info{Remote: netip.MustParseAddrPort("[2001:db8::ff]:1883")}, "[2001:db8::ff]:1883"},
		{adapters.Info{Remote: netip.MustParseAddrPort("[::]:1")}, "[::]:1"},
		{adapters.Info{}, "unix"},
		{adapters.Info{Unix: &adapters.UnixPeer{UID: 0}}, "unix:uid=0"},
		{adapters.Info{Unix: &adapters.UnixPeer{UID: 4_000_000_000}}, "unix:uid=4000000000"},
		{adapters.Info{Remote: netip.MustParseAddrPort("192.0.2.7:1"), Unix: &adapters.UnixPeer{UID: 7}}, "192.0.2.7:1"}, // a proxy told it
	} {
		o := originOf(&c.info)
		if o.String() != c.text || o.addr() != c.info.Remote.Addr() {
			t.Errorf("%q at %v, want %q at %v", o.String(), o.addr(), c.text, c.info.Remote.Addr())
		}
	}
	if n := unsafe.Sizeof(origin{}); n > 20 {
		t.Errorf("%d bytes", n)
	}
}

// The gate counts a connection out at the address that its stream knows, which
// has no zone: so it is counted in without one.
func TestTheAddressOfAConnectionHasNoZone(t *testing.T) {
	t.Parallel()
	a := addrPort(&net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 1883, Zone: "lo"})
	o := originOf(&adapters.Info{Remote: a})
	if a != netip.MustParseAddrPort("[fe80::1]:1883") || o.addr() != a.Addr() {
		t.Errorf("%v counted in, %v out", a, o.addr())
	}
}
