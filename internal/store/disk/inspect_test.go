package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/core"
)

// threeTables makes a store whose records a…, b… and c… lie in a table each, and d… in the log. It names the table of b….
func threeTables(t *testing.T, dir string) (middle string) {
	t.Helper()
	s := mustOpen(t, dir, quiet(t, nil))
	for _, letter := range "abcd" {
		for i := range 50 {
			if err := s.Write(one(fmt.Sprintf("%c%03d", letter, i), strings.Repeat(string(letter), 200)), true); err != nil {
				t.Fatal(err)
			}
		}
		if letter != 'd' {
			if err := s.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if letter == 'b' {
			middle = slices.Max(files(t, dir, ".sst")) // the newest
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return middle
}

func TestInspectVisitsEveryRecordAndChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	threeTables(t, dir)
	before := listing(t, dir)
	n, last := 0, ""
	damaged, err := Inspect(dir, func(r core.Record) {
		if string(r.Key) <= last || len(r.Value) != 200 {
			t.Errorf("%q after %q", r.Key, last)
		}
		n, last = n+1, string(r.Key)
	})
	if n != 200 || len(damaged) != 0 || err != nil {
		t.Errorf("%d records, %v, %v", n, damaged, err)
	}
	if after := listing(t, dir); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func listing(t *testing.T, dir string) (text string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == "LOCK" {
			continue
		}
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintln(f.Name(), info.Size(), info.ModTime())
	}
	return text
}

func TestSECURITY_R5_InspectNamesTheDamagedFileAndGoesOnBehindIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	table := threeTables(t, dir)
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	text[20] ^= 1
	if err := os.WriteFile(table, text, 0o600); err != nil {
		t.Fatal(err)
	}
	seen := map[byte]int{}
	damaged, err := Inspect(dir, func(r core.Record) { seen[r.Key[0]]++ })
	if err != nil || len(damaged) != 1 || filepath.Base(damaged[0].File) != filepath.Base(table) || damaged[0].From[0] != 'b' || damaged[0].To[0] != 'b' || damaged[0].Err == nil {
		t.Fatalf("%+v, %v", damaged, err)
	}
	if seen['a'] != 50 || seen['b'] != 0 || seen['c'] != 50 || seen['d'] != 50 {
		t.Errorf("%v", seen)
	}
}

func TestInspectRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	ignore := func(core.Record) {}
	if _, err := Inspect(filepath.Join(t.TempDir(), "none"), ignore); err == nil {
		t.Error("a directory that is not there is a store")
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Inspect(foreign, ignore); !errors.Is(err, ErrForeign) {
		t.Errorf("%v", err)
	}
	s := mustOpen(t, t.TempDir(), quiet(t, nil))
	if _, err := Inspect(s.dir, ignore); !errors.Is(err, ErrLocked) {
		t.Errorf("%v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	manifest := files(t, s.dir, "")
	for _, f := range manifest {
		if strings.HasPrefix(filepath.Base(f), "MANIFEST") {
			if err := os.Truncate(f, 5); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := Inspect(s.dir, ignore); err == nil {
		t.Error("a store without a manifest is read")
	}
}
