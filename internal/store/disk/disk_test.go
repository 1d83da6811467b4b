package disk

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/core/storetest"
)

// quiet are options whose log goes nowhere.
func quiet(t testing.TB, fs vfs.FS) Options {
	return Options{
		FS:       fs,
		Logger:   slog.New(slog.NewTextHandler(io.Discard, nil)),
		Lost:     func(err error) { t.Errorf("lost: %v", err) },
		Patience: Patience{Grace: 100 * time.Millisecond},
	}
}

func mustOpen(t testing.TB, dir string, o Options) *Store {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

func TestStoreInMemoryFiles(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t testing.TB) core.Store { return mustOpen(t, "data", quiet(t, vfs.NewMem())) })
}

func TestStoreOnDisk(t *testing.T) {
	t.Parallel()
	storetest.RunDurable(t, func(t testing.TB) func() core.Store {
		dir := filepath.Join(t.TempDir(), "made", "by", "open")
		return func() core.Store { return mustOpen(t, dir, quiet(t, nil)) }
	})
}

func TestAStoreWithASmallMemtableGoesThroughTables(t *testing.T) {
	t.Parallel()
	storetest.RunDurable(t, func(t testing.TB) func() core.Store {
		fs := vfs.NewMem()
		return func() core.Store {
			o := quiet(t, fs)
			o.Memtable = 16 << 10
			return mustOpen(t, "data", o)
		}
	})
}

// contents are the names and texts of the files in dir.
func contents(t *testing.T, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Name()+": "+string(text))
	}
	return out
}

func refused(t *testing.T, dir string, want error, text string) {
	t.Helper()
	before := contents(t, dir)
	s, err := Open(dir, quiet(t, nil))
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, want) || !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Open: %v", err)
	}
	if after := contents(t, dir); !slices.Equal(after, before) {
		t.Errorf("the directory was %q, is %q", before, after)
	}
}

func TestADirectoryOfSomethingElseIsRefusedUntouched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "holiday.jpg"), []byte("sea"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, ErrForeign, `"holiday.jpg"`)
}

func TestAStoreOfANewerVersionIsRefusedUntouched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := mustOpen(t, dir, quiet(t, nil)).Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, formatFile), fmt.Appendln(nil, formatVersion+1), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, ErrNewer, fmt.Sprintf("format %d, this one reads up to %d", formatVersion+1, formatVersion))
	for _, text := range []string{"", "0\n", "one"} {
		if err := os.WriteFile(filepath.Join(dir, formatFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, ErrForeign, formatFile)
	}
}

// TestAStoreWithoutItsListOfTablesIsRefusedUntouched: a copy may have left out
// the empty files, and pebble would begin anew.
func TestAStoreWithoutItsListOfTablesIsRefusedUntouched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir, quiet(t, nil))
	if err := s.Write(one("a", "1"), true); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.db.Flush(), s.Close()); err != nil {
		t.Fatal(err)
	}
	marks, err := filepath.Glob(filepath.Join(dir, listMark+"*"))
	if err != nil || len(marks) != 1 {
		t.Fatalf("%q, %v", marks, err)
	}
	if err := os.Remove(marks[0]); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, ErrIncomplete, listMark)
}

func TestAStoreInUseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir, quiet(t, nil))
	if _, err := Open(dir, quiet(t, nil)); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := mustOpen(t, dir, quiet(t, nil)).Close(); err != nil {
		t.Errorf("after Close it is not free: %v", err)
	}
}

func TestAFileInPlaceOfTheDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if s, err := Open(dir, quiet(t, nil)); err == nil {
			s.Close()
			t.Errorf("%s was opened", dir)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	s := mustOpen(b, b.TempDir(), quiet(b, nil))
	defer s.Close()
	storetest.Benchmark(b, s)
}

func TestAStoreOfAnEarlierFormatHasThisOneFromThenOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir, quiet(t, nil))
	if err := errors.Join(s.Write(one("a", "b"), true), s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, formatFile), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Look(dir); err != nil {
		t.Error(err)
	}
	if v, err := formatOf(vfs.Default, dir); v != 1 || err != nil {
		t.Errorf("a look makes format %d of it, %v", v, err)
	}
	s = mustOpen(t, dir, quiet(t, nil))
	defer s.Close()
	if v, err := formatOf(vfs.Default, dir); v != formatVersion || err != nil || !holds(t, s, "a") {
		t.Errorf("format %d, %v", v, err)
	}
}
