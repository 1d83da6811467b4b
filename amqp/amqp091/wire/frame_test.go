package wire

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func codeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func TestAMQP_AQ2_WrongFramesAreRefusedFromTheHead(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"unknown type, one octet":  "G",
		"unknown type":             "\x04\x00\x00\x00\x00\x00\x00",
		"size above frame-max":     "\x01\x00\x00\x00\x00\x0f\xf9",
		"size of 4 GiB":            "\x03\x00\x01\xff\xff\xff\xff",
		"heartbeat on a channel":   "\x08\x00\x01\x00\x00\x00\x00",
		"heartbeat with a payload": "\x08\x00\x00\x00\x00\x00\x01",
		"frame end":                "\x01\x00\x00\x00\x00\x00\x01\xaa\xcd",
	} {
		if _, n, err := Scan([]byte(in), FrameMinSize); codeOf(err) != FrameError || n != 0 {
			t.Errorf("%s: %d, %v, want 501", name, n, err)
		}
	}
}

func TestScanWaitsForTheWholeFrame(t *testing.T) {
	t.Parallel()
	in := AppendBody(nil, 3, []byte("hello"), FrameMinSize)
	for i := range in {
		if _, _, err := Scan(in[:i], FrameMinSize); err != io.ErrUnexpectedEOF {
			t.Fatalf("%d octets: %v", i, err)
		}
	}
	f, n, err := Scan(append(in, 1), FrameMinSize)
	if err != nil || n != len(in) || f.Type != FrameBody || f.Channel != 3 || string(f.Payload) != "hello" {
		t.Fatal(f, n, err)
	}
}

func TestFrameMaxCountsTheWholeFrame(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("x"), 2*FrameMinSize)
	out := AppendBody(nil, 1, body, FrameMinSize)
	var sizes []int
	var again []byte
	for len(out) > 0 {
		f, n, err := Scan(out, FrameMinSize)
		if err != nil {
			t.Fatal(err)
		}
		sizes, again, out = append(sizes, n), append(again, f.Payload...), out[n:]
	}
	if len(sizes) != 3 || sizes[0] != FrameMinSize || sizes[1] != FrameMinSize || !bytes.Equal(again, body) {
		t.Fatal(sizes)
	}
}

func TestAMQP_AQ4_EmptyBodyHasNoBodyFrame(t *testing.T) {
	t.Parallel()
	if out := AppendBody(nil, 1, nil, FrameMinSize); len(out) != 0 {
		t.Fatalf("%x", out)
	}
}

func FuzzScan(f *testing.F) {
	for _, b := range cves(f) {
		f.Add(b)
	}
	f.Add([]byte(HeartbeatFrame))
	f.Add(AppendBody(nil, 1, []byte("b"), FrameMinSize))
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x01\xaa\xcd"))
	f.Fuzz(func(t *testing.T, in []byte) {
		fr, n, err := Scan(in, FrameMinSize)
		if err != nil {
			return
		}
		if n > len(in) || n > FrameMinSize || len(fr.Payload) != n-Overhead {
			t.Fatalf("%d of %d, payload %d", n, len(in), len(fr.Payload))
		}
	})
}

// cves are the inputs that brought others down, of every protocol (test/abuse/testdata/cve).
func cves(f *testing.F) (all [][]byte) {
	f.Helper()
	files, err := filepath.Glob("../../../test/abuse/testdata/cve/*.bin")
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
