package conformance

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the page, and drop what gaps.txt needs no more")

const root = "../.."

func scanned(t *testing.T) *Found {
	t.Helper()
	f, err := Scan(root)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEveryStatementHasItsLineAndItsTest(t *testing.T) {
	f := scanned(t)
	missing := Missing(f)
	allowed := Gaps()
	if *update {
		writeGaps(t, slices.DeleteFunc(slices.Clone(allowed), func(g string) bool { return !slices.Contains(missing, g) }))
		return
	}
	for _, m := range missing {
		if !slices.Contains(allowed, m) {
			t.Errorf("missing: %s", m)
		}
	}
	for _, g := range allowed {
		if !slices.Contains(missing, g) {
			t.Errorf("gaps.txt: %q is there now: run the test with -update", g)
		}
	}
}

func TestEveryCitationNamesAStatement(t *testing.T) {
	t.Parallel()
	f := scanned(t)
	v5, v311, own, err := Lists()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, s := range slices.Concat(v5, v311, own) {
		if known[s.ID] {
			t.Errorf("%s is listed twice", s.ID)
		}
		known[s.ID] = true
	}
	for _, s := range slices.Concat(v5, v311) {
		for _, h := range s.Held {
			if !known[h] {
				t.Errorf("%s is held by %s, which is unknown", s.ID, h)
			}
		}
	}
	for id, at := range f.Lines {
		if !known[id] {
			t.Errorf("%s in %v is unknown", id, at)
		}
	}
	for id, at := range f.Tests {
		if !known[id] {
			t.Errorf("%s in %v is unknown", id, at)
		}
	}
}

func TestTheListsAreComplete(t *testing.T) {
	t.Parallel()
	v5, v311, own, err := Lists()
	if err != nil {
		t.Fatal(err)
	}
	if len(v5) != 251 || len(v311) != 141 || len(own) != 194 {
		t.Errorf("%d, %d, %d statements", len(v5), len(v311), len(own))
	}
}

func TestThePageIsUpToDate(t *testing.T) {
	want, err := Page(scanned(t))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(root, PageFile)
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Errorf("%s is out of date: make generate", PageFile)
	}
}

func writeGaps(t *testing.T, left []string) {
	t.Helper()
	text := gapsHead + strings.Join(left, "\n")
	if len(left) > 0 {
		text += "\n"
	}
	if err := os.WriteFile("gaps.txt", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
