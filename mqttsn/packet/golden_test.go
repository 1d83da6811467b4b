package packet

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// golden reads testdata/golden: name to bytes and value.
func golden(tb testing.TB) map[string][2]string {
	tb.Helper()
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no golden packets: %v", err)
	}
	all := map[string][2]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		var g [2]string
		for line := range strings.Lines(string(text)) {
			key, rest, _ := strings.Cut(line, ":")
			switch key {
			case "bytes":
				g[0] = strings.TrimSpace(rest)
			case "value":
				g[1] = strings.TrimSpace(rest)
			}
		}
		all[strings.TrimSuffix(filepath.Base(f), ".txt")] = g
	}
	return all
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// text writes a packet as the golden files spell it.
func text(v any) string {
	r := reflect.ValueOf(v)
	if s, ok := v.(fmt.Stringer); ok && r.Kind() != reflect.Struct {
		return s.String()
	}
	switch {
	case r.Kind() == reflect.Slice:
		return fmt.Sprintf("%q", r.Bytes())
	case r.Kind() != reflect.Struct:
		return fmt.Sprint(v)
	}
	var fields []string
	for i := range r.NumField() {
		fields = append(fields, r.Type().Field(i).Name+":"+text(r.Field(i).Interface()))
	}
	return r.Type().Name() + "{" + strings.Join(fields, " ") + "}"
}

func TestMQTTSN_GoldenPackets(t *testing.T) {
	t.Parallel()
	seen := map[Type]bool{}
	for name, g := range golden(t) {
		wire := unhex(t, g[0])
		p, err := Parse(wire)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		seen[p.Type()] = true
		if got := text(p); got != g[1] {
			t.Errorf("%s: parsed %s, want %s", name, got, g[1])
		}
		if got := p.AppendTo(nil); !bytes.Equal(got, wire) {
			t.Errorf("%s: appended % x, want % x", name, got, wire)
		}
		if p.Len() != len(wire) {
			t.Errorf("%s: Len %d, want %d", name, p.Len(), len(wire))
		}
	}
	for i := range 256 {
		if ty := Type(i); ty.Known() != seen[ty] {
			t.Errorf("%v: known %v, golden packet %v", ty, ty.Known(), seen[ty])
		}
	}
}
