package test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const maxLines = 450

func TestNoFileIsLong(t *testing.T) {
	t.Parallel()
	goFiles(t, func(path string, text []byte) {
		if n := bytes.Count(text, []byte("\n")); n > maxLines && !strings.HasSuffix(path, "_test.go") {
			t.Errorf("%s: %d lines; a file is one subject, at most %d lines", path, n, maxLines)
		}
	})
}

func TestNothingIsLeftUnfinished(t *testing.T) {
	t.Parallel()
	marks := []string{"TO" + "DO", "FIX" + "ME", "t.Sk" + "ip", "time.Sl" + "eep("}
	goFiles(t, func(path string, text []byte) {
		simulated := simulates(t, filepath.Dir(path))
		for n, line := range strings.Split(string(text), "\n") {
			for i, mark := range marks {
				if strings.Contains(line, mark) && (i < 3 || strings.HasSuffix(path, "_test.go") && !simulated) {
					t.Errorf("%s:%d: %s", path, n+1, strings.TrimSpace(line))
				}
			}
		}
	})
}

// simulates tells whether the tests of a folder run below testing/synctest, perhaps by adaptertest, where sleeping is not waiting.
func simulates(t *testing.T, dir string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(`"testing/synctest"`)) || bytes.Contains(text, []byte(`adapters/adaptertest"`)) {
			return true
		}
	}
	return false
}

// goFiles calls f for every Go file of the house.
func goFiles(t *testing.T, f func(path string, text []byte)) {
	t.Helper()
	count := 0
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == "node_modules" || strings.HasPrefix(e.Name(), ".") && path != "..") {
			return filepath.SkipDir
		}
		if e.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		count++
		f(path, text)
		return nil
	})
	if err != nil || count < 10 {
		t.Fatal(count, err)
	}
}
