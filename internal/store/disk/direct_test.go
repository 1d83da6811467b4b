package disk

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

func TestWhatADirectLogHasSyncedSurvivesAPowerCut(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		disk := vfs.NewCrashableMem()
		f, err := disk.Create("log", vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		dir, err := disk.OpenDir("")
		if err != nil {
			t.Fatal(err)
		}
		if err := dir.Sync(); err != nil {
			t.Fatal(err)
		}
		log := withRoom(newDirect(f))
		var all []byte
		safe := 0
		for range 60 {
			p := make([]byte, r.IntN(1<<r.IntN(18)))
			for i := range p {
				p[i] = byte(1 + r.IntN(255))
			}
			if n, err := log.Write(p); n != len(p) || err != nil {
				t.Fatal(n, err)
			}
			all = append(all, p...)
			if r.IntN(2) == 0 {
				if err := log.SyncData(); err != nil {
					t.Fatal(err)
				}
				safe = len(all)
			}
			got := content(t, disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r}), "log")
			if len(got) < safe || !bytes.Equal(got[:safe], all[:safe]) {
				t.Fatalf("seed %d: %d bytes were synced, and are not there", seed, safe)
			}
		}
		if err := log.Sync(); err != nil {
			t.Fatal(err)
		}
		got := content(t, disk, "log")
		if !bytes.Equal(bytes.TrimRight(got, "\x00"), all) {
			t.Fatalf("seed %d: the log is not what was written", seed)
		}
	}
}

func content(t *testing.T, disk vfs.FS, name string) []byte {
	t.Helper()
	f, err := disk.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, info.Size())
	if _, err := f.ReadAt(b, 0); err != nil && len(b) > 0 {
		t.Fatal(err)
	}
	return b
}

func TestADirectLogThatIsClosedWritesNothing(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	f, err := disk.Create("log", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	log := newDirect(f)
	if _, err := log.Write([]byte("not synced")); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if got := content(t, disk, "log"); len(got) > 0 {
		t.Errorf("%q was written", got)
	}
}

func TestADirectLogThatCannotBeWrittenFailsTheWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disk, on := failing(vfs.Default, ofLog(errorfs.OpFileWrite, errorfs.OpFileWriteAt)) // where there are no blocks, too
	s := mustOpen(t, filepath.Join(dir, "data"), quiet(t, disk))
	if err := s.Write(one("a", "b"), true); err != nil {
		t.Fatal(err)
	}
	on.Store(true)
	if err := s.Write(one("c", "d"), true); err == nil {
		t.Fatal("it is acknowledged")
	}
	_ = s.Close() // it may be left behind
	r := mustOpen(t, filepath.Join(dir, "data"), quiet(t, nil))
	defer r.Close()
	if !holds(t, r, "a") {
		t.Error("what was synced is lost")
	}
}

func TestALogWithoutDirectWritesIsWrittenAllTheSame(t *testing.T) {
	t.Parallel()
	f, err := vfs.Default.Create(filepath.Join(t.TempDir(), "log"), vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	refuses := &unaligned{File: f}
	if _, is := past(refuses).(*direct); is {
		t.Fatal("a disk that refuses blocks is written in blocks")
	}
	if n, err := f.Write([]byte("odd")); n != 3 || err != nil { // the descriptor is what it was
		t.Fatal(n, err)
	}
}

// unaligned refuses what is written at a place.
type unaligned struct{ vfs.File }

func (*unaligned) WriteAt([]byte, int64) (int, error) { return 0, errIO }

// A power cut may leave some sectors of the block that was being written again
// as they were, and others as they were to become.
func TestATornLastBlockLosesNothingThatWasSynced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir, quiet(t, nil))
	defer s.Close()
	for i := range 20 {
		if err := s.Write(one(fmt.Sprint("old", i), strings.Repeat("v", 300)), true); err != nil {
			t.Fatal(err)
		}
	}
	log := filepath.Base(files(t, dir, ".log")[0])
	before, err := os.ReadFile(filepath.Join(dir, log))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(one("new", strings.Repeat("w", 2000)), true); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(filepath.Join(dir, log))
	if err != nil {
		t.Fatal(err)
	}
	const sector = 512
	for from := range 6 {
		torn := bytes.Clone(after)
		used := len(bytes.TrimRight(before, "\x00")) / sector
		at := (used + from) * sector
		copy(torn[at:], before[at:min(at+sector, len(before))])
		cut := filepath.Join(t.TempDir(), "cut")
		if err := os.CopyFS(cut, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(cut, log), torn, 0o600); err != nil {
			t.Fatal(err)
		}
		k := mustOpen(t, cut, quiet(t, nil))
		for i := range 20 {
			if key := fmt.Sprint("old", i); !holds(t, k, key) {
				t.Fatalf("sector %d: %s is lost", from, key)
			}
		}
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
