package core_test

import (
	"bytes"
	"fmt"
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

// Another loop may have looked at the clock later than ours.
func TestNobodyIsToldALongerLifeThanTheMessageWasGiven(t *testing.T) {
	simulate(t, func(w *world) {
		a := w.attach(core.Client{ID: "a"})
		a.sub("t", 1)
		p := w.attach(core.Client{})
		p.send("r", "kept", func(m *core.Message) { m.Retain, m.Expires = true, w.turn.Now.After(time.Hour) })
		w.end()
		older := w.turn.Now
		for _, retained := range []bool{false, true} {
			w.sleep(5 * time.Millisecond)
			if retained {
				a.sub("r", 1)
			}
			p.send("t", "m", func(m *core.Message) { m.QoS, m.Expires = 1, w.turn.Now.After(time.Hour) })
			w.end()
			w.turn.Now = older
			for _, d := range a.take(9) {
				left, ok := d.Message.Remaining(w.turn.Now, time.Second)
				expect(t, d.Message.Topic, fmt.Sprint(left, ok), "3600 true")
				expect(t, "time", w.turn.Now > older, true)
			}
		}
	})
}
