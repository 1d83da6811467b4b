package disk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// afterPowerCut opens what a power cut now would leave of fs.
func afterPowerCut(t *testing.T, fs *vfs.MemFS) *Store {
	return mustOpen(t, "data", quiet(t, fs.CrashClone(vfs.CrashCloneCfg{})))
}

func holds(t *testing.T, s *Store, key string) bool {
	t.Helper()
	v, err := s.Get([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return v != nil
}

func TestDESIGN_7_SyncAlwaysLosesNothingAndSyncNeverIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for policy, want := range map[SyncPolicy]bool{SyncAlways: true, SyncNever: false} {
		fs := vfs.NewCrashableMem()
		o := quiet(t, fs)
		o.Sync = policy
		s := mustOpen(t, "data", o)
		if err := s.Write(one("a", "1"), true); err != nil {
			t.Fatal(err)
		}
		cut := afterPowerCut(t, fs)
		if holds(t, cut, "a") != want {
			t.Errorf("policy %d: the acknowledged write survives: %v", policy, !want)
		}
		if err := cut.Close(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		reopened := mustOpen(t, "data", quiet(t, fs))
		if !holds(t, reopened, "a") {
			t.Errorf("policy %d: lost by an orderly end", policy)
		}
		if err := reopened.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestDESIGN_7_SyncIntervalLosesNoMoreThanAnInterval(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	syncs := make(chan struct{}, 100)
	o := quiet(t, errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
			select {
			case syncs <- struct{}{}:
			default:
			}
		}
		return nil
	})))
	o.Sync, o.Interval = SyncInterval, time.Millisecond
	s := mustOpen(t, "data", o)
	for i := range 3 { // a sync that begins says that the one before has ended
		for len(syncs) > 0 {
			<-syncs
		}
		if err := s.Write(one(fmt.Sprint("key", i), "1"), true); err != nil {
			t.Fatal(err)
		}
		<-syncs
	}
	cut := afterPowerCut(t, fs)
	if !holds(t, cut, "key0") {
		t.Error("a write from before the last interval was lost")
	}
	if err := cut.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
