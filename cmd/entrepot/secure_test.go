package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/entrepot/entrepot/internal/config"
)

func TestPresharedKeysComeFromAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	one, two := write("one", "dev1:0011\n"), write("two", "dev1:0011\ndev2:0022\n")
	coaps, _ := config.LookupScheme("coaps")
	for _, c := range []struct {
		flags secure
		want  string // identity and key, or what the error says
	}{
		{secure{}, "|"},
		{secure{pskFile: one}, "dev1|\x00\x11"},
		{secure{pskFile: two, identity: "dev2"}, "dev2|\x00\x22"},
		{secure{pskFile: two}, "holds 2 identities; --psk-identity says which"},
		{secure{pskFile: two, identity: "dev3"}, `holds no key of "dev3"`},
		{secure{pskFile: write("bad", "dev1\n")}, "bad:1: a line is identity:key"},
		{secure{pskFile: filepath.Join(dir, "none")}, "there is no such file"},
	} {
		identity, key, err := c.flags.preshared(coaps)
		got := identity + "|" + string(key)
		if err != nil {
			got = err.Error()
		}
		if got != c.want && (err == nil || !strings.HasSuffix(got, c.want) && !strings.Contains(got, c.want)) {
			t.Errorf("%+v: %q, want %q", c.flags, got, c.want)
		}
	}
}
