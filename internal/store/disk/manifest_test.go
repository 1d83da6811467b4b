package disk

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestSECURITY_O7_AListOfTablesThatCannotBeWrittenHoldsUpNoReader fails every
// change of the list while a scan is under way: pebble would end the process
// with a lock that the scan needs, and the store could not be closed.
func TestSECURITY_O7_AListOfTablesThatCannotBeWrittenHoldsUpNoReader(t *testing.T) {
	t.Parallel()
	for n := int64(1); ; n++ {
		var changed atomic.Int64
		disk, on := failing(vfs.NewMem(), func(op errorfs.Op) bool {
			return changesDisk(op) && (strings.Contains(op.Path, "/MANIFEST-") || strings.Contains(op.Path, "/marker.")) && changed.Add(1) == n
		})
		s := mustOpen(t, "data", quiet(t, disk))
		if err := s.Write(one("a", "1"), true); err != nil {
			t.Fatal(err)
		}
		failed := false
		scanned := make(chan struct{})
		go func() {
			defer close(scanned)
			for _, err := range s.Scan([]byte("a"), []byte("b")) {
				if err != nil {
					t.Error(err)
				}
				on.Store(true)
				flushed, err := s.db.AsyncFlush()
				if err != nil {
					t.Error(err)
				}
				select {
				case <-flushed:
				case <-s.files.parked:
					failed = true
				}
			}
		}()
		select {
		case <-scanned:
		case <-time.After(20 * time.Second):
			t.Fatalf("change %d: a scan waits for a lock that nobody gives back", n)
		}
		if err := s.Close(); errors.Is(err, ErrLeft) != failed {
			t.Errorf("change %d: Close: %v", n, err)
		}
		if !failed {
			if n < 3 {
				t.Errorf("only %d changes were seen", n-1)
			}
			return
		}
	}
}

// TestSECURITY_O7_AnOpenThatMakesNoTableFailsWithAnError fails every change of the
// disk on the way through a log that makes no table: pebble goes on to the list
// of tables in a goroutine of its own, and would end the process there.
func TestSECURITY_O7_AnOpenThatMakesNoTableFailsWithAnError(t *testing.T) {
	t.Parallel()
	before := vfs.NewCrashableMem()
	for range 2 { // the first log holds what a new store begins with
		s := mustOpen(t, "data", quiet(t, before))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for n := int64(1); ; n++ {
		disk := before.CrashClone(vfs.CrashCloneCfg{})
		var on atomic.Bool
		faulty, seen := fault{n, 1, errIO}.inject(disk, &on)
		on.Store(true)
		s, err := Open("data", quiet(t, faulty))
		if err == nil {
			_ = s.Close()
		} else if !errors.Is(err, errIO) {
			t.Errorf("change %d: %v", n, err)
		}
		if err := mustOpen(t, "data", quiet(t, disk)).Close(); err != nil {
			t.Fatal(err)
		}
		if seen.Load() < n {
			if n < 6 {
				t.Errorf("only %d changes were seen", n-1)
			}
			return
		}
	}
}
