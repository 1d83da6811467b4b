package listen

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// However a text is cut into parts, the check says what utf8.Valid says of it.
func TestTextIsCheckedInParts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "a", "ü", "€", "𝄞x", "a𝄞", strings.Repeat("ü€𝄞", 10), "\xff", "a\x80", "ü\xc3", "€\xe2\x82", "𝄞\xf0\x9d\x84", "\xed\xa0\x80",
		"\xc0\xaf", "\xe2\x82a", "\xf0\x9d\xc3\xbc", "\xf4\x90\x80\x80", "\xc3\xc3\xbc",
	} {
		for step := 1; step <= len(text)+1; step++ {
			var c textCheck
			ok := true
			for b := []byte(text); len(b) > 0 && ok; {
				n := min(step, len(b))
				ok = c.part(b[:n])
				b = b[n:]
			}
			if ok = ok && c.end(); ok != utf8.ValidString(text) {
				t.Errorf("%q in parts of %d: %v", text, step, ok)
			}
		}
	}
}
