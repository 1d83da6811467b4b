package packet

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// One row per class of string.
func TestMQTT_MW5_Strings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		in           string
		lax, strictE error
	}{
		{"empty", "", nil, nil},
		{"text", "sensor/1", nil, nil},
		{"NUL", "a\x00b", errNUL, errNUL},
		{"overlong", "\xc0\x80", errUTF8, errUTF8},
		{"surrogate", "\xed\xa0\x80", errUTF8, errUTF8},
		{"truncated", "\xe2\x82", errUTF8, errUTF8},
		{"BOM first", "\ufeffa", nil, nil},
		{"BOM inside", "a\ufeffb", nil, nil},
		{"U+2A6D4", "A\U0002a6d4", nil, nil},
		{"U+FFFF", "\uffff", nil, errStrict},
		{"U+FDD0", "\ufdd0", nil, errStrict},
		{"U+1FFFE", "\U0001fffe", nil, errStrict},
		{"U+0001", "\x01", nil, errStrict},
		{"U+0085", "\u0085", nil, errStrict},
		{"65,535 bytes", strings.Repeat("x", 65_535), nil, nil},
	} {
		enc := AppendString(nil, c.in)
		for _, strict := range []bool{false, true} {
			want := c.lax
			if strict {
				want = c.strictE
			}
			r := reader{b: enc}
			got := r.string(strict)
			if r.err != want || want == nil && !bytes.Equal(got, []byte(c.in)) {
				t.Errorf("%s (strict %v): %q, %v; want %v", c.name, strict, got, r.err, want)
			}
		}
	}
}

func TestMQTT_MW1_ALengthPastTheEndIsRefused(t *testing.T) {
	t.Parallel()
	r := reader{b: []byte{0xff, 0xff, 'a'}}
	if r.string(false); r.err != errPast {
		t.Errorf("got %v", r.err)
	}
	for n := range 4 {
		r := reader{b: make([]byte, n)}
		if r.u32(); r.err != errPast {
			t.Errorf("u32 of %d bytes: %v", n, r.err)
		}
	}
}

func TestHasControl(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"a b": false, "a\tb": true, "a\x7f": true, "\u009f": true, "\u00a0": false, "é": false, "": false,
	} {
		if HasControl(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

func TestErrorsSayCodeAndRule(t *testing.T) {
	t.Parallel()
	var e *Error
	if !errors.As(error(errOptions), &e) || e.Code != MalformedPacket {
		t.Fatal("not an Error")
	}
	if got := e.Error(); got != "mqtt: MB7 reserved subscription options (0x81)" {
		t.Errorf("got %q", got)
	}
}
