package listen

import (
	"testing"
	"unsafe"

	"github.com/entrepot/entrepot/adapters"
	"github.com/entrepot/entrepot/core"
)

// located is a peer of a room that knows where it is.
type located struct{ adapters.Driven }

func (located) PeerAddr() string { return "192.0.2.1:7" }

func TestAPeerIsWhereItsRoomSays(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]adapters.Driven{"192.0.2.1:7": located{}, "": struct{ adapters.Driven }{}} {
		h := new(endpoint).Handle(d)
		if a, ok := h.(core.Addressed); !ok || a.PeerAddr() != want {
			t.Errorf("%T is not at %q", d, want)
		}
	}
}

// A datagram peer is this object and what its room keeps.
func TestPeerIsSmall(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(peer{}); n > 96 {
		t.Errorf("%d bytes", n)
	} else {
		t.Logf("%d bytes", n)
	}
}
