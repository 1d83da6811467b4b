package frame

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func seeds(f *testing.F) {
	for _, s := range []string{
		"CONNECT\naccept-version:1.0,1.1,1.2\nhost:/\nlogin:a\n\n\x00\n",
		"SEND\r\ndestination:/topic/a\r\ncontent-length:3\r\n\r\na\x00b\x00\r\n",
		"SEND\na\\cb:c\\n\\\\\nreceipt:1\n\nbody\x00ACK\nid:1\n\n\x00",
		"\r\n\n\x00SUBSCRIBE\nid:0\nid:1\n\n\n\x00", "SEND\na:\\", "BOGUS\n", "ACK\n\nx\x00", "\r", "A\rB\n",
		"MESSAGE\ncontent-length:99999999999999999999\n\n",
	} {
		for v := byte(0); v < 4; v++ {
			f.Add([]byte(s), v, byte(3))
		}
	}
}

// ST9: a stream split anywhere parses like the whole.
func FuzzSplit(f *testing.F) {
	for _, b := range cves(f) {
		f.Add(b, byte(2), byte(3))
	}
	seeds(f)
	f.Fuzz(func(t *testing.T, in []byte, v, n byte) {
		limits := Limits{Line: 64, Headers: 8, Body: 256, Frame: 512 * int(n&1)}
		whole := stream(&Parser{Version: Version(v % 4), Limits: limits}, string(in), 0)
		split := stream(&Parser{Version: Version(v % 4), Limits: limits}, string(in), 1+int(n))
		if a, b := strings.Join(whole, "\n"), strings.Join(split, "\n"); a != b {
			t.Fatalf("whole %q\nsplit %q", a, b)
		}
	})
}

// What is parsed and written again is the same frame, and Len is true.
func FuzzRoundTrip(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, in []byte, v, _ byte) {
		ver := Version(v % 4)
		p := &Parser{Version: ver}
		var a, b Frame
		for len(in) > 0 {
			used, ok, err := p.Next(in, &a)
			if err != nil {
				return
			}
			if in = in[used:]; !ok {
				continue
			}
			out := a.AppendTo(nil, ver)
			if len(out) != a.Len(ver) {
				t.Fatalf("Len %d, appended %d: %q", a.Len(ver), len(out), out)
			}
			n, ok, err := (&Parser{Version: ver}).Next(out, &b)
			if err != nil || !ok || n != len(out) {
				t.Fatalf("%q: used %d, %v, %v", out, n, ok, err)
			}
			same(t, &a, &b)
		}
	})
}

// same compares all but content-length, which the encoder writes itself.
func same(t *testing.T, a, b *Frame) {
	t.Helper()
	strip := func(f *Frame) *Frame {
		g := &Frame{Command: f.Command, Body: f.Body}
		for _, h := range f.Headers {
			if string(h.Name) != "content-length" {
				g.Headers = append(g.Headers, h)
			}
		}
		return g
	}
	if x, y := render(strip(a)), render(strip(b)); x != y {
		t.Fatalf("wrote %s\nread  %s", x, y)
	}
}

func FuzzHeaderText(f *testing.F) {
	f.Add("a:b", "c\r\nd\\", byte(3))
	f.Fuzz(func(t *testing.T, name, value string, v byte) {
		if name == "" {
			return
		}
		ver := V11 + Version(v&1)
		out := AppendHeader(nil, ver, name, value)
		if len(out) != HeaderLen(ver, name, value) {
			t.Fatal("HeaderLen differs")
		}
		if bytes.Count(out, []byte{'\n'}) != 1 || bytes.Contains(out, []byte{'\r'}) {
			t.Fatalf("header injection: %q", out)
		}
		var fr Frame
		p := &Parser{Version: ver, Limits: Limits{Line: 1 << 30, Headers: 1}}
		_, ok, err := p.Next([]byte("SEND\n"+string(out)+"\n\x00"), &fr)
		if err != nil || !ok || len(fr.Headers) != 1 {
			t.Fatalf("%q: %v", out, err)
		}
		fold := strings.NewReplacer("\x00", " ")
		if ver == V11 {
			fold = strings.NewReplacer("\x00", " ", "\r", " ")
		}
		if string(fr.Headers[0].Name) != fold.Replace(name) || string(fr.Headers[0].Value) != fold.Replace(value) {
			t.Fatalf("%q=%q came back as %q=%q", name, value, fr.Headers[0].Name, fr.Headers[0].Value)
		}
	})
}

// cves are the inputs that brought others down, of every protocol (test/abuse/testdata/cve).
func cves(f *testing.F) (all [][]byte) {
	f.Helper()
	files, err := filepath.Glob("../../test/abuse/testdata/cve/*.bin")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d inputs, %v", len(files), err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}
