package message

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden is one file of testdata/golden: why it is there, the bytes, and either
// the message or the error.
type golden struct {
	name, reason, want, fault string
	wire                      []byte
}

func goldens(t testing.TB) (all []golden) {
	t.Helper()
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden packets: %v", err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		g := golden{name: strings.TrimSuffix(filepath.Base(f), ".txt")}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
			switch key {
			case "#":
				g.reason = value
			case "hex:":
				if g.wire, err = hex.DecodeString(strings.ReplaceAll(value, " ", "")); err != nil {
					t.Fatalf("%s: %v", f, err)
				}
			case "want:":
				g.want = value
			case "error:":
				g.fault = value
			default:
				t.Fatalf("%s: line %q", f, line)
			}
		}
		all = append(all, g)
	}
	return all
}

func TestGoldenPackets(t *testing.T) {
	t.Parallel()
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			var m Message
			err := Parse(g.wire, &m)
			if g.fault != "" {
				var fe *FormatError
				if !errors.As(err, &fe) || fe.Reason != g.fault {
					t.Fatalf("%s: got %v, want %q", g.reason, err, g.fault)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", g.reason, err)
			}
			if m.String() != g.want {
				t.Errorf("%s:\n got %v\nwant %s", g.reason, &m, g.want)
			}
			if out := m.AppendTo(nil); !bytes.Equal(out, g.wire) {
				t.Errorf("written again: %x, want %x", out, g.wire)
			}
			if m.Len() != len(g.wire) {
				t.Errorf("Len %d, want %d", m.Len(), len(g.wire))
			}
		})
	}
}
