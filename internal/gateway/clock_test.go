package gateway

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestSecurity_R6_AStepOfTheClockIsTold(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	var ahead time.Duration
	w := &clockWatch{ahead: func() time.Duration { return ahead }, log: slog.New(slog.NewTextHandler(&text, nil))}
	for _, c := range []struct {
		ahead time.Duration
		want  string // "": no line
	}{
		{0, ""}, {3 * time.Second, ""}, {-9 * time.Second, ""}, // NTP at work
		{time.Hour, "ahead=1h0m0s"}, {time.Hour + time.Second, ""},
		{-time.Hour, "ahead=-1h0m0s"}, {0, "ahead=0s"}, {0, ""},
	} {
		ahead = c.ahead
		text.Reset()
		w.look()
		if got := text.String(); (got == "") != (c.want == "") || !strings.Contains(got, c.want) || got != "" && !strings.Contains(got, "level=WARN msg=config.warning reason=clock") {
			t.Errorf("%v ahead: %q", c.ahead, got)
		}
	}
}
