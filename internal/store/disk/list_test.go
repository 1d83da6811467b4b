package disk

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// listed makes a store whose list of tables has some records, and tells where
// the list is, and what is in it.
func listed(t *testing.T) (dir, name string, list []byte) {
	t.Helper()
	dir = t.TempDir()
	s := mustOpen(t, dir, quiet(t, nil))
	for i := range 5 {
		if err := errors.Join(s.Write(one(fmt.Sprint("key", i), "value"), true), s.db.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	marked, err := atomicfs.ReadMarker(vfs.Default, dir, listName)
	if err != nil {
		t.Fatal(err)
	}
	name = filepath.Join(dir, marked)
	list, err = os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return dir, name, list
}

func TestSECURITY_R5_AFlippedBitInTheListOfTablesIsNoticed(t *testing.T) {
	t.Parallel()
	dir, name, list := listed(t)
	if at, ok := damagedAt(list); !ok || at != len(list) {
		t.Fatalf("the list is damaged at %d of %d", at, len(list))
	}
	for bit := range 8 * len(list) {
		text := bytes.Clone(list)
		text[bit/8] ^= 1 << (bit % 8)
		if _, ok := damagedAt(text); ok {
			t.Errorf("bit %d of byte %d of %d is not noticed", bit%8, bit/8, len(list))
		}
	}
	list[len(list)-1] ^= 1
	if err := os.WriteFile(name, list, 0o600); err != nil {
		t.Fatal(err)
	}
	before := onDisk(dir)
	if _, err := Open(dir, quiet(t, nil)); !errors.Is(err, ErrDamaged) {
		t.Errorf("Open: %v", err)
	}
	if _, err := Inspect(dir, nil); !errors.Is(err, ErrDamaged) {
		t.Errorf("Inspect: %v", err)
	}
	if after := onDisk(dir); after != before {
		t.Errorf("%d bytes on disk, %d before", after, before)
	}
}

func TestAListOfTablesThatWasTornIsWhole(t *testing.T) {
	t.Parallel()
	dir, name, list := listed(t)
	last := 0
	for at := 0; at < len(list); at += chunkAt(list, at) {
		last = at
	}
	for end := last; end < len(list); end++ {
		longer := append(bytes.Clone(list[:end]), make([]byte, len(list)-end)...)
		if at, ok := damagedAt(list[:end]); !ok {
			t.Errorf("cut at %d of %d: damaged at %d", end, len(list), at)
		}
		if at, ok := damagedAt(longer); !ok && (end == last || len(list)-end >= manyZeros) {
			t.Errorf("zeros from %d of %d: damaged at %d", end, len(list), at)
		}
	}
	if err := os.WriteFile(name, list[:len(list)-3], 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir, quiet(t, nil))
	defer s.Close()
	if !holds(t, s, "key0") {
		t.Error("key0 has gone")
	}
}

func FuzzDamagedAt(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x03\x00\x01abc"), 3)
	f.Add(make([]byte, 40), 40)
	f.Fuzz(func(t *testing.T, list []byte, times int) {
		list = bytes.Repeat(list, max(1, min(times%64, (96<<10)/max(1, len(list)))))
		if at, _ := damagedAt(list); at < 0 || at > len(list)+listBlock {
			t.Errorf("at %d of %d", at, len(list))
		}
	})
}
