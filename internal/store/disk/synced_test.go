package disk

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestEachSyncOfTheLogIsTimed(t *testing.T) {
	t.Parallel()
	o := quiet(t, vfs.NewMem())
	var n atomic.Int32
	o.Synced = func(took time.Duration) {
		if took < 0 || took > time.Minute {
			t.Errorf("a sync took %v", took)
		}
		n.Add(1)
	}
	s := mustOpen(t, "data", o)
	before := n.Load()
	for i := range 10 {
		if err := s.Write(one("a", "b"), i%2 == 0); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.Load() - before; got < 5 || got > 10 {
		t.Errorf("%d syncs for 5 synced writes", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
