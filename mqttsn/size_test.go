package mqttsn

import (
	"testing"
	"unsafe"
)

// A client that has said no more than CONNECT is these two, what core keeps for
// its session, and its places in the tables.
func TestAClientIsSmall(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(peer{}); n > 208 {
		t.Errorf("%d bytes", n)
	} else {
		t.Logf("%d bytes", n)
	}
}
