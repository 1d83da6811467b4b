package adapters

import (
	"net/netip"

	"github.com/entrepot/entrepot/core"
)

// Identity is who a connection belongs to, as logs tell it.
type Identity struct {
	Client    string          // client identifier; "" where there is none
	Principal *core.Principal // nil: nobody has logged in
	Version   string          // of the protocol; "" where there is one only
	Addr      netip.AddrPort  // of a datagram peer; the loop knows that of a stream
}

// Identified is a Driven that knows whose it is: from Handle.Connected on, and
// after its end too. The loop keeps nothing of it.
type Identified interface{ Identity() Identity }
