package core_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/entrepot/entrepot/core"
)

// lockedLines is what a log writes, to be read meanwhile.
type lockedLines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestASessionWhoseTimeIsOverIsALineOfTheLog(t *testing.T) {
	var lines lockedLines
	log := slog.New(slog.NewTextHandler(&lines, nil))
	simulateWith(t, core.Options{Log: log}, func(w *world) {
		told := func() []string {
			var all []string
			for line := range strings.Lines(lines.String()) {
				if _, rest, ok := strings.Cut(line, "msg=session.expired "); ok {
					all = append(all, strings.TrimSpace(rest))
				}
			}
			return all
		}
		w.attach(core.Client{ID: "stays", Expiry: time.Hour}).Detach(w.turn, core.Normal)
		w.attach(core.Client{ID: "passes"}).Detach(w.turn, core.Normal)
		w.attach(core.Client{ID: "back", Expiry: 5 * time.Second}).Detach(w.turn, core.Normal)
		w.attach(core.Client{ID: "ends", Expiry: 10 * time.Second}).Detach(w.turn, core.Normal)
		w.sleep(4 * time.Second)
		w.attach(core.Client{ID: "back", Expiry: 5 * time.Second})
		w.sleep(5 * time.Second)
		if got := told(); len(got) != 0 {
			t.Fatalf("before its time: %q", got)
		}
		w.sleep(time.Minute)
		got := told()
		if len(got) != 1 || got[0] != `namespace=default user=anonymous client=ends` {
			t.Fatalf("%q", got)
		}
	})
}

func TestLinesOfSessionsAreSpared(t *testing.T) {
	h := &sparing{Handler: slog.NewTextHandler(new(bytes.Buffer), nil), holds: true}
	simulateWith(t, core.Options{Log: slog.New(h)}, func(w *world) {
		w.attach(core.Client{ID: "ends", Expiry: time.Second}).Detach(w.turn, core.Normal)
		w.sleep(time.Minute)
		expect(t, "lines", h.written, 0)
	})
}
