package disk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/storetest"
)

var errIO = errors.New("input/output error")

// failing is a disk on which the operations that bad chooses fail once on is
// set.
func failing(under vfs.FS, bad func(errorfs.Op) bool) (disk vfs.FS, on *atomic.Bool) {
	on = new(atomic.Bool)
	return errorfs.Wrap(under, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if on.Load() && bad(op) {
			return errIO
		}
		return nil
	})), on
}

func ofLog(kinds ...errorfs.OpKind) func(errorfs.Op) bool {
	return func(op errorfs.Op) bool {
		for _, k := range kinds {
			if op.Kind == k && strings.HasSuffix(op.Path, ".log") {
				return true
			}
		}
		return false
	}
}

func one(key, value string) []*core.Batch {
	var b core.Batch
	b.Set([]byte(key), []byte(value))
	return []*core.Batch{&b}
}

func TestSECURITY_O7_R1_AFailedSyncIsAnErrorAndStopsAllWrites(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]func(errorfs.Op) bool{
		"sync":           ofLog(errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo),
		"write":          ofLog(errorfs.OpFileWrite),
		"write and sync": ofLog(errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			under := vfs.NewMem()
			disk, on := failing(under, bad)
			s := mustOpen(t, "data", quiet(t, disk))
			if err := s.Write(one("a", "acknowledged"), true); err != nil {
				t.Fatal(err)
			}
			on.Store(true)
			if err := s.Write(one("b", "lost"), true); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), errIO.Error()) {
				t.Fatalf("the failed write says %v", err)
			}
			on.Store(false)
			for _, sync := range []bool{true, false} { // never as if nothing had happened
				if err := s.Write(one("c", "refused"), sync); !errors.Is(err, ErrFailed) {
					t.Errorf("a later write says %v", err)
				}
			}
			if v, err := s.Get([]byte("a")); string(v) != "acknowledged" || err != nil {
				t.Errorf("reading after the failure: %q, %v", v, err)
			}
			_ = s.Close() // may say that it could not write; it must return
			reopened := mustOpen(t, "data", quiet(t, under))
			defer reopened.Close()
			if v, err := reopened.Get([]byte("a")); string(v) != "acknowledged" || err != nil {
				t.Errorf("after opening anew: %q, %v", v, err)
			}
			if v, _ := reopened.Get([]byte("c")); v != nil {
				t.Errorf("a refused write is there: %q", v)
			}
			if err := reopened.Write(one("d", "works again"), true); err != nil {
				t.Errorf("after opening anew: %v", err)
			}
		})
	}
}

// TestAFailureOfAnUnsyncedWriteSurfacesInALaterOne: nobody waits for the first,
// so one of the next reports it, at the latest the next synced one.
func TestAFailureOfAnUnsyncedWriteSurfacesInALaterOne(t *testing.T) {
	t.Parallel()
	disk, on := failing(vfs.NewMem(), ofLog(errorfs.OpFileWrite))
	s := mustOpen(t, "data", quiet(t, disk))
	on.Store(true)
	value := strings.Repeat("x", 1000)
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = s.Write(one(fmt.Sprint(i), value), false)
	}
	if err == nil {
		err = s.Write(one("last", value), true)
	}
	if !errors.Is(err, ErrFailed) {
		t.Errorf("the failure says %v", err)
	}
	if err := s.Write(one("after", value), true); !errors.Is(err, ErrFailed) {
		t.Errorf("a later write says %v", err)
	}
	_ = s.Close()
}

// TestSECURITY_O7_ALogThatCannotBeMadeIsAnError: the next write needs another
// log, and the disk is full. pebble is left behind with its locks; the files are
// given back.
func TestSECURITY_O7_ALogThatCannotBeMadeIsAnError(t *testing.T) {
	t.Parallel()
	under := vfs.NewMem()
	disk, on := failing(under, ofLog(errorfs.OpCreate, errorfs.OpReuseForWrite))
	s := mustOpen(t, "data", quiet(t, disk))
	on.Store(true)
	var err error
	n := 0
	for ; err == nil; n++ {
		err = s.Write(one(fmt.Sprint(n), strings.Repeat("x", 100_000)), true)
	}
	if !errors.Is(err, errIO) || !errors.Is(err, ErrFailed) {
		t.Errorf("Write: %v", err)
	}
	if err := s.Close(); !errors.Is(err, ErrLeft) {
		t.Errorf("Close: %v", err)
	}
	reopened := mustOpen(t, "data", quiet(t, under))
	defer reopened.Close()
	for i := range n - 1 {
		if v, err := reopened.Get([]byte(fmt.Sprint(i))); len(v) != 100_000 || err != nil {
			t.Fatalf("%d of %d: %d bytes, %v", i, n, len(v), err)
		}
	}
}

// TestSECURITY_O7_ADirectoryThatCannotBeSyncedIsAnError: pebble would end the
// process, from a goroutine of its own.
func TestSECURITY_O7_ADirectoryThatCannotBeSyncedIsAnError(t *testing.T) {
	t.Parallel()
	for n := int64(1); ; n++ {
		under := vfs.NewMem()
		var synced atomic.Int64
		disk, on := failing(under, func(op errorfs.Op) bool {
			return op.Kind == errorfs.OpFileSync && op.Path == "data" && synced.Add(1) >= n
		})
		s := mustOpen(t, "data", quiet(t, disk))
		if err := s.Write(one("a", "acknowledged"), true); err != nil {
			t.Fatal(err)
		}
		on.Store(true)
		flushed := make(chan struct{})
		go func() { // and with it comes a new list of tables
			if done, err := s.db.AsyncFlush(); err == nil {
				<-done
			}
			close(flushed)
		}()
		select {
		case <-flushed:
			if n < 3 {
				t.Errorf("only %d directories were synced", n-1)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			return
		case <-s.broken:
		}
		if err := s.Write(one("b", "refused"), true); !errors.Is(err, ErrFailed) {
			t.Errorf("a later write says %v", err)
		}
		if err := s.Close(); !errors.Is(err, ErrLeft) {
			t.Errorf("Close: %v", err)
		}
		reopened := mustOpen(t, "data", quiet(t, under))
		if v, err := reopened.Get([]byte("a")); string(v) != "acknowledged" || err != nil {
			t.Errorf("after opening anew: %q, %v", v, err)
		}
		_ = reopened.Close()
	}
}

// TestSECURITY_O7_AnOpenThatFailsHalfwayLeavesNothingRunning fails every change
// of the disk on the way through a log that is replayed into tables: what pebble
// has begun in the background by then must not meet what its Open takes away.
func TestSECURITY_O7_AnOpenThatFailsHalfwayLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	before := vfs.NewCrashableMem()
	o := quiet(t, before)
	o.Memtable = 64 << 10
	s := mustOpen(t, "data", o)
	for i := range 300 {
		var b core.Batch
		b.Set(fmt.Appendf(nil, "%03d", i), make([]byte, 1000))
		b.DeleteRange(fmt.Appendf(nil, "%03d", i-9), fmt.Appendf(nil, "%03d", i-3))
		if err := s.Write([]*core.Batch{&b}, i == 299); err != nil {
			t.Fatal(err)
		}
	}
	crashed := func() vfs.FS { return before.CrashClone(vfs.CrashCloneCfg{}) }
	defer s.Close()
	for n := int64(1); ; n++ {
		disk := crashed()
		var on atomic.Bool
		faulty, seen := fault{n, 1, errIO}.inject(disk, &on)
		on.Store(true)
		x := quiet(t, faulty)
		x.Memtable = o.Memtable
		if again, err := Open("data", x); err == nil {
			_ = again.Close()
		}
		x.FS = disk
		again := mustOpen(t, "data", x)
		if v, err := again.Get([]byte("299")); len(v) != 1000 || err != nil {
			t.Fatalf("change %d: %d bytes, %v", n, len(v), err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		if seen.Load() < n {
			if n < 10 {
				t.Errorf("only %d changes were seen", n-1)
			}
			return
		}
	}
}

func TestAStoreThatCannotBeReadSaysSo(t *testing.T) {
	t.Parallel()
	under := vfs.NewMem()
	s := mustOpen(t, "data", quiet(t, under))
	if err := s.Write(one("a", "1"), true); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.db.Flush(), s.Close()); err != nil {
		t.Fatal(err)
	}
	disk, on := failing(under, func(op errorfs.Op) bool {
		return strings.HasSuffix(op.Path, ".sst") && (op.Kind == errorfs.OpFileReadAt || op.Kind == errorfs.OpOpen)
	})
	s = mustOpen(t, "data", quiet(t, disk))
	defer s.Close()
	on.Store(true)
	if v, err := s.Get([]byte("a")); v != nil || !strings.Contains(fmt.Sprint(err), errIO.Error()) {
		t.Errorf("Get: %q, %v", v, err)
	}
	var last error
	for _, last = range s.Scan([]byte("a"), []byte("z")) {
	}
	if !strings.Contains(fmt.Sprint(last), errIO.Error()) {
		t.Errorf("Scan: %v", last)
	}
}

func TestOpenSurfacesEveryError(t *testing.T) {
	t.Parallel()
	for n := int64(0); ; n++ { // fail the n-th operation until none is left to fail
		var count atomic.Int64
		disk := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			switch op.Kind {
			case errorfs.OpFileSync, errorfs.OpCreate, errorfs.OpRename, errorfs.OpMkdirAll, errorfs.OpLock:
				if count.Add(1)-1 == n {
					return errIO
				}
			}
			return nil
		}))
		s, err := Open("data", quiet(t, disk))
		if err == nil {
			if err := s.Write(one("a", "1"), true); err != nil && !errors.Is(err, ErrFailed) {
				t.Errorf("operation %d: Write: %v", n, err)
			}
			_ = s.Close()
		}
		if count.Load() <= n {
			if n < 5 {
				t.Errorf("only %d operations were seen", n)
			}
			return
		}
	}
}

// TestSECURITY_R4_WhatWasAcknowledgedSurvivesAPowerCut cuts the power at random
// moments: what Write(sync) answered is there, and every batch is there whole
// or not at all, in order.
func TestSECURITY_R4_WhatWasAcknowledgedSurvivesAPowerCut(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	fs := vfs.NewCrashableMem()
	m := storetest.Model{} // what every state of the store from the last synced write on must be one of
	for range 15 {
		o := quiet(t, fs)
		o.Memtable = 64 << 10 // so that tables and logs are made and dropped on the way
		s := mustOpen(t, "data", o)
		m.Check(t, s)
		synced, states := cutWhileWriting(t, r, s, m)
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(3) * 50, RNG: r})
		_ = s.Close()
		s = mustOpen(t, "data", quiet(t, crashed))
		m = match(t, s, states[synced:])
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		fs = crashed
	}
}

// cutWhileWriting writes some batches and returns the states after each, and
// which was the last synced one.
func cutWhileWriting(t *testing.T, r *rand.Rand, s *Store, m storetest.Model) (synced int, states []storetest.Model) {
	t.Helper()
	states = append(states, clone(m))
	for range r.IntN(60) {
		sync := r.IntN(3) == 0
		b := storetest.Random(r, m)
		value := strings.Repeat("x", r.IntN(2000))
		key := fmt.Sprintf("z%d", r.IntN(50))
		m[key] = value
		b.Set([]byte(key), []byte(value))
		if err := s.Write([]*core.Batch{b}, sync); err != nil {
			t.Fatal(err)
		}
		states = append(states, clone(m))
		if sync {
			synced = len(states) - 1
		}
	}
	return synced, states
}

func clone(m storetest.Model) storetest.Model {
	c := storetest.Model{}
	for k, v := range m {
		c[k] = v
	}
	return c
}

// match finds the state that the store is in.
func match(t *testing.T, s *Store, states []storetest.Model) storetest.Model {
	t.Helper()
	got := storetest.Model{}
	for rec, err := range s.Scan([]byte("\x00"), []byte("\xff")) {
		if err != nil {
			t.Fatal(err)
		}
		got[string(rec.Key)] = string(rec.Value)
	}
	for i := len(states) - 1; i >= 0; i-- {
		if fmt.Sprint(got) == fmt.Sprint(states[i]) {
			return states[i]
		}
	}
	t.Fatalf("after the power cut the store is in none of the %d states since the last synced write", len(states))
	return nil
}
