package disk

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/storetest"
)

func TestLastingIsAStore(t *testing.T) {
	t.Parallel()
	storetest.RunDurable(t, func(t testing.TB) func() core.Store {
		fs := vfs.NewMem()
		return func() core.Store { return mustLast(t, quiet(t, fs)) }
	})
}

func mustLast(t testing.TB, o Options) *Lasting {
	t.Helper()
	o.Patience = Patience{First: time.Millisecond, Most: 10 * time.Millisecond, Tries: 50, Calm: time.Minute, Grace: 100 * time.Millisecond}
	l, err := OpenLasting("data", o)
	if err != nil {
		t.Fatalf("OpenLasting: %v", err)
	}
	return l
}

// changesDisk tells that an operation changes the disk.
func changesDisk(op errorfs.Op) bool {
	switch op.Kind {
	case errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpRename, errorfs.OpFileWrite, errorfs.OpFileWriteAt,
		errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo:
		return true
	}
	return false
}

// fault fails changes of the disk from the first on, so many of them.
type fault struct {
	first, many int64
	err         error
}

// inject makes a disk that fails so; seen counts its changes, once on is set.
func (f fault) inject(under vfs.FS, on *atomic.Bool) (disk vfs.FS, seen *atomic.Int64) {
	seen = new(atomic.Int64)
	return errorfs.Wrap(under, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !on.Load() || !changesDisk(op) {
			return nil
		}
		if n := seen.Add(1); n >= f.first && n < f.first+f.many {
			return f.err
		}
		return nil
	})), seen
}

// TestSECURITY_O6_O7_R1_WhateverFailsNothingAcknowledgedIsLostOrDoubled fails
// every change of the disk in a short life, once, several in a row, and for want
// of space. Each write is answered, and after a power cut the store is what was
// written, in order.
func TestSECURITY_O6_O7_R1_WhateverFailsNothingAcknowledgedIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		many int64
		err  error
		sync SyncPolicy
	}{
		{"EIO once", 1, syscall.EIO, SyncAlways}, {"EIO for a while", 9, syscall.EIO, SyncAlways}, {"no descriptors for a while", 5, syscall.EMFILE, SyncAlways}, {"full for a while", 60, syscall.ENOSPC, SyncAlways},
		{"EIO once, synced in intervals", 1, syscall.EIO, SyncInterval}, {"full, never synced", 30, syscall.ENOSPC, SyncNever},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for k := int64(1); ; k++ {
				if !liveThrough(t, fault{k, c.many, c.err}, c.sync) {
					t.Logf("%d changes", k-1)
					if k < 6 {
						t.Errorf("only %d changes of the disk were seen", k-1)
					}
					return
				}
			}
		})
	}
}

// liveThrough tells whether the fault came up.
func liveThrough(t *testing.T, f fault, policy SyncPolicy) bool {
	t.Helper()
	fs := vfs.NewCrashableMem()
	var on atomic.Bool
	disk, seen := f.inject(fs, &on)
	o := quiet(t, disk)
	o.Memtable, o.Sync, o.Interval = 64<<10, policy, time.Millisecond
	var mu sync.Mutex
	var told []core.Reason
	l := mustLast(t, o)
	l.OnOutage(func(r core.Reason) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, r)
	})
	on.Store(true)
	r := rand.New(rand.NewPCG(uint64(f.first), 1))
	m := storetest.Model{}
	for i := range 12 {
		b := storetest.Random(r, m)
		key, value := fmt.Sprintf("z%02d", i), strings.Repeat("x", r.IntN(20_000))
		m[key] = value
		b.Set([]byte(key), []byte(value))
		sync := i%3 == 2
		if err := l.Write([]*core.Batch{b}, sync); err != nil {
			t.Fatalf("fault at %d: write %d: %v", f.first, i, err)
		}
		if sync && policy == SyncAlways {
			check(t, f, fs.CrashClone(vfs.CrashCloneCfg{}), m)
		}
	}
	hit := seen.Load() >= f.first
	on.Store(false)
	if err := l.Close(); err != nil && !hit {
		t.Fatalf("fault at %d: close: %v", f.first, err)
	}
	check(t, f, fs, m)
	mu.Lock()
	defer mu.Unlock()
	if len(told) > 1 && told[1] != reason(f.err) {
		t.Errorf("fault at %d: told %v", f.first, told)
	}
	return hit
}

func check(t *testing.T, f fault, fs vfs.FS, m storetest.Model) {
	t.Helper()
	s, err := Open("data", quiet(t, fs))
	if err != nil {
		t.Fatalf("fault at %d: opening anew: %v", f.first, err)
	}
	defer s.Close()
	got := storetest.Model{}
	for rec, err := range s.Scan([]byte("\x00"), []byte("\xff")) {
		if err != nil {
			t.Fatal(err)
		}
		got[string(rec.Key)] = string(rec.Value)
	}
	if fmt.Sprint(got) != fmt.Sprint(m) {
		t.Fatalf("fault at %d: the store holds %d records, %d were written, and they differ", f.first, len(got), len(m))
	}
}

// TestSECURITY_O7_ADiskThatStaysBrokenEndsTheStore: the tries are bounded, and
// whoever runs the process is told once.
func TestSECURITY_O7_ADiskThatStaysBrokenEndsTheStore(t *testing.T) {
	t.Parallel()
	for _, err := range []error{syscall.EIO, syscall.EROFS} {
		var on atomic.Bool
		disk, _ := fault{1, 1 << 40, err}.inject(vfs.NewMem(), &on)
		o := quiet(t, disk)
		lost := make(chan error, 2)
		o.Lost = func(err error) { lost <- err }
		var log strings.Builder
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		l := mustLast(t, o)
		on.Store(true)
		if got := l.Write(one("a", "1"), true); !errors.Is(got, err) {
			t.Fatalf("the write says %v", got)
		}
		if err := l.Write(one("a", "1"), true); err == nil {
			t.Fatal("a later write was acknowledged")
		}
		<-lost
		if n := strings.Count(log.String(), "store.failed"); n == 0 {
			t.Errorf("%v: log:\n%s", err, log.String())
		}
		if strings.Contains(log.String(), "store.recovered") || len(lost) > 0 {
			t.Errorf("%v: log:\n%s", err, log.String())
		}
		if err := l.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// TestSECURITY_O6_AFullDiskIsWaitedForHoweverLong: more tries than a broken one
// gets, and a stop does not wait for them.
func TestSECURITY_O6_AFullDiskIsWaitedForHoweverLong(t *testing.T) {
	t.Parallel()
	for _, returns := range []bool{true, false} {
		var tries atomic.Int64
		var on atomic.Bool
		enough := make(chan struct{})
		disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if !on.Load() || !changesDisk(op) {
				return nil
			}
			if tries.Add(1) == 100 {
				close(enough)
			}
			return syscall.ENOSPC
		}))
		l := mustLast(t, quiet(t, disk))
		why := make(chan core.Reason, 1000)
		l.OnOutage(func(r core.Reason) { why <- r })
		on.Store(true)
		written := make(chan error, 1)
		go func() { written <- l.Write(one("a", "1"), true) }()
		<-enough
		if first, second := <-why, <-why; first != core.OK || second != core.DiskFull {
			t.Errorf("told %v, %v", first, second)
		}
		if len(written) > 0 {
			t.Fatal("it was answered")
		}
		if !returns {
			l.GiveUp()
			if err := <-written; err == nil {
				t.Error("it was acknowledged")
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			continue
		}
		on.Store(false)
		if err := <-written; err != nil {
			t.Errorf("after space came back: %v", err)
		}
		if v, err := l.Get([]byte("a")); string(v) != "1" || err != nil {
			t.Errorf("%q, %v", v, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}
