package mqttsn

import (
	"testing"
	"unsafe"
)

// A client that has nothing under way is the first of these, what core keeps for
// its session, and its places in the tables.
func TestAClientIsSmall(t *testing.T) {
	t.Parallel()
	if p, x := unsafe.Sizeof(peer{}), unsafe.Sizeof(traffic{}); p > 208 || x > 144 {
		t.Errorf("%d and %d bytes", p, x)
	} else {
		t.Logf("%d and %d bytes", p, x)
	}
}
