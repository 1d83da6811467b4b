package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// written are the length of a log and how much of it is not zero at its end.
func written(t *testing.T, log string) (length, used int) {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return len(text), len(strings.TrimRight(string(text), "\x00"))
}

func TestASyncDoesNotMakeTheLogLonger(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir, quiet(t, nil))
	defer s.Close()
	longer := map[string]bool{}
	for i := range 600 { // 300 KiB and some, in two logs
		if err := s.Write(one(fmt.Sprintf("%04d", i), strings.Repeat("v", 512)), true); err != nil {
			t.Fatal(err)
		}
		logs := files(t, dir, ".log")
		length, used := written(t, logs[len(logs)-1])
		if length <= used {
			t.Fatalf("%d bytes of %d are used after %d records", used, length, i)
		}
		longer[fmt.Sprint(len(logs), length)] = true
	}
	if len(longer) > 3 {
		t.Errorf("the logs were made longer %d times: %v", len(longer), longer)
	}
}

func TestWhatStandsBeforeTheZerosOfALogIsRead(t *testing.T) {
	t.Parallel()
	dir, killed := t.TempDir(), t.TempDir()
	s := mustOpen(t, dir, quiet(t, nil))
	defer s.Close()
	for i := range 700 {
		if err := s.Write(one(fmt.Sprintf("%04d", i), strings.Repeat("v", 512)), true); err != nil {
			t.Fatal(err)
		}
	}
	if length, used := written(t, files(t, dir, ".log")[0]); length-used < 1000 {
		t.Fatalf("%d bytes of %d are used", used, length)
	}
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil { // as a kill leaves it
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(killed, "LOCK")); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	k := mustOpen(t, killed, quiet(t, nil))
	defer k.Close()
	for i := range 700 {
		if key := fmt.Sprintf("%04d", i); !holds(t, k, key) {
			t.Fatalf("%s is lost", key)
		}
	}
}

func TestALogWithoutRoomIsWrittenAllTheSame(t *testing.T) {
	t.Parallel()
	under := vfs.NewCrashableMem()
	disk, on := failing(under, ofLog(errorfs.OpFileWriteAt))
	on.Store(true)
	s := mustOpen(t, "data", quiet(t, disk))
	for i := range 100 {
		if err := s.Write(one(fmt.Sprint(i), strings.Repeat("v", 8192)), true); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	after := under.CrashClone(vfs.CrashCloneCfg{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r := mustOpen(t, "data", quiet(t, after))
	defer r.Close()
	for i := range 100 {
		if !holds(t, r, fmt.Sprint(i)) {
			t.Errorf("%d is lost", i)
		}
	}
}
