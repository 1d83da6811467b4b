package disk

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// count is how many of the keys 0000000 to n-1 a store holds, without a hole before the first that is missing.
func count(t *testing.T, s *Store) (n int) {
	t.Helper()
	for rec, err := range s.Scan([]byte("0"), []byte("9")) {
		if err != nil {
			t.Fatal(err)
		}
		if string(rec.Key) != fmt.Sprintf("%07d", n) {
			t.Fatalf("after %d comes %s", n, rec.Key)
		}
		n++
	}
	return n
}

func TestABackupOfARunningStoreHoldsAllThatWasSyncedBeforeIt(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, filepath.Join(t.TempDir(), "store"), quiet(t, nil))
	defer s.Close()
	n := 0
	write := func() {
		if err := s.Write(one(fmt.Sprintf("%07d", n), strings.Repeat("v", 1000)), n%10 == 9); err != nil {
			t.Error(err)
		}
		n++
	}
	for n < 5000 {
		write()
	}
	end := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for {
			select {
			case <-end:
				return
			default:
				write()
			}
		}
	})
	for i := range 3 {
		var b bytes.Buffer
		if err := s.Backup(&b); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "copy")
		if err := Unpack(&b, dir); err != nil {
			t.Fatal(err)
		}
		restored := filepath.Join(t.TempDir(), "data", "store")
		if err := Copy(dir, restored); err != nil {
			t.Fatal(err)
		}
		c := mustOpen(t, restored, quiet(t, nil))
		if got := count(t, c); got < 5000 {
			t.Errorf("backup %d holds %d of 5000", i, got)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	close(end)
	writer.Wait()
	if _, err := os.Stat(filepath.Join(s.dir, checkpointDir)); !os.IsNotExist(err) {
		t.Errorf("what a backup was made of is left: %v", err)
	}
}

func TestWhatIsLeftOfABackupIsRemovedAtTheNextStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir, quiet(t, nil))
	left := filepath.Join(dir, checkpointDir)
	if err := errors.Join(s.checkpoint(left), s.Close()); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, quiet(t, nil))
	defer s.Close()
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Error(err)
	}
}

func TestABackupThatIsCutShortIsNoStore(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir(), quiet(t, nil))
	defer s.Close()
	if err := s.Write(one("a", "b"), true); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.Backup(&b); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	for cut := 0; cut < len(whole)-3*512; cut += 512 { // the last: format file, trailer
		dir := filepath.Join(t.TempDir(), "copy")
		if err := Unpack(bytes.NewReader(whole[:cut]), dir); err == nil {
			t.Fatalf("%d of %d bytes are taken for a store", cut, len(whole))
		}
		if _, err := os.Stat(filepath.Join(dir, formatFile)); !os.IsNotExist(err) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	}
}

func TestUnpackRefusesWhatIsNoBackup(t *testing.T) {
	t.Parallel()
	bad := func(name string, kind byte) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: name, Typeflag: kind, Linkname: "/etc/passwd"}), w.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, text := range map[string][]byte{
		"up": bad("../x", tar.TypeReg), "down": bad("a/b", tar.TypeReg), "root": bad("/x", tar.TypeReg), "link": bad("x", tar.TypeSymlink),
		"dots": bad("..", tar.TypeReg), "noise": bytes.Repeat([]byte("x"), 2000), "empty": nil, "wrong format": bad(formatFile, tar.TypeReg),
	} {
		parent := t.TempDir()
		if err := Unpack(bytes.NewReader(text), filepath.Join(parent, "copy")); err == nil {
			t.Errorf("%s is taken", name)
		}
		if _, err := os.Lstat(filepath.Join(parent, "x")); err == nil {
			t.Errorf("%s: a file beside", name)
		}
	}
}

func TestRestoreTouchesNothingThatIsThere(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	s := mustOpen(t, from, quiet(t, nil))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "mine"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"into a full directory": Copy(from, to), "from nothing": Copy(filepath.Join(to, "none"), filepath.Join(to, "new")),
		"from elsewhere": Copy(to, filepath.Join(to, "new")), "stream": Unpack(strings.NewReader(""), to),
	} {
		if err == nil {
			t.Errorf("%s: restored", name)
		}
	}
	if files, err := os.ReadDir(to); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
}

func TestABackupThatFailsLeavesTheStoreAsItIs(t *testing.T) {
	t.Parallel()
	disk, on := failing(vfs.NewMem(), func(op errorfs.Op) bool {
		return strings.Contains(op.Path, checkpointDir) && op.Kind != errorfs.OpRemoveAll
	})
	s := mustOpen(t, "data", quiet(t, disk))
	defer s.Close()
	if err := s.Write(one("a", "b"), true); err != nil {
		t.Fatal(err)
	}
	on.Store(true)
	if err := s.Backup(io.Discard); !errors.Is(err, errIO) {
		t.Errorf("the failed backup says %v", err)
	}
	if err := s.Write(one("c", "d"), true); err != nil || !holds(t, s, "c") {
		t.Errorf("a write after it: %v", err)
	}
	on.Store(false)
	var b bytes.Buffer
	if err := s.Backup(&b); err != nil {
		t.Error(err)
	}
	if err := s.Backup(brokenWriter{}); !errors.Is(err, errIO) {
		t.Errorf("a reader that leaves: %v", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errIO }

func TestThereIsOneBackupAtATime(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, t.TempDir(), quiet(t, nil))
	defer s.Close()
	s.backup.Lock()
	defer s.backup.Unlock()
	if err := s.Backup(io.Discard); !errors.Is(err, ErrBusy) {
		t.Errorf("the second says %v", err)
	}
}
