package mqtt

import (
	"testing"
	"unsafe"
)

// An idle connection is this struct, its address and what core keeps for its
// session; buffers belong to the loop.
func TestAConnectionIsSmall(t *testing.T) {
	t.Parallel()
	if n := unsafe.Sizeof(conn{}); n > 128 {
		t.Errorf("%d bytes", n)
	}
}
