package disk

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files are the paths of the store's files with an ending.
func files(t *testing.T, dir, ending string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"+ending))
	if err != nil || len(found) == 0 {
		t.Fatalf("no file %s: %v", ending, err)
	}
	return found
}

func TestSECURITY_R5_AFlippedBitIsReportedAndNeverRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, dir, quiet(t, nil))
	value := strings.Repeat("value", 100)
	if err := s.Write(one("a", value), true); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.db.Flush(), s.Close()); err != nil {
		t.Fatal(err)
	}
	table := files(t, dir, ".sst")[0]
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	text[20] ^= 1 // in the block that holds the record
	if err := os.WriteFile(table, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	o := quiet(t, nil)
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s = mustOpen(t, dir, o)
	if v, err := s.Get([]byte("a")); err == nil || v != nil {
		t.Errorf("Get: %d bytes, %v", len(v), err)
	}
	n := 0
	for rec, err := range s.Scan([]byte("a"), []byte("z")) {
		if n++; err == nil {
			t.Errorf("Scan yields %q", rec.Key)
		}
	}
	if n != 1 {
		t.Errorf("Scan yields %d times", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "reason=checksum") {
		t.Errorf("the log says %q", log.String())
	}
}

func TestSECURITY_R5_ATornTailIsCutAndWhatWasBeforeItStays(t *testing.T) {
	t.Parallel()
	for _, torn := range []int{1, 10, 200} {
		t.Run(fmt.Sprint(torn), func(t *testing.T) {
			t.Parallel()
			dir, copied := t.TempDir(), t.TempDir()
			s := mustOpen(t, dir, quiet(t, nil))
			defer s.Close()
			if err := s.Write(one("a", "synced"), true); err != nil {
				t.Fatal(err)
			}
			if err := s.Write(one("b", strings.Repeat("x", 1000)), true); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(filepath.Join(copied, "data"), os.DirFS(dir)); err != nil { // as a crash leaves it
				t.Fatal(err)
			}
			log := files(t, filepath.Join(copied, "data"), ".log")[0]
			cutUsed(t, log, torn)
			c := mustOpen(t, filepath.Join(copied, "data"), quiet(t, nil))
			defer c.Close()
			if !holds(t, c, "a") || holds(t, c, "b") {
				t.Errorf("a is there: %v, the torn b: %v", holds(t, c, "a"), holds(t, c, "b"))
			}
			if err := c.Write(one("c", "goes on"), true); err != nil {
				t.Error(err)
			}
		})
	}
}

// cutUsed takes the last n bytes that are not zero off a log, which pebble makes
// longer than what is in it.
func cutUsed(t *testing.T, log string, n int) {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(log, int64(len(bytes.TrimRight(text, "\x00"))-n)); err != nil {
		t.Fatal(err)
	}
}
