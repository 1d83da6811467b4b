package wire

import (
	"bytes"
	"io"
	"testing"
)

func TestHeaderRoundTrip(t *testing.T) {
	t.Parallel()
	h := Header{Class: 60, BodySize: 1 << 33, Properties: []byte("\x10\x00\x02")}
	out := h.AppendFrame(nil, 5)
	f, _, err := Scan(out, FrameMinSize)
	var again Header
	if err != nil || f.Type != FrameHeader || f.Channel != 5 || again.Parse(f.Payload) != nil {
		t.Fatal(f, err)
	}
	if again.Class != 60 || again.BodySize != 1<<33 || !bytes.Equal(again.Properties, h.Properties) {
		t.Fatalf("%+v", again)
	}
	for i := range 14 {
		if err := again.Parse(f.Payload[:i]); err != io.ErrUnexpectedEOF {
			t.Errorf("cut to %d: %v", i, err)
		}
	}
}

func TestSecondFlagsWordIsAFrameError(t *testing.T) {
	t.Parallel()
	var p Properties
	if err := p.Parse([]byte("\x80\x01\x00\x00\x01a")); codeOf(err) != FrameError {
		t.Fatal(err)
	}
}

func TestPropertyOfZeroLengthIsNotAbsent(t *testing.T) {
	t.Parallel()
	var p Properties
	if err := p.Parse([]byte("\x80\x00\x00")); err != nil || !p.Has(FlagContentType) || len(p.ContentType) != 0 {
		t.Fatal(p, err)
	}
}

func FuzzProperties(f *testing.F) {
	p := Properties{Flags: 0xfffc, Headers: nest(2), ContentType: []byte("a")}
	f.Add(p.AppendTo(nil))
	f.Add([]byte{0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		var p Properties
		if p.Parse(in) != nil {
			return
		}
		out := p.AppendTo(nil)
		in = append([]byte{in[0], in[1] &^ 2}, in[2:]...)
		if !bytes.Equal(out, in) {
			t.Fatalf("%x\n%x", in, out)
		}
	})
}
