package crash

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/internal/dial"
)

// forever is the expiry of a session that does not end: whoever opens the store may do so in years. [MQTT-3.1.2.11.2]
const forever = (1<<32 - 1) * time.Second

// TestStoresOfEveryFormatAreOpened opens a store of each format that there was, as a kill had left it, and finds what was in it:
// the sessions s1 and s2 with a subscription to a/#, of which s2 had taken two messages; a group of s3; a queue that s4
// consumes; retained messages; and a delayed one, which is due since.
func TestStoresOfEveryFormatAreOpened(t *testing.T) {
	t.Parallel()
	binary := build(t)
	stores, err := filepath.Glob("testdata/store-*.tar.gz")
	if err != nil || len(stores) == 0 {
		t.Fatal("no store", err)
	}
	for _, packed := range stores {
		t.Run(strings.TrimSuffix(filepath.Base(packed), ".tar.gz"), func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			if err := os.Mkdir(filepath.Join(data, "store"), 0o700); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), "tar", "xzf", packed, "-C", filepath.Join(data, "store")).CombinedOutput(); err != nil {
				t.Fatal(err, string(out))
			}
			whole(t, binary, "--data", data)
			w := &world{T: t, gateway: start(t, binary, data, "--set", "mqtt.delayed=true")}
			all := []string{"one-1", "one-2", "one-3", "two-4", "two-5", "later"}
			w.finds("s1", "", all...)
			w.finds("s2", "", all[2:]...)
			w.finds("s3", "", all...)
			w.finds("s4", "$queue/work", "job-1", "job-2")
			w.finds("anew", "kept/#", "kept-1", "kept-2")
		})
	}
}

// TestAStoreOfThisFormatCanBeMade makes what TestStoresOfEveryFormatAreOpened opens, by the binary of now: CRASH_STORE=FILE keeps
// it there, for testdata, where each format has one.
func TestAStoreOfThisFormatCanBeMade(t *testing.T) {
	t.Parallel()
	binary, data := build(t), t.TempDir()
	w := &world{T: t, gateway: start(t, binary, data, "--set", "mqtt.delayed=true", "--set", "limits.session_expiry_max=3650d", "--set", "mqtt.session_expiry_max=3650d")}
	subscribes := func(client, filter string) {
		c := w.dial("mqtt", dial.Options{ClientID: client, Session: forever})
		w.subscribe(c, filter, 2)
		w.close(c)
	}
	p := w.dial("mqtt", dial.Options{ClientID: "publishes"})
	send := func(topic, payload string) {
		m := dial.Message{Topic: topic, Payload: []byte(payload), QoS: 1, Retain: strings.HasPrefix(topic, "kept/")}
		if strings.HasPrefix(payload, "one") {
			m.ContentType, m.Headers = "text/plain", []dial.Header{{Name: "k", Value: "v"}}
		}
		if err := dial.Send(t.Context(), p, m); err != nil {
			t.Fatal(payload, err)
		}
	}
	subscribes("s1", "a/#")
	subscribes("s2", "a/#")
	subscribes("s3", "$share/g/a/#")
	subscribes("s4", "$queue/work")
	send("a/1", "one-1")
	send("a/1", "one-2")
	w.finds("s2", "", "one-1", "one-2")
	send("a/1", "one-3")
	send("a/2", "two-4")
	send("a/2", "two-5")
	send("$queue/work", "job-1")
	send("$queue/work", "job-2")
	send("kept/1", "kept-1")
	send("kept/2", "kept-2")
	send("$delayed/1/a/later", "later")
	w.gateway.kill()
	whole(t, binary, "--data", data)
	kept := os.Getenv("CRASH_STORE")
	if kept == "" {
		kept = filepath.Join(t.TempDir(), "store.tar.gz")
	}
	out, err := exec.CommandContext(t.Context(), "tar", "czf", kept, "--exclude", "LOCK", "-C", filepath.Join(data, "store"), ".").CombinedOutput()
	if err != nil {
		t.Fatal(err, string(out))
	}
	format, err := os.ReadFile(filepath.Join(data, "store", "entrepot-store"))
	if err != nil {
		t.Fatal(err)
	}
	newest, err := strconv.Atoi(strings.TrimSpace(string(format)))
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= newest; n++ {
		if _, err := os.Stat(fmt.Sprintf("testdata/store-%d.tar.gz", n)); err != nil {
			t.Error("a format is not tested:", err)
		}
	}
}

// finds checks that a client receives payloads in order, nothing else, and their properties with them.
func (w *world) finds(client, filter string, want ...string) {
	w.Helper()
	var mu sync.Mutex
	var got []string
	done := make(chan struct{})
	o := dial.Options{ClientID: client, OnMessage: func(m dial.Message) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasPrefix(string(m.Payload), "one") && (m.ContentType != "text/plain" || !slices.Contains(m.Headers, dial.Header{Name: "k", Value: "v"})) {
			w.Errorf("%s: %s comes as %+v", client, m.Payload, m)
		}
		if got = append(got, string(m.Payload)); string(m.Payload) == want[len(want)-1] {
			close(done)
		}
	}}
	if filter == "" {
		o.Session = forever
	}
	c := w.dial("mqtt", o)
	if filter != "" {
		w.subscribe(c, filter, 1)
	}
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
		w.Errorf("%s: the last message is missing", client)
	}
	w.close(c)
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(got, want) {
		w.Errorf("%s receives %q, not %q", client, got, want)
	}
}
