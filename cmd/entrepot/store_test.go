package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
	"github.com/entrepot/entrepot/internal/config"
	"github.com/entrepot/entrepot/internal/gateway"
	"github.com/entrepot/entrepot/internal/store/disk"
)

// serving runs a gateway on a data directory until stop is called; urls are by scheme.
func serving(t *testing.T, data string) (urls map[string]string, stop func()) {
	t.Helper()
	in := config.Input{Listen: []string{"mqtt://127.0.0.1:0", "http://127.0.0.1:0"}, Set: []string{"node.data=" + data},
		Sections: gateway.Sections(), Protocols: gateway.Protocols()}
	c, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.Open(gateway.Options{Config: c, Sections: in.Sections})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	urls = map[string]string{}
	for _, l := range g.Listening() {
		urls[strings.SplitN(l.URL, ":", 2)[0]] = l.URL
	}
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Error("the gateway does not stop")
		}
	}
	t.Cleanup(stop)
	return urls, stop
}

func TestABackupOfARunningGatewayIsRestored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, live, still := filepath.Join(dir, "data"), filepath.Join(dir, "live"), filepath.Join(dir, "still")
	must := func(want string, args ...string) {
		t.Helper()
		if code, out, text := execute(t, "", args...); code != 0 || !strings.Contains(out, want) {
			t.Fatalf("%v: exit %d, %q, %q", args, code, out, text)
		}
	}
	urls, stop := serving(t, data)
	must("", "pub", urls["mqtt"], "kept/a", "before", "-r", "-q", "1")
	must("the backup is in", "store", "backup", live, "--url", urls["http"])
	must("", "pub", urls["mqtt"], "kept/a", "after", "-r", "-q", "1")
	if code, _, text := execute(t, "", "store", "backup", still, "--data", data); code != exitConfig || !strings.Contains(text, "--url") {
		t.Errorf("a store in use: exit %d, %q", code, text)
	}
	stop()
	must("the backup is in", "store", "backup", still, "--data", data)
	for backup, want := range map[string]string{live: "before", still: "after"} {
		must("is whole", "store", "check", backup)
		restored := filepath.Join(t.TempDir(), "data")
		must("is restored in", "store", "restore", backup, "--data", restored)
		urls, stop := serving(t, restored)
		must(want+"\n", "sub", urls["mqtt"], "kept/#", "-C", "1", "-W", "20")
		stop()
		if code, _, text := execute(t, "", "store", "restore", backup, "--data", restored); code != exitConfig || !strings.Contains(text, "not empty") {
			t.Errorf("a restore over a store: exit %d, %q", code, text)
		}
	}
}

func TestSECURITY_R5_ADamagedStoreIsDescribed(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	urls, stop := serving(t, data)
	for i := range 200 {
		if code, _, text := execute(t, "", "pub", urls["mqtt"], fmt.Sprint("kept/", i), strings.Repeat("x", 100), "-r", "-q", "1"); code != 0 {
			t.Fatal(text)
		}
	}
	stop()
	check := func() (int, string, string) { return execute(t, "", "store", "check", "--data", data) }
	if code, out, text := check(); code != 0 || !strings.Contains(out, "200  retained message\n") {
		t.Fatalf("exit %d, %q, %q", code, out, text)
	}
	// A second start moves what is in the log to a table.
	_, stop = serving(t, data)
	stop()
	flip := func(ending string) {
		names, err := filepath.Glob(filepath.Join(data, "store", ending))
		if err != nil || len(names) == 0 {
			t.Fatal("no file", ending, err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/4] ^= 0x10
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	flip("*.sst")
	code, out, text := check()
	if code != exitFailed || !strings.Contains(out, ".sst: records between ") || !strings.Contains(out, "retained message") || !strings.Contains(text, "is damaged") {
		t.Errorf("exit %d, %q, %q", code, out, text)
	}
	flip("MANIFEST-*")
	if code, _, text := check(); code != exitFailed || !strings.Contains(text, "its list of tables, MANIFEST-") {
		t.Errorf("exit %d, %q", code, text)
	}
	if code, _, text := execute(t, "", "serve", "--data", data, "--listen", "mqtt://127.0.0.1:0"); code != exitConfig || !strings.Contains(text, "Nothing was changed. Try: entrepot store restore") {
		t.Errorf("exit %d, %q", code, text)
	}
}

func TestStoreCommandsRefuseWhatTheyCannotDo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(dir, "none")
	urls, _ := serving(t, gateway.Memory)
	for _, x := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "backup, restore or check", []string{"store"}},
		{exitUsage, "accepts 1 arg", []string{"store", "backup"}},
		{exitUsage, "none of the others can be", []string{"store", "backup", none, "--data", dir, "--url", urls["http"]}},
		{exitUsage, "no admin listener", []string{"store", "backup", none, "--url", urls["mqtt"]}},
		{exitUnreachable, "entrepot serve", []string{"store", "backup", none, "--url", "http://127.0.0.1:1"}},
		{exitFailed, "nothing on disk", []string{"store", "backup", none, "--url", urls["http"]}},
		{exitConfig, "not empty", []string{"store", "backup", dir, "--url", urls["http"]}},
		{exitConfig, "there is no store in", []string{"store", "backup", none, "--data", dir}},
		{exitConfig, "not a store of entrepot", []string{"store", "restore", dir, "--data", none}},
		{exitConfig, "there is no store in", []string{"store", "restore", none, "--data", none}},
		{exitConfig, "there is no store in", []string{"store", "check", none}},
		{exitConfig, "not a store of entrepot", []string{"store", "check", dir}},
	} {
		if code, out, text := execute(t, "", x.args...); code != x.code || !strings.Contains(text, x.want) || out != "" {
			t.Errorf("%v: exit %d, %q, %q", x.args, code, out, text)
		}
	}
	if _, err := os.Stat(none); !os.IsNotExist(err) {
		t.Error("something was made")
	}
}

// What nothing refers to is counted by a check, and goes when it is asked to.
func TestMessagesThatNothingRefersToAreRemovedByRepair(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	urls, stop := serving(t, data)
	for _, id := range []string{"a", "b"} { // two sessions that are away, so that the message has a record of its own
		if code, _, text := execute(t, "", "sub", urls["mqtt"], "x", "-i", id, "-x", "3600", "-q", "1", "-W", "0.2"); code != exitNotEnough && code != 0 {
			t.Fatal(code, text)
		}
	}
	if code, _, text := execute(t, "", "pub", urls["mqtt"], "x", "kept", "-q", "1"); code != 0 {
		t.Fatal(text)
	}
	stop()
	check := func(want, not string, args ...string) {
		t.Helper()
		code, out, text := execute(t, "", append([]string{"store", "check", "--data", data}, args...)...)
		if code != 0 || !strings.Contains(out, want) || not != "" && strings.Contains(out, not) {
			t.Errorf("%v: exit %d, %q, %q", args, code, out, text)
		}
	}
	check("1  message\n", "refers", "--repair") // it is held
	store, err := disk.Open(gateway.StoreDir(data), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b core.Batch
	for rec, err := range store.Scan([]byte("m"), []byte("n")) {
		if err != nil {
			t.Fatal(err)
		}
		b.Set(append([]byte("m"), 0, 0, 0, 0, 0, 0, 0x70, 0), rec.Value)
	}
	if err := errors.Join(store.Write([]*core.Batch{&b}, true), store.Close()); err != nil {
		t.Fatal(err)
	}
	check("1 messages of ", "")
	check("1 messages of ", "")
	check("were removed", "", "--repair")
	check("1  message\n", "refers")
	urls, _ = serving(t, data)
	for _, id := range []string{"a", "b"} {
		if code, out, text := execute(t, "", "sub", urls["mqtt"], "x", "-i", id, "-x", "3600", "-q", "1", "-C", "1", "-W", "20"); code != 0 || out != "kept\n" {
			t.Errorf("%s: exit %d, %q, %q", id, code, out, text)
		}
	}
}
