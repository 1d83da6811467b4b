package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// limited is a log below a limiter, its text and its counts.
func limited(t *testing.T) (log *slog.Logger, text *buffer, counts map[string]*atomic.Uint64, l *Limiter) {
	t.Helper()
	text, counts = new(buffer), map[string]*atomic.Uint64{}
	l = New(slog.NewTextHandler(text, nil), func(event string) *atomic.Uint64 {
		counts[event] = new(atomic.Uint64)
		return counts[event]
	})
	return slog.New(l.Handler()), text, counts, l
}

// buffer is written by the timer too.
type buffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestG3_BeyondItsRateAnEventIsSummedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, text, counts, l := limited(t)
		for range 250 {
			log.Info("client.connected", "protocol", "mqtt")
		}
		log.Info("client.disconnected") // has a rate of its own
		if n := strings.Count(text.String(), "msg=client.connected"); n != 50 {
			t.Errorf("%d lines at once", n)
		}
		if !strings.Contains(text.String(), "msg=client.disconnected") || strings.Contains(text.String(), "log.suppressed") {
			t.Error(text.String())
		}
		time.Sleep(every - time.Millisecond)
		synctest.Wait()
		if strings.Contains(text.String(), "log.suppressed") {
			t.Error("summed up too early")
		}
		time.Sleep(2 * time.Millisecond) // nothing else happens: the sum comes by itself
		synctest.Wait()
		if got := strings.Count(text.String(), "level=WARN msg=log.suppressed event=client.connected lines=200"); got != 1 {
			t.Errorf("%d sums: %s", got, text.String())
		}
		if counts["client.connected"].Load() != 200 || len(counts) != 1 {
			t.Error(counts)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if strings.Count(text.String(), "log.suppressed") != 1 {
			t.Error("a sum of nothing")
		}
		l.Close()
	})
}

func TestG3_TheRateComesBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, text, _, l := limited(t)
		defer l.Close()
		for range 100 {
			log.Info("e")
		}
		time.Sleep(time.Second / 2) // 25 more
		for range 100 {
			log.Info("e")
		}
		if n := strings.Count(text.String(), "msg=e\n"); n != 75 {
			t.Errorf("%d lines", n)
		}
	})
}

func TestG3_ADerivedLogSharesTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log, text, _, l := limited(t)
		defer l.Close()
		for i := range 100 {
			log.With("n", i).WithGroup("g").Info("e", "x", 1)
		}
		if n := strings.Count(text.String(), "g.x=1"); n != 50 {
			t.Errorf("%d lines", n)
		}
	})
}

func TestG3_CloseTellsWhatWasHeldBack(t *testing.T) {
	t.Parallel()
	log, text, _, l := limited(t)
	for range 60 {
		log.Info("e")
	}
	l.Close()
	if !strings.Contains(text.String(), "msg=log.suppressed event=e lines=10") {
		t.Error(text.String())
	}
	log.Info("stopped")
	if !strings.Contains(text.String(), "msg=stopped") {
		t.Error("nothing can be said after Close")
	}
}

func TestG3_EventsWithoutEndShareOneRate(t *testing.T) {
	t.Parallel()
	log, _, counts, l := limited(t)
	for i := range 10 * maxEvents {
		log.Info(fmt.Sprint("e", i))
	}
	l.Close()
	if len(l.events) != maxEvents+1 || counts[other].Load() == 0 {
		t.Errorf("%d events, %v", len(l.events), counts)
	}
}

func TestG2_TextsAreCutAndEscaped(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                   "plain",
		"größe 測":                 "größe 測",
		"a\u009b31mb\x7f":         `a\u009b31mb\x7f`,
		"left\u202eright\u2028":   `left\u202eright\u2028`,
		strings.Repeat("x", 256):  strings.Repeat("x", 256),
		strings.Repeat("x", 257):  strings.Repeat("x", 256) + "...",
		strings.Repeat("測", 100):  strings.Repeat("測", 85) + "...", // 255 bytes: no rune is torn
		strings.Repeat("\xff", 9): strings.Repeat("\xff", 9),
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	for _, json := range []bool{false, true} {
		var text bytes.Buffer
		o := &slog.HandlerOptions{ReplaceAttr: Attribute}
		var h slog.Handler = slog.NewTextHandler(&text, o)
		if json {
			h = slog.NewJSONHandler(&text, o)
		}
		slog.New(h).Info("e", "client", "a\" b\nmsg=forged\x1b[2J\u009b", "error", errors.New(strings.Repeat("y", 1000)),
			"took", 1500*time.Microsecond, Stack, strings.Repeat("z", 1000))
		line := text.String()
		if strings.Count(line, "\n") != 1 || strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\x1b\u009b") || strings.Contains(line, strings.Repeat("y", 257)) ||
			!strings.Contains(line, strings.Repeat("z", 1000)) || !strings.Contains(line, "1.5ms") {
			t.Errorf("json %v: %q", json, line)
		}
	}
}

func TestG5_TimesAreRFC3339WithMilliseconds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.FixedZone("", 3600))
	if got := Attribute(nil, slog.Time("time", at)).Value.String(); got != "2026-01-02T03:04:05.006+01:00" {
		t.Error(got)
	}
}

// Who asks first pays for no line that is held back, and it counts as one; what may be written is not used up.
func TestWhoAsksFirstIsToldWhatIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, text, counts, l := limited(t)
		defer l.Close()
		l.SetRate(2)
		l.SetRate(4)
		h := log.Handler().(interface{ Holds(event string, n int) int })
		for i, x := range []struct{ lines, held int }{{1, 0}, {1, 0}, {7, 5}, {3, 3}, {1, 1}} {
			held := h.Holds("e", x.lines)
			if held != x.held {
				t.Errorf("asked for the %d. time, %d are held back, want %d", i, held, x.held)
			}
			for range x.lines - held {
				log.Info("e")
			}
		}
		if n := strings.Count(text.String(), "msg=e"); n != 4 || counts["e"].Load() != 9 {
			t.Errorf("%d lines, %d held back", n, counts["e"].Load())
		}
	})
}
