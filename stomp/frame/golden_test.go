package frame

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each file of testdata/golden holds the octets of one stream, as recorded from
// the client or server that its name tells; the file .txt beside it says what
// they mean: the version, then one frame a line.
func TestGoldenStreamsParse(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/golden/*.stomp")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden streams: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			in, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			txt, err := os.ReadFile(strings.TrimSuffix(name, ".stomp") + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(txt)), "\n")
			v, _ := ParseVersion(lines[0])
			want(t, v, string(in), lines[1:]...)
		})
	}
}
