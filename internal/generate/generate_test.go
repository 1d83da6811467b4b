package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/gateway"
	"github.com/entrepot/entrepot/internal/tlsconf/tlstest"
)

const root = "../.."

func TestCommittedFilesAreUpToDate(t *testing.T) {
	t.Parallel()
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		have, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || string(have) != want {
			t.Errorf("%s is out of date; run make generate (%v)", name, err)
		}
	}
}

func load(t *testing.T, file string) (*config.Config, map[string]any) {
	t.Helper()
	sections := gateway.Sections()
	c, err := config.Load(config.Input{File: file, Sections: sections, Protocols: gateway.Protocols()})
	if err != nil {
		t.Fatalf("%s:\n%v", file, err)
	}
	return c, sections
}

func TestEveryFileInConfigsLoads(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root, "configs", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	ca := tlstest.New(t, "clients") // the certificates that secure.yaml names, beside a copy of it
	ca.Issue("server")
	ca.Revoke("revoked.pem", time.Hour)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(ca.Dir, filepath.Base(f))
		if err := os.WriteFile(copied, text, 0o600); err != nil {
			t.Fatal(err)
		}
		load(t, copied)
	}
}

func TestEveryConfigurationInTheDocumentsLoads(t *testing.T) {
	t.Parallel()
	count := 0
	for _, page := range []string{"security.md", "configuration.md"} {
		text, err := os.ReadFile(filepath.Join(root, "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			file := filepath.Join(t.TempDir(), page+".yaml")
			if err := os.WriteFile(file, []byte(m[1]), 0o600); err != nil {
				t.Fatal(err)
			}
			load(t, file)
			count++
		}
	}
	if count < 4 {
		t.Errorf("only %d were found", count)
	}
}

func TestTheDefaultFileSaysWhatNoFileMeans(t *testing.T) {
	t.Parallel()
	none, noneSections := load(t, "")
	file, fileSections := load(t, filepath.Join(root, "configs", "default.yaml"))
	file.Node.Data = "./" + filepath.Base(file.Node.Data) // C13: it stands beside the file
	if !reflect.DeepEqual(none.Node, file.Node) || !reflect.DeepEqual(none.Log, file.Log) || !reflect.DeepEqual(none.Admin, file.Admin) ||
		len(none.Listeners) != len(file.Listeners) {
		t.Errorf("%+v\n%+v", none, file)
	}
	for _, name := range []string{"limits", "store", "sys"} {
		if !reflect.DeepEqual(noneSections[name], fileSections[name]) {
			t.Errorf("%s: %+v, %+v", name, noneSections[name], fileSections[name])
		}
	}
}

func TestEveryKeyIsInTheDefaultFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "configs", "default.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, section := range gateway.Sections() {
		if reflect.TypeOf(section).Elem().Kind() != reflect.Struct {
			if !strings.Contains(string(text), "\n"+name+":") && !strings.Contains(string(text), "\n# "+name+":") {
				t.Errorf("%s is not in configs/default.yaml", name)
			}
			continue
		}
		for _, f := range config.Fields(reflect.TypeOf(section).Elem()) {
			if !strings.Contains(string(text), " "+f.Name+":") {
				t.Errorf("%s.%s is not in configs/default.yaml", name, f.Name)
			}
		}
	}
}
