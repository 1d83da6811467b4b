package abuse

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInputsOfKnownVulnerabilities replays what brought others down: testdata/cve/ID.bin are the bytes, written after the public
// description; ID.txt says what they are, where they are sent, and what is answered. The codecs' fuzz targets begin with them too.
func TestInputsOfKnownVulnerabilities(t *testing.T) {
	files, err := filepath.Glob("testdata/cve/*.bin")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d inputs, %v", len(files), err)
	}
	attack{moved: []string{"preauth_closed mqtt", "protocol_errors mqtt"}}.run(t, func(g *target) {
		for _, file := range files {
			input, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			about, err := os.ReadFile(strings.TrimSuffix(file, ".bin") + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(string(about), "\n")
			if len(lines) != 4 {
				t.Fatalf("%s: a note, a surface and an answer, a line each: %q", file, lines)
			}
			on, want := lines[1], lines[2]
			var got string
			if on == "coap" || on == "mqttsn" {
				e := endpointOf(on)
				got, err = g.exchange(on, gram{send: one(string(input)), want: want}, e.last, e.reply, e.says)
			} else {
				got, err = g.ask(on, string(input))
			}
			if err != nil || got != want {
				t.Errorf("%s: %q, %v; want %q", filepath.Base(file), got, err, want)
			}
		}
	})
}
