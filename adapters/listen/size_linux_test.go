package listen

import (
	"testing"
	"unsafe"
)

// An idle TCP connection is this object and nothing else of ours: no buffer,
// no goroutine.
func TestIdleConnectionIsSmall(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(rawConn{}); n > 144 {
		t.Errorf("%d bytes", n)
	} else {
		t.Logf("%d bytes", n)
	}
}
