package eventlog

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxText is the longest text of an attribute that a line shows, in bytes. OPERATIONS G2
const maxText = 256

// Stack is the key of the one attribute that may be longer: the trace of a defect.
const Stack = "stack"

// Attribute is the ReplaceAttr of the log: times with milliseconds and zone (OPERATIONS G5), texts short and without
// anything that a terminal would obey (G2).
func Attribute(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindTime:
		return slog.String(a.Key, a.Value.Time().Format("2006-01-02T15:04:05.000Z07:00"))
	case slog.KindDuration:
		return slog.String(a.Key, a.Value.Duration().Round(time.Microsecond).String())
	case slog.KindString:
		if a.Key != Stack {
			return slog.String(a.Key, Text(a.Value.String()))
		}
	case slog.KindAny:
		switch v := a.Value.Any().(type) {
		case error:
			return slog.String(a.Key, Text(v.Error()))
		case fmt.Stringer:
			return slog.String(a.Key, Text(v.String()))
		}
	}
	return a
}

// Text cuts a text to what a line shows, and writes what is neither ASCII nor printable as its escape: the encoders of
// slog escape the controls of ASCII alone.
func Text(s string) string {
	cut := len(s) > maxText
	if cut {
		n := maxText
		for n > maxText-utf8.UTFMax && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	if strings.ContainsFunc(s, obeyed) {
		var b strings.Builder
		for _, r := range s {
			if obeyed(r) {
				b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
			} else {
				b.WriteRune(r)
			}
		}
		s = b.String()
	}
	if cut {
		s += "..."
	}
	return s
}

// obeyed tells the runes from U+007F that no terminal should see: controls, directions, separators of lines.
func obeyed(r rune) bool { return r >= 0x7f && r != utf8.RuneError && !unicode.IsGraphic(r) }
